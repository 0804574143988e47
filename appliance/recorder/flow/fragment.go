package flow

import "time"

const (
	maxDatagrams  = 1000 // in fragments, that wait
	maxParts      = 64   // of one datagram
	maxDatagram   = 65535
	fragmentLives = int64(30 * time.Second) // RFC 791, Section 3.2: 15 s at least
)

// fragmentKey tells fragments of one datagram from others.
type fragmentKey struct {
	src, dst [16]byte
	id       uint32
	protocol uint8
	v6       bool
}

// waiting is a datagram of which parts are there.
type waiting struct {
	parts []part
	total int // -1: the last part is not there
	since int64
}

type part struct {
	at     int
	octets []byte
}

// fragments puts IP fragments together. Parts that overlap differ on purpose: the datagram
// is given up (RFC 5722).
type fragments struct {
	now     int64 // of the capture, in nanoseconds
	waiting map[fragmentKey]*waiting
	lost    uint64 // datagrams that were never complete
}

// add takes a part, which it copies, and returns the datagram if it is complete.
func (f *fragments) add(k fragmentKey, at int, p []byte, more bool) []byte {
	w := f.waiting[k]
	if w != nil && f.now-w.since > fragmentLives {
		f.drop(k)
		w = nil
	}
	if w == nil {
		w = f.begin(k)
	}
	if at+len(p) > maxDatagram || len(w.parts) == maxParts || !w.insert(at, p) {
		f.drop(k)
		return nil
	}
	if !more {
		w.total = at + len(p)
	}
	whole := w.whole()
	if whole != nil {
		delete(f.waiting, k)
	}
	return whole
}

// begin makes room for another datagram: the oldest goes.
func (f *fragments) begin(k fragmentKey) *waiting {
	if f.waiting == nil {
		f.waiting = make(map[fragmentKey]*waiting)
	}
	if len(f.waiting) >= maxDatagrams {
		var oldest fragmentKey
		since := int64(1<<63 - 1)
		for key, w := range f.waiting {
			if w.since < since {
				oldest, since = key, w.since
			}
		}
		f.drop(oldest)
	}
	w := &waiting{total: -1, since: f.now}
	f.waiting[k] = w
	return w
}

func (f *fragments) drop(k fragmentKey) {
	delete(f.waiting, k)
	f.lost++
}

// insert adds a part, and reports whether it does not overlap another one. The same part
// twice is none.
func (w *waiting) insert(at int, p []byte) bool {
	i := 0
	for ; i < len(w.parts); i++ {
		o := w.parts[i]
		if o.at == at && string(o.octets) == string(p) {
			return true
		}
		if at < o.at+len(o.octets) && o.at < at+len(p) {
			return false
		}
		if o.at > at {
			break
		}
	}
	w.parts = append(w.parts, part{})
	copy(w.parts[i+1:], w.parts[i:])
	w.parts[i] = part{at, append([]byte(nil), p...)}
	return true
}

// whole returns the datagram, nil if parts are missing.
func (w *waiting) whole() []byte {
	if w.total < 0 {
		return nil
	}
	next := 0
	for _, p := range w.parts {
		if p.at != next {
			return nil
		}
		next += len(p.octets)
	}
	if next != w.total {
		return nil
	}
	whole := make([]byte, 0, w.total)
	for _, p := range w.parts {
		whole = append(whole, p.octets...)
	}
	return whole
}
