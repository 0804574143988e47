package http1

import "bytes"

// MaxStart is how many octets of a connection [Recognize] looks at. Servers take
// request lines of 8 KiB.
const MaxStart = 16 << 10

// Recognize borrows b, the first octets of a connection, and reports whether they
// begin a request of HTTP/1, well-formed or not. more reports that further octets
// could make them one; it is false from 16 KiB on. What is decided stays decided
// with more octets. Recognize does not allocate.
//
// It skips empty lines and white space (RFC 9112, Section 2.2), takes any token as
// a method, and white space of any kind behind it (Section 3), that of lenient servers
// too. A first line with "HTTP/" behind white space is a request line, unless another
// control octet stands where its target begins. A method of RFC 9110 is known by
// the beginning of its target alone, as clients of HTTP/0.9 write it. RTSP, SIP and
// ICAP name versions of their own, and the preface of HTTP/2 is not HTTP/1.
//
// Of a request line longer than 16 KiB, the beginning of the target decides.
func Recognize(b []byte) (is, more bool) {
	whole := len(b) >= MaxStart
	b = b[:min(len(b), MaxStart)]
	b = b[whiteLen(b):]
	if len(b) == 0 {
		return whole, !whole // nobody but a client of HTTP may begin so
	}
	line, ended := firstLine(b)
	size := tokenLen(line)
	switch {
	case size == len(line), !ended && bytes.HasPrefix([]byte(preface), line):
		return false, !ended && !whole
	case size == 0, !isBlank(line[size]), bytes.HasPrefix(line, []byte(preface)):
		return false, false
	}
	method, rest := line[:size], line[size:]
	target := skipBlanks(rest)
	switch {
	case len(target) > 0 && classes[target[0]]&control != 0:
		return false, false
	case hasVersion(rest), known(method) && targetBegins(target, string(method) == "CONNECT"):
		return true, false
	case ended:
		return false, false
	case whole:
		return targetBegins(target, false), false
	}
	return false, true
}

// firstLine returns the first line of b as far as it came, and whether it is over. A
// NUL, which no server of HTTP takes, ends it.
func firstLine(b []byte) (line []byte, ended bool) {
	line, n, _ := cutLine(b)
	if n == 0 {
		line = b
	}
	if i := bytes.IndexByte(line, 0); i >= 0 {
		return line[:i], true
	}
	return line, n > 0
}

// preface is the first line of HTTP/2 (RFC 9113, Section 3.4).
const preface = "PRI * HTTP/2.0"

// hasVersion reports whether "HTTP/" stands behind white space in rest, which
// begins with white space.
func hasVersion(rest []byte) bool {
	for {
		i := bytes.IndexByte(rest, '/')
		if i < 0 {
			return false
		}
		const name = "http"
		if i > len(name) && Is(rest[i-len(name):i], name) && isBlank(rest[i-len(name)-1]) {
			return true
		}
		rest = rest[i+1:]
	}
}

// known reports whether RFC 9110 or RFC 5789 defines a method.
func known(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT":
		return true
	}
	return false
}

// targetBegins reports whether a request target begins with t: a path, a URL of
// HTTP, or, where that is allowed, an authority.
func targetBegins(t []byte, authority bool) bool {
	switch {
	case len(t) == 0:
		return false
	case authority:
		return t[0] == '[' || classes[t[0]]&hostName != 0
	}
	return t[0] == '/' || HasPrefix(t, "http://") || HasPrefix(t, "https://")
}
