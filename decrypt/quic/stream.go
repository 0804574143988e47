package quic

import (
	"bytes"
	"slices"
)

const (
	maxStream = 16 << 10 // octets of the CRYPTO stream, which is the hello, or two
	maxSpans  = 256      // parts of it that do not touch
)

// span is a part of a stream, from its first octet to the one behind its last.
type span struct{ from, to int }

// stream puts the CRYPTO frames of a connection together. The zero value is ready.
type stream struct {
	data  []byte // without meaning outside of spans
	spans []span // in order; no two overlap or touch
}

// add takes the data of a frame. It borrows p. The state is Whole, or Excess, or
// Malformed if p says something else than what was said before: two readers could
// understand two things then.
func (s *stream) add(offset uint64, p []byte) State {
	if offset > maxStream || offset+uint64(len(p)) > maxStream {
		return Excess
	}
	if len(p) == 0 {
		return Whole
	}
	from, to := int(offset), int(offset)+len(p)
	first, _ := slices.BinarySearchFunc(s.spans, from, func(s span, from int) int { return s.to - from })
	merged, last := span{from, to}, first
	for ; last < len(s.spans) && s.spans[last].from <= to; last++ {
		old := s.spans[last]
		low, high := max(old.from, from), min(old.to, to)
		if low < high && !bytes.Equal(s.data[low:high], p[low-from:high-from]) {
			return Malformed
		}
		merged.from, merged.to = min(merged.from, old.from), max(merged.to, old.to)
	}
	if to > len(s.data) {
		s.data = slices.Grow(s.data, to-len(s.data))[:to]
	}
	copy(s.data[from:to], p)
	s.spans = slices.Replace(s.spans, first, last, merged)
	if len(s.spans) > maxSpans {
		return Excess
	}
	return Whole
}

// prefix returns the octets from the first on that are there without a gap; they are
// the stream's.
func (s *stream) prefix() []byte {
	if len(s.spans) == 0 || s.spans[0].from != 0 {
		return nil
	}
	return s.data[:s.spans[0].to]
}

// gap reports whether octets are missing before the last one.
func (s *stream) gap() bool { return len(s.spans) > 1 || len(s.spans) == 1 && s.spans[0].from != 0 }

// Types of frames that a client may send in Initial packets (RFC 9000, Section 12.4).
const (
	framePadding = 0x00
	framePing    = 0x01
	frameACK     = 0x02
	frameACKECN  = 0x03
	frameCrypto  = 0x06
	frameClose   = 0x1c // of the transport; applications have nothing to close yet
)

// frames takes the frames of a packet. It borrows b. The state is Whole, or Malformed
// if there are frames that have no place in an Initial packet, or Excess.
func (s *stream) frames(b []byte) State {
	r := reader(b)
	for len(r) > 0 {
		kind, ok := r.varint()
		if !ok {
			return Malformed
		}
		switch kind {
		case framePadding, framePing:
		case frameACK, frameACKECN:
			ok = r.ack(kind == frameACKECN)
		case frameCrypto:
			offset, sized := r.varint()
			length, long := r.varint()
			if !sized || !long || length > uint64(len(r)) {
				return Malformed
			}
			data, _ := r.take(int(length))
			if state := s.add(offset, data); state != Whole {
				return state
			}
		case frameClose:
			ok = r.varints(2) // error code, type of the frame
			length, long := r.varint()
			ok = ok && long && r.skip(length) // reason phrase
		default:
			return Malformed
		}
		if !ok {
			return Malformed
		}
	}
	return Whole
}

// ack takes the rest of an ACK frame (RFC 9000, Section 19.3).
func (r *reader) ack(ecn bool) bool {
	if !r.varints(2) { // largest acknowledged, delay
		return false
	}
	ranges, ok := r.varint()
	if !ok || ranges > uint64(len(*r)) || !r.varints(1+2*int(ranges)) {
		return false
	}
	return !ecn || r.varints(3)
}

func (r *reader) varints(n int) bool {
	for range n {
		if _, ok := r.varint(); !ok {
			return false
		}
	}
	return true
}
