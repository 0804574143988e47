package web

import (
	"bytes"
)

const (
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113, Section 3.4

	maxMethod = 32
	maxStart  = 8 << 10
)

// sniff tells from its first octets what a client speaks, undecided if there are
// too few. A request that is malformed behind its method is HTTP all the same.
func sniff(p []byte) mode {
	p = bytes.TrimPrefix(p, []byte("\r\n"))
	if len(p) == 0 || string(p) == "\r" {
		return undecided
	}
	n := min(len(p), len(preface))
	if string(p[:n]) == preface[:n] {
		if n == len(preface) {
			return speaksHTTP2
		}
		if n > len("PRI") {
			return undecided
		}
	}
	i := bytes.IndexByte(p, ' ')
	switch {
	case i < 0 && isToken(p) && len(p) <= maxMethod:
		return undecided
	case i < 0, i > maxMethod, !isToken(p[:i]):
		return unread
	}
	switch string(p[:i]) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT":
		return speaksHTTP1
	}
	end := bytes.IndexByte(p, '\n')
	switch {
	case end < 0 && len(p) < maxStart:
		return undecided
	case end < 0:
		return unread
	}
	line := bytes.TrimSuffix(p[:end], []byte("\r"))
	if at := bytes.LastIndexByte(line, ' '); at > i && bytes.HasPrefix(line[at+1:], []byte("HTTP/")) {
		return speaksHTTP1
	}
	return unread
}
