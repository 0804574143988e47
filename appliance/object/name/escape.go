package name

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// escapes are what browsers write in names for octets that end a quoted string (WHATWG HTML,
// "multipart/form-data encoding algorithm").
var escapes = strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n")

// lenient takes off the escapes that senders put into a plain name: percent-encoding of a
// text beyond ASCII, that of browsers, and the numeric references that browsers write for
// characters that the charset of a form lacks.
func lenient(v string) string {
	if strings.Contains(v, "%") {
		if p := string(Percent(v)); utf8.ValidString(p) && strings.IndexFunc(p, func(r rune) bool { return r >= 0x80 }) >= 0 && isASCII(v) {
			v = p
		} else {
			v = escapes.Replace(v)
		}
	}
	return references(v)
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 }

// references reads &#12345; and nothing else.
func references(s string) string {
	var out strings.Builder
	for {
		at := strings.Index(s, "&#")
		if at < 0 {
			break
		}
		digits, rest, closed := strings.Cut(s[at+2:], ";")
		n, err := strconv.ParseUint(digits, 10, 21)
		out.WriteString(s[:at])
		if r := rune(n); closed && err == nil && n > 0 && utf8.ValidRune(r) {
			out.WriteRune(r)
			s = rest
		} else {
			out.WriteString("&#")
			s = s[at+2:]
		}
	}
	out.WriteString(s)
	return out.String()
}
