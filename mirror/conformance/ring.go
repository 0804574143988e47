package conformance

// ring holds the last octets of a direction, to compare retransmissions with them. Not
// every direction has one: their number is bounded.
type ring struct {
	octets [ringSize]byte
	from   uint32 // sequence number of the first octet held
	next   *ring
}

const (
	ringSize = 4 << 10
	maxRings = 16 << 10 // 64 MiB
)

// newRing returns an empty ring, nil if there are too many.
func (t *table) newRing() *ring {
	if r := t.free; r != nil {
		t.free, r.next = r.next, nil
		return r
	}
	if t.rings >= t.maxRings {
		return nil
	}
	t.rings++
	return new(ring)
}

// recycle takes a ring back. nil is allowed.
func (t *table) recycle(r *ring) {
	if r != nil {
		r.next, t.free = t.free, r
	}
}

// add appends p, whose first octet has sequence number seq, which must be the
// one after the last.
func (r *ring) add(seq uint32, p []byte) {
	if skip := len(p) - ringSize; skip > 0 {
		p, seq = p[skip:], seq+uint32(skip)
		r.from = seq
	}
	n := copy(r.octets[seq%ringSize:], p)
	copy(r.octets[:], p[n:])
	if end := seq + uint32(len(p)); end-r.from > ringSize {
		r.from = end - ringSize
	}
}

// differs compares p, at sequence number seq, with what is held of it up to
// next. It returns whether an octet differs.
func (r *ring) differs(seq, next uint32, p []byte) bool {
	for i := range p {
		at := seq + uint32(i)
		if seqBefore(at, r.from) || !seqBefore(at, next) {
			continue
		}
		if r.octets[at%ringSize] != p[i] {
			return true
		}
	}
	return false
}

// seqBefore compares sequence numbers, RFC 9293, Section 3.4.
func seqBefore(a, b uint32) bool { return int32(a-b) < 0 }
