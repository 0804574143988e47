// Package line finds lines in octets that come in pieces of any size.
//
// A line ends with LF. A CR before that LF belongs to the end, so CRLF and a bare LF
// are one thing here. A bare CR is an octet of its line and ends nothing. What a bare
// LF or CR means is for the reader of the protocol to say.
package line

import "bytes"

// Buffer puts lines of one direction together. It copies only lines that come in
// pieces or that are too long. The zero value keeps nothing of such lines: set Head.
// A Buffer is not safe for concurrent use.
type Buffer struct {
	Head int // octets kept of the beginning of a line
	Tail int // octets kept of the end of a line that is longer than Head and Tail

	kept []byte
	more bool // the line at hand goes on
}

// Next takes a line, or a part of one, off p, which it borrows until the next call.
// It returns the number of octets taken. If whole is set, text is the line with its
// end. If the line has over Head and Tail octets, text is its beginning and its end.
// A whole line of p is text itself: it is valid as long as p and until the next call.
func (b *Buffer) Next(p []byte) (text []byte, n int, whole bool) {
	n = bytes.IndexByte(p, '\n') + 1
	whole = n > 0
	if !whole {
		n = len(p)
	}
	if !b.more {
		b.kept = b.kept[:0]
		if whole && n <= b.Head+b.Tail {
			return p[:n], n, true
		}
	}
	b.keep(p[:n])
	b.more = !whole && (b.more || n > 0)
	if !whole {
		return nil, n, false
	}
	return b.kept, n, true
}

// Partial reports whether a part of a line was taken.
func (b *Buffer) Partial() bool { return b.more }

// keep appends a part of a line, and drops the middle of one that is too long.
func (b *Buffer) keep(p []byte) {
	if head := b.Head - len(b.kept); head > 0 {
		n := min(head, len(p))
		b.kept, p = append(b.kept, p[:n]...), p[n:]
	}
	if len(p) >= b.Tail {
		b.kept, p = b.kept[:min(len(b.kept), b.Head)], p[len(p)-b.Tail:]
	}
	if over := len(b.kept) + len(p) - b.Head - b.Tail; over > 0 {
		end := b.kept[b.Head:]
		b.kept = b.kept[:b.Head+copy(end, end[over:])]
	}
	b.kept = append(b.kept, p...)
}

// Trim returns a line without its end, which is LF or CRLF.
func Trim(text []byte) []byte {
	text, ended := bytes.CutSuffix(text, []byte("\n"))
	if ended {
		text = bytes.TrimSuffix(text, []byte("\r"))
	}
	return text
}
