package adapt

import (
	"bytes"
)

// Whole reports whether raw is one header block: lines that end with CRLF, the
// last one empty.
func Whole(raw []byte) bool {
	return len(raw) > 4 && bytes.Index(raw, []byte("\r\n\r\n")) == len(raw)-4 && bytes.Count(raw, []byte("\n")) == bytes.Count(raw, []byte("\r\n"))
}

// ParseLoosely reads a block that a service made: how the body is framed there
// is of no account, for it is framed anew.
func ParseLoosely(raw []byte, kind Kind) (h Head, word string) {
	plain := WithoutFraming(raw)
	if kind == Request {
		h, word = ParseRequest(plain)
	} else {
		h, word = ParseResponse(plain)
	}
	h.Raw = raw
	if n, ok := ParseLength(Find(raw, "content-length")); ok {
		h.Length = n
	}
	return h, word
}

// Find returns the value of the first field with the lower-case name, nil
// without.
func Find(raw []byte, name string) []byte {
	for line := range Fields(raw) {
		if c := bytes.IndexByte(line, ':'); c == len(name) && Equal(line[:c], name) {
			return Trim(line[c+1:])
		}
	}
	return nil
}

// Fields yields the field lines of a header block without their CRLF.
func Fields(raw []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		i := bytes.IndexByte(raw, '\n')
		for p := raw[i+1:]; len(p) > 2; {
			i := bytes.IndexByte(p, '\n')
			if i < 1 || !yield(p[:i-1]) {
				return
			}
			p = p[i+1:]
		}
	}
}

// Count returns how many fields have the lower-case name.
func Count(raw []byte, name string) (n int) {
	for line := range Fields(raw) {
		if c := bytes.IndexByte(line, ':'); c == len(name) && Equal(line[:c], name) {
			n++
		}
	}
	return n
}

// WithoutFraming returns a copy of a block without transfer coding and length,
// with room for another.
func WithoutFraming(raw []byte) []byte {
	i := bytes.IndexByte(raw, '\n')
	dst := make([]byte, 0, len(raw)+48)
	dst = append(dst, raw[:i+1]...)
	for line := range Fields(raw) {
		if c := bytes.IndexByte(line, ':'); c > 0 && (Equal(line[:c], "transfer-encoding") || Equal(line[:c], "content-length")) {
			continue
		}
		dst = append(append(dst, line...), "\r\n"...)
	}
	return append(dst, "\r\n"...)
}
