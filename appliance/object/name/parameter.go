package name

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parameters are those of a header field such as Content-Disposition, by their names in
// lower case, as they were sent.
type Parameters map[string]string

// maxParameters bounds the parameters of a field.
const maxParameters = 100

// Field reads a value and its parameters: `attachment; filename="a b.txt"`. The value is
// in lower case. Broken parts are read as far as they make sense.
func Field(field string) (value string, all Parameters) {
	value, rest, _ := strings.Cut(field, ";")
	all = make(Parameters)
	for rest != "" && len(all) < maxParameters {
		var key, text string
		rest = strings.TrimLeft(rest, "; \t\r\n")
		end := strings.IndexAny(rest, "=;")
		if end < 0 {
			break
		}
		key = strings.ToLower(strings.TrimSpace(rest[:end]))
		if rest[end] == ';' {
			rest = rest[end:]
			continue
		}
		text, rest = argument(strings.TrimLeft(rest[end+1:], " \t\r\n"))
		if _, twice := all[key]; !twice && key != "" {
			all[key] = text
		}
	}
	return strings.ToLower(strings.TrimSpace(value)), all
}

// argument reads a token or a quoted string, and returns what is behind it. Browsers
// write \" and %22 for a quote in a name, and a \ of a path without another one: it is an
// escape only in front of a quote or itself, and never the second octet of a character.
func argument(s string) (text, rest string) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexByte(s, ';')
		if end < 0 {
			end = len(s)
		}
		return strings.TrimSpace(s[:end]), s[end:]
	}
	var b strings.Builder
	utf := utf8.ValidString(s)
	for i := 1; i < len(s); i++ {
		if n := double(s[i:], utf); n > 0 {
			b.WriteString(s[i : i+n])
			i += n - 1
			continue
		}
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case c == '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "" // the quote is not closed
}

// double returns how many octets at the start of s belong to characters of which a later
// octet looks like a quote or a backslash: what ISO-2022-JP puts between two escape
// sequences, and a character of Shift_JIS, which is not UTF-8, with a backslash.
func double(s string, utf bool) int {
	if strings.HasPrefix(s, "\x1b$") {
		return max(strings.Index(s, "\x1b("), 0)
	}
	if !utf && len(s) > 1 && s[1] == '\\' && (s[0] >= 0x81 && s[0] <= 0x9f || s[0] >= 0xe0 && s[0] <= 0xfc) {
		return 2
	}
	return 0
}

// Value returns a parameter as text, and as it was sent: `key*` with a charset (RFC 5987),
// the pieces `key*0`, `key*1*` (RFC 2231) joined before they are decoded, or `key`, in
// which encoded words, octets of any charset and escapes are read.
func (p Parameters) Value(key string) (text, raw string) {
	if v, ok := p[key+"*"]; ok {
		charset, octets := extended(v)
		return Decode(charset, octets), v
	}
	if text, raw, ok := p.pieces(key); ok {
		return text, raw
	}
	v := p[key]
	return lenient(Text(v)), v
}

// extended reads charset'language'octets, the octets percent-encoded.
func extended(v string) (charset string, octets []byte) {
	part := strings.SplitN(v, "'", 3)
	if len(part) < 3 {
		return "", Percent(v)
	}
	return part[0], Percent(part[2])
}

// pieces joins the parameter's pieces. A star behind the number says that the piece is
// percent-encoded; the first such piece has the charset.
func (p Parameters) pieces(key string) (text, raw string, ok bool) {
	type piece struct {
		number  int
		encoded bool
		value   string
	}
	var list []piece
	for k, v := range p {
		number, found := strings.CutPrefix(k, key+"*")
		if !found {
			continue
		}
		number, encoded := strings.CutSuffix(number, "*")
		if n, err := strconv.Atoi(number); err == nil && n >= 0 {
			list = append(list, piece{n, encoded, v})
		}
	}
	if len(list) == 0 {
		return "", "", false
	}
	slices.SortFunc(list, func(a, b piece) int { return a.number - b.number })
	var octets []byte
	charset := ""
	for i, one := range list {
		if one.number != i {
			break // a piece is missing
		}
		raw += one.value
		switch {
		case one.encoded && i == 0:
			charset, octets = extended(one.value)
		case one.encoded:
			octets = append(octets, Percent(one.value)...)
		default:
			octets = append(octets, one.value...)
		}
	}
	return Decode(charset, octets), raw, true
}
