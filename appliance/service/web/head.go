package web

import (
	"bytes"
)

// head is what a header block says about itself. Slices point into the block.
type head struct {
	raw    []byte
	method []byte // of a request
	status int    // of a response
	minor  int    // 1 for HTTP/1.1, 0 for HTTP/1.0

	length  int64 // of Content-Length, -1 without
	chunked bool
	expect  bool // 100-continue
	upgrade bool // an Upgrade field is there
	http2   bool // it names h2c or h2
	media   []byte

	hosts int
}

// is reports whether the method is m.
func (h *head) is(m string) bool { return string(h.method) == m }

// parseRequest reads the header block of a request, in which every line ends
// with CRLF. word says why it is refused (RFC 9112, Sections 3, 5 and 6).
func parseRequest(raw []byte) (h head, word string) {
	h = head{raw: raw, length: -1}
	end := bytes.IndexByte(raw, '\n')
	line := raw[:end-1]
	if word := plain(line); word != "" {
		return h, word
	}
	i := bytes.IndexByte(line, ' ')
	if i <= 0 || !isToken(line[:i]) {
		return h, badStart
	}
	h.method = line[:i]
	target := line[i+1:]
	i = bytes.IndexByte(target, ' ')
	if i <= 0 || bytes.IndexByte(target, '\t') >= 0 {
		return h, badStart // HTTP/0.9 among others
	}
	if h.minor, word = version(target[i+1:]); word != "" {
		return h, word
	}
	if word := h.fields(raw[end+1:], Request); word != "" {
		return h, word
	}
	switch {
	case h.hosts > 1, h.hosts == 0 && h.minor == 1: // RFC 9112, Section 3.2
		return h, badHost
	case h.is("CONNECT") && (h.chunked || h.length > 0):
		return h, connectBody
	}
	return h, ""
}

// parseResponse reads the header block of a response (RFC 9112, Section 4).
func parseResponse(raw []byte) (h head, word string) {
	h = head{raw: raw, length: -1}
	end := bytes.IndexByte(raw, '\n')
	line := raw[:end-1]
	if word := plain(line); word != "" {
		return h, word
	}
	if len(line) < 12 || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return h, badStart
	}
	if h.minor, word = version(line[:8]); word != "" {
		return h, word
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return h, badStart
		}
		h.status = 10*h.status + int(c-'0')
	}
	if h.status < 100 {
		return h, badStart
	}
	return h, h.fields(raw[end+1:], Response)
}

// version reads HTTP/1.0 or HTTP/1.1.
func version(p []byte) (minor int, word string) {
	switch string(p) {
	case "HTTP/1.1":
		return 1, ""
	case "HTTP/1.0":
		return 0, ""
	}
	return 0, badVersion
}

// fields reads field lines up to the empty line.
func (h *head) fields(p []byte, kind Kind) string {
	for len(p) > 2 {
		i := bytes.IndexByte(p, '\n')
		name, value, word := splitField(p[:i-1])
		if word != "" {
			return word
		}
		if word := h.field(name, value, kind); word != "" {
			return word
		}
		p = p[i+1:]
	}
	switch {
	case h.chunked && h.length >= 0:
		return lengthAndCoding
	case h.chunked && h.minor == 0:
		return oldCoding
	}
	return ""
}

// splitField reads one field line without its CRLF.
func splitField(line []byte) (name, value []byte, word string) {
	if line[0] == ' ' || line[0] == '\t' {
		return nil, nil, folded
	}
	c := bytes.IndexByte(line, ':')
	if c <= 0 || !isToken(line[:c]) {
		if word := plain(line); word != "" {
			return nil, nil, word
		}
		return nil, nil, badName
	}
	name, value = line[:c], line[c+1:]
	return name, trim(value), plain(value)
}

// field notes what a field says about its message.
func (h *head) field(name, value []byte, kind Kind) string {
	switch len(name) {
	case 4:
		if equal(name, "host") {
			h.hosts++
		}
	case 6:
		if equal(name, "expect") && equal(value, "100-continue") {
			h.expect = true
		}
	case 7:
		if equal(name, "upgrade") {
			h.upgrade = true
			for v := range bytes.SplitSeq(value, []byte(",")) {
				v = trim(v)
				h.http2 = h.http2 || len(v) >= 2 && equal(v[:2], "h2") || len(v) >= 6 && equal(v[:6], "http/2")
			}
		}
	case 12:
		if equal(name, "content-type") {
			h.media = mediaType(value)
		}
	case 14:
		switch {
		case equal(name, "content_length"): // gateways of CGI read the two alike
			return badName
		case equal(name, "content-length"):
			n, ok := parseLength(value)
			switch {
			case !ok:
				return badLength
			case h.length >= 0 && (kind == Request || n != h.length):
				return duplicateLength
			}
			h.length = n
		}
	case 17:
		switch {
		case equal(name, "transfer_encoding"):
			return badName
		case equal(name, "transfer-encoding"):
			if h.chunked || !equal(value, "chunked") {
				return badCoding
			}
			h.chunked = true
		}
	}
	return ""
}

// mediaType returns a Content-Type without its parameters.
func mediaType(value []byte) []byte {
	if i := bytes.IndexByte(value, ';'); i >= 0 {
		value = value[:i]
	}
	return trim(value)
}

// parseLength reads a Content-Length: digits alone, below 10^18.
func parseLength(p []byte) (int64, bool) {
	if len(p) == 0 || len(p) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range p {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// trim cuts optional white space (RFC 9110, Section 5.6.3).
func trim(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t') {
		p = p[1:]
	}
	for len(p) > 0 && (p[len(p)-1] == ' ' || p[len(p)-1] == '\t') {
		p = p[:len(p)-1]
	}
	return p
}

// equal compares p with the lower-case word s, whatever the case of p.
func equal(p []byte, s string) bool {
	if len(p) != len(s) {
		return false
	}
	for i, c := range p {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// plain says what is wrong with the octets of a line, "" if nothing is.
func plain(p []byte) string {
	for _, c := range p {
		if controls[c] {
			if c == '\r' {
				return bareCR
			}
			return control
		}
	}
	return ""
}

// isToken reports whether p is a token (RFC 9110, Section 5.6.2).
func isToken(p []byte) bool {
	for _, c := range p {
		if !tokenOctets[c] {
			return false
		}
	}
	return len(p) > 0
}

var tokenOctets = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

// controls are the octets that no line may hold.
var controls = func() (t [256]bool) {
	for c := range 0x20 {
		t[c] = c != '\t'
	}
	t[0x7f] = true
	return t
}()
