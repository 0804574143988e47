package line

import "bytes"

// Blanks separate words in most protocols.
const Blanks = " \t\r\n"

// Word returns the first word of a line and what follows it, both without blanks
// around.
func Word(text []byte, blanks string) (word, rest []byte) {
	text = bytes.Trim(text, blanks)
	if end := bytes.IndexAny(text, blanks); end >= 0 {
		return text[:end], bytes.TrimLeft(text[end:], blanks)
	}
	return text, nil
}

// Is compares a word in any case with a name, which is ASCII.
func Is(word []byte, name string) bool {
	return len(word) == len(name) && bytes.EqualFold(word, []byte(name))
}

// CouldBe reports whether a line, perhaps incomplete, begins with the word name, or
// could when it goes on. Blanks in front do not matter.
func CouldBe(text []byte, name, blanks string) bool {
	text = bytes.TrimLeft(text, blanks)
	if len(text) <= len(name) {
		return bytes.EqualFold(text, []byte(name[:len(text)]))
	}
	word, _ := Word(text, blanks)
	return Is(word, name)
}

// Code reads the three digits at the beginning of a reply of SMTP or FTP, with or
// without its end (RFC 5321, Section 4.2; RFC 959, Section 4.2). last is false if a
// minus follows them. ok is false for a line of another form.
func Code(text []byte) (code int, last bool, rest []byte, ok bool) {
	text = bytes.TrimRight(text, "\r\n")
	if len(text) < 3 {
		return 0, false, nil, false
	}
	for _, c := range text[:3] {
		if c < '0' || c > '9' {
			return 0, false, nil, false
		}
		code = code*10 + int(c-'0')
	}
	if len(text) == 3 {
		return code, true, nil, true
	}
	last = text[3] == ' '
	return code, last, text[4:], last || text[3] == '-'
}
