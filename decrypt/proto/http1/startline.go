package http1

import "bytes"

// Form is the form of a request target (RFC 9112, Section 3.2).
type Form uint8

const (
	NoForm        Form = iota // none of these four
	OriginForm                // /path?query
	AbsoluteForm              // scheme://authority/path?query
	AuthorityForm             // host:port, with CONNECT alone
	AsteriskForm              // *
)

// RequestLine is the first line of a request. Its slices are parts of the line.
type RequestLine struct {
	Method, Target, Version []byte
	Form                    Form
	Authority               []byte // in an absolute or authority form, without user information; else nil
	Path                    []byte // in an origin or absolute form, with the query; may be empty
}

// ParseRequestLine reads a request line without its line end.
//
// If the mode is [Strict], single blanks separate method, target and version. If it
// is [Loose], white space of any kind and length does (RFC 9112, Section 3), that of
// lenient servers too. The target may hold blanks then, and white space may stand around
// the line. A line without a version is [BadStart] in both modes.
func ParseRequestLine(line []byte, m Mode) (r RequestLine, fault Fault) {
	fault = r.parse(line, m)
	return r, fault
}

// parse is ParseRequestLine in place.
func (r *RequestLine) parse(line []byte, m Mode) (fault Fault) {
	if m == Strict {
		fault = r.strict(line)
	} else {
		fault = r.loose(line)
	}
	if fault == Sound {
		r.target()
	}
	if m == Strict && fault == Sound && r.Form == NoForm {
		fault = BadStart
	}
	return fault
}

func (r *RequestLine) strict(line []byte) Fault {
	if fault := Plain(line); fault != Sound {
		return fault
	}
	n := tokenLen(line)
	if n == 0 || n == len(line) || line[n] != ' ' {
		return BadStart
	}
	r.Method = line[:n]
	rest := line[n+1:]
	i := bytes.IndexByte(rest, ' ')
	if i <= 0 || bytes.IndexByte(rest, '\t') >= 0 {
		return BadStart // HTTP/0.9 among others
	}
	r.Target, r.Version = rest[:i], rest[i+1:]
	return Sound
}

func (r *RequestLine) loose(line []byte) Fault {
	line = trimSpace(line)
	n := tokenLen(line)
	if n == 0 || n == len(line) || !isBlank(line[n]) {
		return BadStart
	}
	r.Method = line[:n]
	rest := skipBlanks(line[n:])
	i := len(rest)
	for i > 0 && !isBlank(rest[i-1]) {
		i--
	}
	r.Target, r.Version = trimSpace(rest[:i]), rest[i:]
	if len(r.Target) == 0 || classes[r.Target[0]]&control != 0 || !HasPrefix(r.Version, "http/") {
		return BadStart
	}
	return Sound
}

// isBlank reports whether a server may take c for white space between the words of a
// request line: with that of RFC 9112, Section 3, what Unicode calls so in ISO 8859-1, as
// Python's servers have it.
func isBlank(c byte) bool {
	return classes[c]&space != 0 || 0x1c <= c && c <= 0x1f || c == 0x85 || c == 0xa0
}

// skipBlanks returns what is behind them.
func skipBlanks(p []byte) []byte {
	for len(p) > 0 && isBlank(p[0]) {
		p = p[1:]
	}
	return p
}

// trimSpace cuts white space of any kind from both ends.
func trimSpace(p []byte) []byte {
	for len(p) > 0 && classes[p[0]]&space != 0 {
		p = p[1:]
	}
	for len(p) > 0 && classes[p[len(p)-1]]&space != 0 {
		p = p[:len(p)-1]
	}
	return p
}

// target takes the target apart.
func (r *RequestLine) target() {
	t := r.Target
	switch {
	case string(r.Method) == "CONNECT":
		r.Form, r.Authority = AuthorityForm, t
	case t[0] == '/':
		r.Form, r.Path = OriginForm, t
	case string(t) == "*":
		r.Form = AsteriskForm
	default:
		n := schemeLen(t)
		if n == 0 {
			return
		}
		authority := t[n:]
		end := bytes.IndexAny(authority, "/?#")
		if end < 0 {
			end = len(authority)
		}
		r.Form, r.Path = AbsoluteForm, authority[end:]
		authority = authority[:end]
		r.Authority = authority[bytes.LastIndexByte(authority, '@')+1:]
	}
}

// schemeLen returns the length of a scheme with "://" at the beginning of a target,
// 0 without one (RFC 3986, Section 3.1).
func schemeLen(t []byte) int {
	for i, c := range t {
		switch c := lower(c); {
		case 'a' <= c && c <= 'z', i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && bytes.HasPrefix(t[i:], []byte("://")):
			return i + len("://")
		default:
			return 0
		}
	}
	return 0
}

// StatusLine is the first line of a response, of HTTP or a protocol of its kind.
// Its slices are parts of the line.
type StatusLine struct {
	Version []byte // such as HTTP/1.1 or ICAP/1.0
	Code    int    // from 100 to 999
	Reason  []byte // may be empty
}

// ParseStatusLine reads a status line without its line end (RFC 9112, Section 4).
// The reason with its blank may be missing. The version is for the caller to judge.
// If the mode is [Loose], more than one blank may stand before the code.
func ParseStatusLine(line []byte, m Mode) (s StatusLine, fault Fault) {
	if m == Strict {
		if fault := Plain(line); fault != Sound {
			return s, fault
		}
	}
	i := bytes.IndexByte(line, ' ')
	if i <= 0 {
		return s, BadStart
	}
	s.Version = line[:i]
	rest := line[i+1:]
	if m == Loose {
		rest = trimSpace(rest)
	}
	if len(rest) < 3 || m == Strict && len(rest) > 3 && rest[3] != ' ' {
		return s, BadStart
	}
	for _, c := range rest[:3] {
		if c < '0' || c > '9' {
			return s, BadStart
		}
		s.Code = 10*s.Code + int(c-'0')
	}
	if s.Code < 100 {
		return s, BadStart
	}
	s.Reason = Trim(rest[3:])
	return s, Sound
}

// minor reads a version of HTTP/1. A loose reader takes any minor version; those
// above 1 are read as 1 (RFC 9110, Section 2.5).
func minor(version []byte, m Mode) (int, Fault) {
	switch {
	case string(version) == "HTTP/1.1":
		return 1, Sound
	case string(version) == "HTTP/1.0":
		return 0, Sound
	case m == Loose && HasPrefix(version, "http/1."):
		if string(version[len("http/1."):]) == "0" {
			return 0, Sound
		}
		return 1, Sound
	}
	return 0, BadVersion
}
