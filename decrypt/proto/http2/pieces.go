package http2

// pass has the frame with a fault passed over, if that is all it takes.
func (r *Reader) pass(h Header, fault *Fault) *Fault {
	if r.mode == Loose && r.stream == 0 && !h.bearsBlock() && h.Type != Data && !fault.Passed {
		forgiven := *fault
		forgiven.Passed = true
		fault = &forgiven
	}
	if fault.Passed {
		r.content, r.padding, r.silent = h.Length, 0, true
		if len(r.held) == 0 {
			r.content += HeaderLength // which is in p still
		}
		r.pieces = r.content > 0
		r.unit, r.over = r.held, true
	}
	return fault
}

// begin begins a frame that comes in pieces. octets are those of it that were read.
func (r *Reader) begin(octets []byte) *Fault {
	f := &r.frame
	if f.Type == Data && f.Has(Padded) {
		if f.Length == 0 {
			return errTooShort
		}
		if f.Padding = 1 + int(octets[HeaderLength]); f.Padding > f.Length {
			return errPadding
		}
	}
	r.content, r.padding = f.Length-f.Padding, max(f.Padding-1, 0)
	r.silent = false
	return nil
}

// firstPiece takes the octets behind the beginning of such a frame, unless that
// beginning is in held: then Unit could not return both. It reports how many octets of p
// were taken, n of them before.
func (r *Reader) firstPiece(p, beginning []byte, direct bool, n int) int {
	if direct {
		_, n = r.piece(p[len(beginning):])
		n += len(beginning)
		r.unit = p[:n]
	} else {
		r.piece(nil)
		r.unit = r.held
	}
	r.frame.First, r.over = true, true
	return n
}

// piece takes octets of a frame that comes in pieces.
func (r *Reader) piece(p []byte) (*Frame, int) {
	n := min(r.content, len(p))
	r.frame.Body, r.frame.First = p[:n], false
	r.content -= n
	if r.content == 0 {
		padding := min(r.padding, len(p)-n)
		r.padding -= padding
		n += padding
	}
	r.pieces = r.content > 0 || r.padding > 0
	r.frame.Last = !r.pieces
	if r.silent {
		return nil, n
	}
	return &r.frame, n
}

// Skip passes over n octets that are lost. ok is false unless all of them belong to a
// frame that comes in pieces and of which the beginning was read: after a false, the
// reader is of no more use. f is the frame without a Body, and content is how many of
// the octets are content. f is nil if the frame is passed over.
func (r *Reader) Skip(n uint64) (f *Frame, content uint64, ok bool) {
	if !r.pieces || n > uint64(r.content+r.padding) {
		return nil, 0, false
	}
	r.Release()
	content = min(uint64(r.content), n)
	r.content -= int(content)
	r.padding -= int(n - content)
	r.pieces = r.content > 0 || r.padding > 0
	r.frame.Body, r.frame.First, r.frame.Last = nil, false, !r.pieces
	if r.silent {
		return nil, 0, true
	}
	return &r.frame, content, true
}
