package http2

import (
	"encoding/binary"

	"github.com/clearspan/clearspan/mirror"
)

const (
	preface     = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113, Section 3.4
	frameHeader = 9                                  // RFC 9113, Section 4.1
)

// Types of frames that mean something here (RFC 9113, Section 6).
const (
	typeData         = 0x0
	typeHeaders      = 0x1
	typeRSTStream    = 0x3
	typeSettings     = 0x4
	typePushPromise  = 0x5
	typeGoAway       = 0x7
	typeContinuation = 0x9
)

const (
	flagEndStream  = 0x1
	flagACK        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

const (
	settingHeaderTableSize = 0x1
	defaultTable           = 4096 // RFC 9113, Section 6.5.2
)

// header is that of a frame.
type header struct {
	length      int
	kind, flags uint8
	stream      uint32
}

// parseHeader reads the first nine octets of p.
func parseHeader(p []byte) header {
	return header{
		length: int(p[0])<<16 | int(p[1])<<8 | int(p[2]),
		kind:   p[3],
		flags:  p[4],
		stream: binary.BigEndian.Uint32(p[5:]) & (1<<31 - 1),
	}
}

func (h header) has(flag uint8) bool { return h.flags&flag != 0 }

// whole tells that a frame is read as a whole, before anything is rendered.
func (h header) whole() bool {
	switch h.kind {
	case typeHeaders, typePushPromise, typeContinuation, typeSettings, typeRSTStream, typeGoAway:
		return true
	}
	return false
}

// sound tells that a frame obeys the rules of length and stream number.
func (h header) sound() bool {
	switch h.kind {
	case typeData, typeHeaders, typePushPromise, typeContinuation:
		return h.stream != 0
	case typeRSTStream:
		return h.stream != 0 && h.length == 4
	case typeSettings:
		return h.stream == 0 && h.length%6 == 0 && (!h.has(flagACK) || h.length == 0)
	case typeGoAway:
		return h.stream == 0 && h.length >= 8
	}
	return true
}

// fragment returns the part of a header block in a frame's payload, and for a
// PUSH_PROMISE the promised stream (RFC 9113, Sections 6.2, 6.6 and 6.10).
func (h header) fragment(payload []byte) (block []byte, promised uint32, ok bool) {
	padding := 0
	if h.kind != typeContinuation && h.has(flagPadded) {
		if len(payload) < 1 {
			return nil, 0, false
		}
		padding, payload = int(payload[0]), payload[1:]
	}
	skip := 0
	switch {
	case h.kind == typePushPromise:
		skip = 4
	case h.kind == typeHeaders && h.has(flagPriority):
		skip = 5
	}
	if len(payload) < skip+padding {
		return nil, 0, false
	}
	if h.kind == typePushPromise {
		promised = binary.BigEndian.Uint32(payload) & (1<<31 - 1)
	}
	return payload[skip : len(payload)-padding], promised, true
}

// settings obeys a SETTINGS frame: what one end says bounds the table that the
// other encodes with. A table is never bounded more tightly than before: when
// the other end has taken note cannot be seen.
func (s *Session) settings(dir mirror.Direction, payload []byte) {
	for ; len(payload) >= 6; payload = payload[6:] {
		if binary.BigEndian.Uint16(payload) != settingHeaderTableSize {
			continue
		}
		side := &s.sides[dir^1]
		side.allowed = max(side.allowed, min(binary.BigEndian.Uint32(payload[2:]), maxTable))
		if side.decoder != nil {
			side.decoder.SetAllowedMaxDynamicTableSize(side.allowed)
		}
	}
}

// goAway ends the streams of the other end that a GOAWAY frame disowns (RFC
// 9113, Section 6.8).
func (s *Session) goAway(dir mirror.Direction, payload []byte) {
	last := binary.BigEndian.Uint32(payload) & (1<<31 - 1)
	parity := uint32(1) // streams of the client, which a GOAWAY of the origin means
	if dir == mirror.ClientToOrigin {
		parity = 0
	}
	if s.highest[1-parity] <= last {
		return
	}
	for _, st := range s.open() {
		if st.id > last && st.id&1 == parity {
			st.conversation.Reset(dir)
			s.remove(st)
		}
	}
}
