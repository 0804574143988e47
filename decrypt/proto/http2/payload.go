package http2

import (
	"encoding/binary"
	"iter"
)

// Frame is a frame that a [Reader] returned, or a piece of one. It and its Body are
// valid until the next call.
type Frame struct {
	// Header is that of the frame; of a header block, that of its first frame.
	Header

	// Body is the payload without padding and the fields below. It is the content of
	// DATA, the debug data of GOAWAY, the settings, the eight octets of PING, the first
	// fragment of a header block, and all of an extension.
	Body []byte
	// Padding is the octets of padding, with the one that tells their number.
	Padding int

	// DATA, extensions, and what [Reader.SkipBlocks] and [Loose] pass over come in
	// pieces, as octets arrive. First and Last tell which. All others come whole: both
	// are true.
	First, Last bool

	Promised  uint32     // stream of PUSH_PROMISE
	Code      Code       // of RST_STREAM and GOAWAY
	LastID    uint32     // stream of GOAWAY
	Increment uint32     // of WINDOW_UPDATE
	Priority  Dependency // of HEADERS with [HasPriority], and of PRIORITY

	rest []byte // CONTINUATION frames of the block
}

// Dependency is the priority of RFC 7540, Section 5.3, which RFC 9113 deprecates.
type Dependency struct {
	Stream    uint32
	Exclusive bool
	Weight    uint8
}

const dependencyLength = 5

// ContentLength returns the octets of content in the whole frame, of which Body may be
// a piece.
func (f *Frame) ContentLength() int { return f.Length - f.Padding }

// Fragments yields the parts of a header block, one for each of its frames.
func (f *Frame) Fragments() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !yield(f.Body) {
			return
		}
		for p := f.rest; len(p) > 0; {
			end := HeaderLength + ParseHeader(p).Length
			if !yield(p[HeaderLength:end]) {
				return
			}
			p = p[end:]
		}
	}
}

// parse takes a whole payload apart. Header is set, and its check passed.
func (f *Frame) parse(p []byte) *Fault {
	f.First, f.Last, f.Padding = true, true, 0
	if f.Has(Padded) && (f.Type == Headers || f.Type == PushPromise) {
		if len(p) == 0 {
			return errTooShort
		}
		f.Padding = 1 + int(p[0])
		p = p[1:]
	}
	switch {
	case f.Type == Headers && f.Has(HasPriority), f.Type == Priority:
		if len(p) < dependencyLength {
			return errTooShort
		}
		f.Priority = Dependency{Stream: number(p), Exclusive: p[0]&0x80 != 0, Weight: p[4]}
		p = p[dependencyLength:]
	case f.Type == PushPromise:
		if len(p) < 4 {
			return errTooShort
		}
		f.Promised, p = number(p), p[4:]
	case f.Type == RSTStream:
		f.Code, p = Code(binary.BigEndian.Uint32(p)), nil
	case f.Type == GoAway:
		f.LastID, f.Code, p = number(p), Code(binary.BigEndian.Uint32(p[4:])), p[8:]
	case f.Type == WindowUpdate:
		f.Increment, p = number(p), nil
	}
	if f.Padding > 0 {
		if f.Padding-1 > len(p) {
			return errPadding
		}
		p = p[:len(p)-f.Padding+1]
	}
	f.Body = p
	return nil
}

// checkValues returns the fault of a value in a whole frame, or nil.
func (f *Frame) checkValues() *Fault {
	switch {
	case f.Type == WindowUpdate && f.Increment == 0 && f.Stream == 0:
		return errIncrement
	case f.Type == WindowUpdate && f.Increment == 0:
		return errIncrement.onStream(f.Stream)
	case f.Type == Settings:
		for s := range f.Settings() {
			if fault := s.check(); fault != nil {
				return fault
			}
		}
	}
	return nil
}
