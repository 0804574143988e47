package adapt

import (
	"bytes"
)

// Head is what a header block says about itself. Slices point into the block.
type Head struct {
	Raw    []byte
	Method []byte // of a request
	Status int    // of a response
	Minor  int    // 1 for HTTP/1.1, 0 for HTTP/1.0

	Length  int64 // of Content-Length, -1 without
	Chunked bool
	Expect  bool // 100-continue
	Upgrade bool // an Upgrade field is there
	HTTP2   bool // it names h2c or h2
	Media   []byte

	hosts int
}

// Is reports whether the method is m.
func (h *Head) Is(m string) bool { return string(h.Method) == m }

// ParseRequest reads the header block of a request, in which every line ends
// with CRLF. word says why it is refused (RFC 9112, Sections 3, 5 and 6).
func ParseRequest(raw []byte) (h Head, word string) {
	h = Head{Raw: raw, Length: -1}
	end := bytes.IndexByte(raw, '\n')
	line := raw[:end-1]
	if word := plain(line); word != "" {
		return h, word
	}
	i := bytes.IndexByte(line, ' ')
	if i <= 0 || !IsToken(line[:i]) {
		return h, BadStart
	}
	h.Method = line[:i]
	target := line[i+1:]
	i = bytes.IndexByte(target, ' ')
	if i <= 0 || bytes.IndexByte(target, '\t') >= 0 {
		return h, BadStart // HTTP/0.9 among others
	}
	if h.Minor, word = version(target[i+1:]); word != "" {
		return h, word
	}
	if word := h.fields(raw[end+1:], Request); word != "" {
		return h, word
	}
	switch {
	case h.hosts > 1, h.hosts == 0 && h.Minor == 1: // RFC 9112, Section 3.2
		return h, BadHost
	case h.Is("CONNECT") && (h.Chunked || h.Length > 0):
		return h, ConnectBody
	}
	return h, ""
}

// ParseResponse reads the header block of a response (RFC 9112, Section 4).
func ParseResponse(raw []byte) (h Head, word string) {
	h = Head{Raw: raw, Length: -1}
	end := bytes.IndexByte(raw, '\n')
	line := raw[:end-1]
	if word := plain(line); word != "" {
		return h, word
	}
	if len(line) < 12 || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return h, BadStart
	}
	if h.Minor, word = version(line[:8]); word != "" {
		return h, word
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return h, BadStart
		}
		h.Status = 10*h.Status + int(c-'0')
	}
	if h.Status < 100 {
		return h, BadStart
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
	return 0, BadVersion
}

// fields reads field lines up to the empty line.
func (h *Head) fields(p []byte, kind Kind) string {
	for len(p) > 2 {
		i := bytes.IndexByte(p, '\n')
		name, value, word := SplitField(p[:i-1])
		if word != "" {
			return word
		}
		if word := h.field(name, value, kind); word != "" {
			return word
		}
		p = p[i+1:]
	}
	switch {
	case h.Chunked && h.Length >= 0:
		return LengthAndCoding
	case h.Chunked && h.Minor == 0:
		return OldCoding
	}
	return ""
}

// SplitField reads one field line without its CRLF.
func SplitField(line []byte) (name, value []byte, word string) {
	if line[0] == ' ' || line[0] == '\t' {
		return nil, nil, Folded
	}
	c := bytes.IndexByte(line, ':')
	if c <= 0 || !IsToken(line[:c]) {
		if word := plain(line); word != "" {
			return nil, nil, word
		}
		return nil, nil, BadName
	}
	name, value = line[:c], line[c+1:]
	return name, Trim(value), plain(value)
}

// field notes what a field says about its message.
func (h *Head) field(name, value []byte, kind Kind) string {
	switch len(name) {
	case 4:
		if Equal(name, "host") {
			h.hosts++
		}
	case 6:
		if Equal(name, "expect") && Equal(value, "100-continue") {
			h.Expect = true
		}
	case 7:
		if Equal(name, "upgrade") {
			h.Upgrade = true
			for v := range bytes.SplitSeq(value, []byte(",")) {
				v = Trim(v)
				h.HTTP2 = h.HTTP2 || len(v) >= 2 && Equal(v[:2], "h2") || len(v) >= 6 && Equal(v[:6], "http/2")
			}
		}
	case 12:
		if Equal(name, "content-type") {
			h.Media = MediaType(value)
		}
	case 14:
		switch {
		case Equal(name, "content_length"): // gateways of CGI read the two alike
			return BadName
		case Equal(name, "content-length"):
			n, ok := ParseLength(value)
			switch {
			case !ok:
				return BadLength
			case h.Length >= 0 && (kind == Request || n != h.Length):
				return DuplicateLength
			}
			h.Length = n
		}
	case 17:
		switch {
		case Equal(name, "transfer_encoding"):
			return BadName
		case Equal(name, "transfer-encoding"):
			if h.Chunked || !Equal(value, "chunked") {
				return BadCoding
			}
			h.Chunked = true
		}
	}
	return ""
}

// MediaType returns a Content-Type without its parameters.
func MediaType(value []byte) []byte {
	if i := bytes.IndexByte(value, ';'); i >= 0 {
		value = value[:i]
	}
	return Trim(value)
}

// ParseLength reads a Content-Length: digits alone, below 10^18.
func ParseLength(p []byte) (int64, bool) {
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

// Trim cuts optional white space (RFC 9110, Section 5.6.3).
func Trim(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t') {
		p = p[1:]
	}
	for len(p) > 0 && (p[len(p)-1] == ' ' || p[len(p)-1] == '\t') {
		p = p[:len(p)-1]
	}
	return p
}

// Equal compares p with the lower-case word s, whatever the case of p.
func Equal(p []byte, s string) bool {
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
				return BareCR
			}
			return Control
		}
	}
	return ""
}

// IsToken reports whether p is a token (RFC 9110, Section 5.6.2).
func IsToken(p []byte) bool {
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

// IsControl reports whether c is an octet that no line may hold.
func IsControl(c byte) bool { return controls[c] }
