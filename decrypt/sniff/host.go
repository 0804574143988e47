package sniff

import "bytes"

// hostLimit is how much of a request head is looked at, in octets.
const hostLimit = 16 << 10

// Host borrows b, the beginning of an HTTP/1 connection, and returns the host
// that its first request asks for, without port and without the brackets of an
// IPv6 address, in the client's spelling: the authority of a CONNECT or
// absolute-form target, which takes precedence, else the Host header (RFC 9112,
// Section 3.2). It waits for the whole head, because a second Host header would
// make the first one worthless. more reports that the head is not complete; it
// is false from 16 KiB on. ok is false while more is true, for a request without
// a host, and for one whose host is in doubt: several that differ, white space
// around the header's name, a folded line, octets that no host has.
func Host(b []byte) (host string, ok, more bool) {
	complete := headEnd(b)
	if !complete && len(b) < hostLimit {
		return "", false, true
	}
	b = b[:min(len(b), hostLimit)]
	line, rest := cutLine(b)
	target, valid := requestTarget(line)
	if !valid {
		return "", false, false
	}
	header, known, sound := hostHeader(rest)
	switch {
	case !sound:
		return "", false, false
	case target != nil:
		host, ok = hostname(target)
	case known:
		host, ok = hostname(header)
	}
	return host, ok, false
}

// headEnd reports whether b holds an empty line, which ends the head.
func headEnd(b []byte) bool {
	b = b[:min(len(b), hostLimit)]
	return bytes.Contains(b, []byte("\n\r\n")) || bytes.Contains(b, []byte("\n\n"))
}

// cutLine returns the first line without its end.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}

// requestTarget returns the authority in a request line, or nil if the target is
// in origin-form or asterisk-form. valid is false if it is not a request line of
// HTTP/1.
func requestTarget(line []byte) (authority []byte, valid bool) {
	method, rest, ok := bytes.Cut(line, []byte(" "))
	target, version, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok || !ok2 || len(target) == 0 || prefix(version, "HTTP/1.") != yes {
		return nil, false
	}
	switch {
	case string(method) == "CONNECT":
		return target, true
	case target[0] == '/', target[0] == '*':
		return nil, true
	}
	for _, scheme := range []string{"HTTP://", "HTTPS://"} {
		if prefixFold(target, scheme) == yes {
			authority = target[len(scheme):]
			if end := bytes.IndexAny(authority, "/?#"); end >= 0 {
				authority = authority[:end]
			}
			return authority[bytes.LastIndexByte(authority, '@')+1:], true
		}
	}
	return nil, false
}

// hostHeader finds the Host header. sound is false if there is doubt about it.
func hostHeader(head []byte) (value []byte, known, sound bool) {
	for len(head) > 0 {
		var line []byte
		line, head = cutLine(head)
		if len(line) == 0 {
			return value, known, true
		}
		if known && isBlank(line[0]) {
			return nil, false, false // perhaps the Host line, folded (RFC 9112, Section 5.2)
		}
		name, v, ok := bytes.Cut(line, []byte(":"))
		if !ok || prefixFold(bytes.TrimSpace(name), "HOST") != yes || len(bytes.TrimSpace(name)) != len("HOST") {
			continue
		}
		if len(name) != len("HOST") {
			return nil, false, false
		}
		v = bytes.Trim(v, " \t")
		if known && !bytes.EqualFold(v, value) {
			return nil, false, false
		}
		value, known = v, true
	}
	return value, known, true
}

// hostname takes the port and the brackets off an authority. It returns "" and
// false for what cannot be a host.
func hostname(host []byte) (string, bool) {
	if len(host) > 0 && host[0] == '[' {
		end := bytes.IndexByte(host, ']')
		if end < 0 || !isPort(host[end+1:]) {
			return "", false
		}
		host = host[1:end]
		if len(host) == 0 || len(bytes.Trim(host, "0123456789abcdefABCDEF:.")) > 0 {
			return "", false
		}
		return string(host), true
	}
	if colon := bytes.IndexByte(host, ':'); colon >= 0 {
		if !isPort(host[colon:]) {
			return "", false
		}
		host = host[:colon]
	}
	for _, c := range host {
		if u := upper(c); c < 0x80 && (u < 'A' || u > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' {
			return "", false
		}
	}
	return string(host), len(host) > 0
}

// isPort reports whether b is empty or a colon with at most five digits.
func isPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if b[0] != ':' || len(b) > 6 {
		return false
	}
	for _, c := range b[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
