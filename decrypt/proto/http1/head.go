package http1

import "bytes"

// MaxHead is how long heads are in practice at most, in octets. Readers that hold
// heads use it as their bound.
const MaxHead = 64 << 10

// Head finds the end of a head whose octets come in pieces. The zero value is at
// the beginning of a head.
type Head struct {
	scanned int // octets that were looked at
	line    int // where the line begins that goes on at scanned
}

// End looks for the empty line that ends a head. It borrows b: the octets of the
// head from the first on, at least those of the calls before. n is the length of
// the head with its empty line; 0 while it goes on. If b begins with the empty line
// itself, n is the length of that line. After n > 0 the Head is at the beginning of
// the next head.
//
// If the mode is [Strict], a line that ends with LF alone is a fault.
func (h *Head) End(b []byte, m Mode) (n int, fault Fault) {
	for {
		i := bytes.IndexByte(b[h.scanned:], '\n')
		if i < 0 {
			h.scanned = len(b)
			return 0, Sound
		}
		i += h.scanned
		end := i
		if end > h.line && b[end-1] == '\r' {
			end--
		} else if m == Strict {
			return 0, BareLF
		}
		if end == h.line {
			*h = Head{}
			return i + 1, Sound
		}
		h.scanned, h.line = i+1, i+1
	}
}

// EmptyLines returns how many octets of empty lines b begins with. A server ignores
// them before a request (RFC 9112, Section 2.2).
func EmptyLines(b []byte) int {
	for i, c := range b {
		if classes[c]&lineEnd == 0 {
			return i
		}
	}
	return len(b)
}

// cutLine returns the first line of b without its end, its length with the end, and
// whether it ends with LF alone. n is 0 if b holds no whole line.
func cutLine(b []byte) (line []byte, n int, bare bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, 0, false
	}
	if i > 0 && b[i-1] == '\r' {
		return b[:i-1], i + 1, false
	}
	return b[:i], i + 1, true
}
