package web

import (
	"bytes"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/h2"
)

// protocol is what a client was found to speak.
type protocol uint8

const (
	undecided protocol = iota
	speaksHTTP1
	speaksHTTP2
	foreign
)

const (
	maxMethod = 32
	maxStart  = 8 << 10
)

// sniff tells from its first octets what a client speaks, undecided if there are
// too few. A request that is malformed behind its method is HTTP all the same.
func sniff(p []byte) protocol {
	p = bytes.TrimPrefix(p, []byte("\r\n"))
	if len(p) == 0 || string(p) == "\r" {
		return undecided
	}
	n := min(len(p), len(h2.Preface))
	if string(p[:n]) == h2.Preface[:n] {
		if n == len(h2.Preface) {
			return speaksHTTP2
		}
		if n > len("PRI") {
			return undecided
		}
	}
	i := bytes.IndexByte(p, ' ')
	switch {
	case i < 0 && adapt.IsToken(p) && len(p) <= maxMethod:
		return undecided
	case i < 0, i > maxMethod, !adapt.IsToken(p[:i]):
		return foreign
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
		return foreign
	}
	line := bytes.TrimSuffix(p[:end], []byte("\r"))
	if at := bytes.LastIndexByte(line, ' '); at > i && bytes.HasPrefix(line[at+1:], []byte("HTTP/")) {
		return speaksHTTP1
	}
	return foreign
}
