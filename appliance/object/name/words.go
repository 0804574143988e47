package name

import (
	"encoding/base64"
	"strings"
)

// Text reads the value of a header field: its encoded words (RFC 2047), and octets beyond
// ASCII. Words that are next to each other are joined before they are decoded, so that a
// character that is cut between two is whole. Words within quotes are read, too.
func Text(value string) string {
	var out strings.Builder
	var octets []byte // of words with one charset
	charset := ""
	flush := func() {
		if len(octets) > 0 {
			out.WriteString(Decode(charset, octets))
		}
		octets, charset = nil, ""
	}
	for rest := value; rest != ""; {
		at := strings.Index(rest, "=?")
		if at < 0 {
			flush()
			out.WriteString(plain(rest))
			break
		}
		between := rest[:at]
		set, word, n, ok := word(rest[at:])
		if !ok {
			flush()
			out.WriteString(plain(rest[:at+2]))
			rest = rest[at+2:]
			continue
		}
		if strings.Trim(between, " \t\r\n") != "" || len(octets) == 0 {
			flush()
			out.WriteString(plain(between))
		}
		if !strings.EqualFold(set, charset) {
			flush()
		}
		charset, octets = set, append(octets, word...)
		rest = rest[at+n:]
	}
	if len(octets) > 0 {
		flush()
	}
	return out.String()
}

// plain is text without encoded words.
func plain(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] == 0x1b {
			return guess([]byte(s))
		}
	}
	return s
}

// maxWord bounds an encoded word. Senders exceed the 75 octets of RFC 2047.
const maxWord = 2000

// word reads the encoded word at the beginning of s, and returns its length there.
func word(s string) (charset string, octets []byte, n int, ok bool) {
	part := strings.SplitN(s[2:min(len(s), maxWord)], "?", 4)
	if len(part) < 4 || len(part[1]) != 1 {
		return "", nil, 0, false
	}
	if !strings.HasPrefix(part[3], "=") {
		return "", nil, 0, false
	}
	charset, _, _ = strings.Cut(part[0], "*") // a language, RFC 2231, Section 5
	switch part[1] {
	case "B", "b":
		octets, ok = unbase64(part[2])
	case "Q", "q":
		octets, ok = unquote(part[2]), true
	}
	return charset, octets, 2 + len(part[0]) + 1 + 1 + 1 + len(part[2]) + 2, ok
}

// unbase64 reads base64 with or without padding.
func unbase64(s string) ([]byte, bool) {
	s = strings.TrimRight(s, "= ")
	p, err := base64.RawStdEncoding.DecodeString(s)
	return p, err == nil
}

// unquote reads the Q encoding, RFC 2047, Section 4.2.
func unquote(s string) []byte {
	p := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			p = append(p, ' ')
		case c == '=' && i+2 < len(s) && HexDigit(s[i+1]) < 16 && HexDigit(s[i+2]) < 16:
			p = append(p, HexDigit(s[i+1])<<4|HexDigit(s[i+2]))
			i += 2
		default:
			p = append(p, c)
		}
	}
	return p
}

// HexDigit returns the value of a hexadecimal digit, 16 for others.
func HexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

// Percent reads percent-encoded octets, as in URLs. What is no encoding stays.
func Percent(s string) []byte {
	p := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && HexDigit(s[i+1]) < 16 && HexDigit(s[i+2]) < 16 {
			p = append(p, HexDigit(s[i+1])<<4|HexDigit(s[i+2]))
			i += 2
			continue
		}
		p = append(p, s[i])
	}
	return p
}
