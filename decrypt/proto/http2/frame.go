package http2

import "encoding/binary"

// HeaderLength is the length of a frame's header in octets (RFC 9113, Section 4.1).
const HeaderLength = 9

// MaxStream is the largest number of a stream, and the largest window (RFC 9113,
// Sections 5.1.1 and 6.9.1).
const MaxStream = 1<<31 - 1

// Type is the type of a frame (RFC 9113, Section 6). Others are extensions.
type Type uint8

// Types of frames.
const (
	Data         Type = 0x0
	Headers      Type = 0x1
	Priority     Type = 0x2
	RSTStream    Type = 0x3
	Settings     Type = 0x4
	PushPromise  Type = 0x5
	Ping         Type = 0x6
	GoAway       Type = 0x7
	WindowUpdate Type = 0x8
	Continuation Type = 0x9
)

// Flags are those of a frame. Each belongs to some types only.
type Flags uint8

// Flags of frames.
const (
	EndStream   Flags = 0x1  // DATA, HEADERS
	ACK         Flags = 0x1  // SETTINGS, PING
	EndHeaders  Flags = 0x4  // HEADERS, PUSH_PROMISE, CONTINUATION
	Padded      Flags = 0x8  // DATA, HEADERS, PUSH_PROMISE
	HasPriority Flags = 0x20 // HEADERS
)

// Header is the header of a frame.
type Header struct {
	Length int // of the payload, in octets
	Type   Type
	Flags  Flags
	Stream uint32
}

// ParseHeader reads the first [HeaderLength] octets of p.
func ParseHeader(p []byte) Header {
	return Header{
		Length: int(p[0])<<16 | int(p[1])<<8 | int(p[2]),
		Type:   Type(p[3]),
		Flags:  Flags(p[4]),
		Stream: number(p[5:]),
	}
}

// number reads a number of 31 bits: a stream, or an increment of a window.
func number(p []byte) uint32 { return binary.BigEndian.Uint32(p) & MaxStream }

// Has reports whether all of the flags are set.
func (h Header) Has(f Flags) bool { return h.Flags&f == f }

// EndsStream reports whether the frame is the last of its stream's direction.
func (h Header) EndsStream() bool {
	return (h.Type == Data || h.Type == Headers) && h.Has(EndStream)
}

// bearsBlock reports whether the frame has a part of a header block.
func (h Header) bearsBlock() bool {
	return h.Type == Headers || h.Type == PushPromise || h.Type == Continuation
}

// check returns the fault of a length or a stream number (RFC 9113, Section 6), or
// nil.
func (h Header) check() *Fault {
	switch h.Type {
	case Data, Headers, PushPromise, Continuation, Priority, RSTStream:
		return h.checkOnStream()
	case Settings, Ping, GoAway:
		return h.checkOnConnection()
	case WindowUpdate:
		if h.Length != 4 {
			return errLength
		}
	}
	return nil
}

// checkOnStream is check for frames that belong to a stream.
func (h Header) checkOnStream() *Fault {
	switch {
	case h.Type == RSTStream && h.Length != 4:
		return errLength
	case h.Stream == 0:
		return errNoStream
	case h.Type == Priority && h.Length != dependencyLength:
		return errLength.onStream(h.Stream)
	}
	return nil
}

// checkOnConnection is check for frames that belong to the connection.
func (h Header) checkOnConnection() *Fault {
	switch {
	case h.Type == Settings && h.Has(ACK) && h.Length > 0:
		return errACK
	case h.Type == Ping && h.Length != 8:
		return errLength
	case h.Stream != 0:
		return errStream
	case h.Type == Settings && h.Length%settingLength != 0, h.Type == GoAway && h.Length < 8:
		return errTooShort
	}
	return nil
}
