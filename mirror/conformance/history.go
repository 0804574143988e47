package conformance

// history holds the last octets of a direction, so that those sent again can
// be compared. Not every direction has one: their number is bounded.
type history struct {
	octets [historySize]byte
	from   uint32 // sequence number of the first octet held
	next   *history
}

const (
	historySize = 4 << 10
	maxRings    = 16 << 10 // 64 MiB
)

// ring returns an empty history, nil if there are too many.
func (t *table) ring() *history {
	if h := t.free; h != nil {
		t.free, h.next = h.next, nil
		return h
	}
	if t.rings >= t.maxRings {
		return nil
	}
	t.rings++
	return new(history)
}

// recycle takes a history back. nil is allowed.
func (t *table) recycle(h *history) {
	if h != nil {
		h.next, t.free = t.free, h
	}
}

// add appends p, whose first octet has sequence number seq, which must be the
// one after the last.
func (h *history) add(seq uint32, p []byte) {
	if skip := len(p) - historySize; skip > 0 {
		p, seq = p[skip:], seq+uint32(skip)
		h.from = seq
	}
	n := copy(h.octets[seq%historySize:], p)
	copy(h.octets[:], p[n:])
	if end := seq + uint32(len(p)); end-h.from > historySize {
		h.from = end - historySize
	}
}

// differs compares p, at sequence number seq, with what is held of it up to
// next. It returns whether an octet differs.
func (h *history) differs(seq, next uint32, p []byte) bool {
	for i := range p {
		at := seq + uint32(i)
		if before(at, h.from) || !before(at, next) {
			continue
		}
		if h.octets[at%historySize] != p[i] {
			return true
		}
	}
	return false
}

// before compares sequence numbers, RFC 9293, Section 3.4.
func before(a, b uint32) bool { return int32(a-b) < 0 }
