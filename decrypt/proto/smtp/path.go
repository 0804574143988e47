package smtp

import "bytes"

// Path is the argument of MAIL or RCPT (RFC 5321, Section 4.1.2). Its parts refer to
// the line.
type Path struct {
	Address    []byte // what the brackets hold; empty for the null sender
	Parameters []byte // what follows them (Section 4.1.2, Mail-parameters)
}

// ParsePath reads FROM:<address> or TO:<address> with parameters. It accepts blanks
// around the colon and an address without brackets, as many servers do. A quoted local
// part may hold any character, also a bracket. ok is false without a colon.
func ParsePath(argument []byte) (p Path, ok bool) {
	_, rest, ok := bytes.Cut(argument, []byte(":"))
	if !ok {
		return p, false
	}
	rest = bytes.TrimLeft(rest, Blanks)
	end := bytes.IndexAny(rest, Blanks)
	if end < 0 {
		end = len(rest)
	}
	if open := bytes.IndexByte(rest[:end], '<'); open >= 0 { // perhaps behind a comment
		rest = rest[open+1:]
		end = closing(rest)
	}
	if end < 0 {
		return Path{Address: rest}, true
	}
	p.Address = rest[:end]
	p.Parameters = bytes.Trim(bytes.TrimPrefix(rest[end:], []byte(">")), Blanks)
	return p, true
}

// closing returns the index of the bracket that closes a path, -1 without one. Quotes
// and backslashes hide brackets (RFC 5321, Section 4.1.2, Quoted-string).
func closing(text []byte) int {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			return i
		}
	}
	return -1
}
