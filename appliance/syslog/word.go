package syslog

// Word returns s as a field of a header: printable US-ASCII without blanks, at most n octets,
// or the nil value (RFC 5424, Section 6).
func Word(s string, n int) string {
	word := make([]byte, 0, n)
	for _, c := range []byte(s) {
		if c > ' ' && c < 0x7f && len(word) < n {
			word = append(word, c)
		}
	}
	if len(word) == 0 {
		return "-"
	}
	return string(word)
}
