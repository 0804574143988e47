package http2

import "github.com/clearspan/clearspan/decrypt/proto"

// Reader takes one direction of a connection apart. It is not safe for concurrent use.
//
// It holds octets of its own only for frames that come in pieces and have to be read
// whole, and for header blocks of several frames; see [Limits]. Between frames it
// holds none, see [Reader.Release].
type Reader struct {
	dir     proto.Direction
	mode    Mode
	limits  Limits
	preface int  // octets of the preface that are due
	begun   bool // the first frame, SETTINGS, has come
	skips   bool // see SkipBlocks

	held   []byte // octets of a unit that the caller's do not hold whole
	start  int    // of its last frame in held
	stream uint32 // whose header block goes on; 0: none
	frames int    // of that block
	unit   []byte // see Unit
	over   bool   // unit is complete: held is free

	frame   Frame
	content int  // octets of a frame in pieces that are due
	padding int  // and of its padding
	pieces  bool // such a frame is under way
	silent  bool // it is passed over
}

// Kept memory of a reader between frames, in octets.
const spare = 4 << 10

// SkipBlocks has header blocks pass in pieces, undecoded, for readers that only count
// streams. It is for good.
func (r *Reader) SkipBlocks() { r.skips = true }

// Unit returns the octets of the frame that [Reader.Next] returned last: of the whole
// frame, of all frames of a header block, or of a first piece with all before it. If
// Next returned no frame, it is what the reader holds. If Next returned an error, Unit
// and the octets of p behind n begin with the faulty frame or block. Unit is valid
// until the next call of Next or Release.
func (r *Reader) Unit() []byte {
	if r.over {
		return r.unit
	}
	return r.held
}

// Next reads what p begins with, and reports how many octets it has taken. It borrows p,
// and a frame's Body may be a part of it. The frame is nil if p holds no whole one, or if
// the preface or a faulty frame was passed over: then the caller comes again with what
// is left of p, and with more octets. Next does not allocate for content.
//
// An error is a [*Fault]. If it is not [Fault.Passed], the reader is of no more use.
func (r *Reader) Next(p []byte) (f *Frame, n int, err error) {
	r.Release()
	switch {
	case len(p) == 0:
		return nil, 0, nil
	case r.pieces:
		f, n = r.piece(p)
		return f, n, nil
	case r.preface > 0:
		return r.takePreface(p)
	}
	f, n, fault := r.next(p)
	if fault != nil {
		return nil, n, fault
	}
	return f, n, nil
}

// Release forgets the frame that Next returned last, with the memory that it took. Next
// does so, too: call Release if no more octets are at hand.
func (r *Reader) Release() {
	if r.over {
		r.release()
	}
}

// release empties held.
func (r *Reader) release() {
	r.held, r.start, r.unit, r.over = r.held[:0], 0, nil, false
	r.stream, r.frames = 0, 0
	if cap(r.held) > spare {
		r.held = nil
	}
}

// takePreface consumes the connection preface.
func (r *Reader) takePreface(p []byte) (*Frame, int, error) {
	n := min(r.preface, len(p))
	if due := Preface[len(Preface)-r.preface:]; string(p[:n]) != due[:n] {
		return nil, 0, ErrPreface
	}
	r.held = append(r.held, p[:n]...)
	if r.preface -= n; r.preface == 0 {
		r.release()
	}
	return nil, n, nil
}

// next reads a frame from its beginning. With a fault, n is the octets that were moved
// to held.
func (r *Reader) next(p []byte) (f *Frame, n int, fault *Fault) {
	head, n := r.gather(p, 0, HeaderLength)
	if head == nil {
		return nil, n, nil
	}
	h := ParseHeader(head)
	if fault := r.admit(h); fault != nil {
		return nil, n, r.pass(h, fault)
	}
	octets, n := r.gather(p, n, r.needs(h))
	if octets == nil {
		return nil, n, nil
	}
	r.begun = true
	r.frame = Frame{Header: h}
	direct := len(r.held) == r.start
	if !r.whole(h) {
		if fault := r.begin(octets); fault != nil {
			return nil, n, fault
		}
		return &r.frame, r.firstPiece(p, octets, direct, n), nil
	}
	f, fault = r.takeWhole(octets, direct)
	if direct && (fault == nil || fault.Passed) {
		n = len(octets)
	}
	return f, n, fault
}

// needs returns how many octets of a frame have to be there before it is returned.
func (r *Reader) needs(h Header) int {
	switch {
	case r.whole(h):
		return HeaderLength + h.Length
	case h.Type == Data && h.Has(Padded) && h.Length > 0:
		return HeaderLength + 1 // the length of the padding
	}
	return HeaderLength
}

// gather returns the first want octets of the frame that begins in held, or in p where
// held has none of it. It moves octets of p to held only if p does not hold the frame
// alone; n is how many were moved, those before included. It returns nil if there are
// less than wanted.
func (r *Reader) gather(p []byte, moved, want int) (octets []byte, n int) {
	have := len(r.held) - r.start
	if have == 0 && len(p) >= want {
		return p[:want], 0
	}
	if more := min(want-have, len(p)-moved); more > 0 {
		r.held = append(r.held, p[moved:moved+more]...)
		moved += more
	}
	if len(r.held)-r.start < want {
		return nil, moved
	}
	return r.held[r.start : r.start+want], moved
}

// takeWhole takes a frame that was read whole. It returns nil inside a header block.
func (r *Reader) takeWhole(octets []byte, direct bool) (*Frame, *Fault) {
	f := &r.frame
	fault := f.parse(octets[HeaderLength:])
	if fault == nil && r.mode == Strict {
		fault = f.checkValues()
	}
	switch {
	case fault != nil && !fault.Passed:
		return nil, fault
	case !f.bearsBlock():
		r.unit, r.over = octets, true
		if fault != nil {
			f = nil
		}
		return f, fault
	case f.Has(EndHeaders) && r.frames == 0:
		r.unit, r.over = octets, true
		return f, nil
	}
	if direct {
		r.held = append(r.held, octets...)
	}
	if !f.Has(EndHeaders) {
		r.start, r.stream = len(r.held), f.Stream
		r.frames++
		return nil, nil
	}
	r.unit, r.over = r.held, true
	*f = Frame{Header: ParseHeader(r.unit)}
	end := HeaderLength + f.Length
	f.rest = r.unit[end:]
	return f, f.parse(r.unit[HeaderLength:end])
}
