package http1

import "encoding/binary"

// Token reports whether p is a token (RFC 9110, Section 5.6.2).
func Token(p []byte) bool { return len(p) > 0 && tokenLen(p) == len(p) }

// tokenLen returns how many octets of a token p begins with.
func tokenLen(p []byte) int {
	for i, c := range p {
		if classes[c]&inToken == 0 {
			return i
		}
	}
	return len(p)
}

// Trim cuts optional white space from both ends (RFC 9110, Section 5.6.3).
func Trim(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t') {
		p = p[1:]
	}
	for len(p) > 0 && (p[len(p)-1] == ' ' || p[len(p)-1] == '\t') {
		p = p[:len(p)-1]
	}
	return p
}

// Is compares p with a word in lower case, whatever the case of p.
func Is(p []byte, word string) bool {
	if len(p) != len(word) {
		return false
	}
	for i, c := range p {
		if lower(c) != word[i] {
			return false
		}
	}
	return true
}

// HasPrefix reports whether p begins with a word in lower case, whatever the case of
// p.
func HasPrefix(p []byte, word string) bool { return len(p) >= len(word) && Is(p[:len(word)], word) }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// Plain says what is wrong with the octets of a line: [BareCR], [Control], or
// [Sound].
func Plain(p []byte) Fault {
	for len(p) >= 8 && !mayControl(binary.LittleEndian.Uint64(p)) {
		p = p[8:]
	}
	for _, c := range p {
		if classes[c]&control != 0 {
			if c == '\r' {
				return BareCR
			}
			return Control
		}
	}
	return Sound
}

// mayControl reports whether one of eight octets may be a control octet. It is right
// if it says no.
func mayControl(w uint64) bool {
	const each = 0x0101010101010101
	del := w ^ 0x7f*each
	return (w-' '*each)&^w&(0x80*each) != 0 || (del-each)&^del&(0x80*each) != 0
}

// ParseLength reads a Content-Length: digits alone, below 10^18.
func ParseLength(p []byte) (n int64, ok bool) {
	if len(p) == 0 || len(p) > 18 {
		return 0, false
	}
	for _, c := range p {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// Classes of octets.
const (
	inToken  = 1 << iota
	control  // no line may hold it
	space    // a lenient reader takes it for a blank (RFC 9112, Section 3)
	lineEnd  // CR or LF
	hostName // part of a host that is a name or an IPv4 address
)

var classes = func() (t [256]uint8) {
	for c := range 256 {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '-', c == '.', c == '_':
			t[c] = inToken | hostName
		case c >= 0x80:
			t[c] = hostName // names that are not encoded, as clients send them
		case c < ' ' && c != '\t', c == 0x7f:
			t[c] = control
		}
	}
	for _, c := range []byte("!#$%&'*+^`|~") {
		t[c] |= inToken
	}
	for _, c := range []byte(" \t\v\f\r") {
		t[c] |= space
	}
	t['\r'] |= lineEnd
	t['\n'] |= lineEnd
	return t
}()
