package extract

import (
	"bytes"
	"html"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// unescaped returns a text with the characters that JSON and XML write as numbers. Many
// programs write all beyond ASCII so. Ends of lines within texts of JSON become such. Other
// signs that mean something to these forms stay.
func unescaped(p []byte) []byte {
	head := bytes.TrimSpace(p[:min(len(p), 256)])
	switch {
	case len(head) == 0:
		return p
	case head[0] == '<' && bytes.Contains(p, []byte("&#")):
		return []byte(html.UnescapeString(string(p)))
	case (head[0] == '{' || head[0] == '[' || head[0] == '"') && (bytes.Contains(p, []byte(`\u`)) || bytes.Contains(p, []byte(`\n`))):
		return unescapedJSON(p)
	}
	return p
}

// unescapedJSON replaces \u and four digits, pairs of surrogates, too (RFC 8259, section 7).
func unescapedJSON(p []byte) []byte {
	out := make([]byte, 0, len(p))
	for i := 0; i < len(p); {
		if p[i] != '\\' || i+1 == len(p) {
			out = append(out, p[i])
			i++
			continue
		}
		if c := whites[p[i+1]]; c != 0 {
			out = append(out, c)
			i += 2
			continue
		}
		c, n := unit(p[i:])
		if utf16.IsSurrogate(c) {
			low, m := unit(p[i+n:])
			if pair := utf16.DecodeRune(c, low); pair != utf8.RuneError {
				c, n = pair, n+m
			}
		}
		if n == 0 || c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == '"' || c == '\\' {
			out = append(out, p[i], p[i+1])
			i += 2
			continue
		}
		out = utf8.AppendRune(out, c)
		i += n
	}
	return out
}

// whites are escapes of white space.
var whites = [256]byte{'n': '\n', 'r': '\r', 't': '\t'}

// unit reads \u and four digits: a unit of UTF-16, and how many octets it takes; 0: it is none.
func unit(p []byte) (rune, int) {
	if len(p) < 6 || p[0] != '\\' || p[1] != 'u' {
		return 0, 0
	}
	v, err := strconv.ParseUint(string(p[2:6]), 16, 16)
	if err != nil {
		return 0, 0
	}
	return rune(v), 6
}
