package web

import (
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// protocol is what a client was found to speak.
type protocol uint8

const (
	undecided protocol = iota
	speaksHTTP1
	speaksHTTP2
	foreign
)

// recognize tells from its first octets what a client speaks, undecided if there are
// too few. A request that is malformed is HTTP all the same.
func recognize(p []byte) protocol {
	head := p[http1.EmptyLines(p):]
	n := min(len(head), len(http2.Preface))
	switch is, more := http1.Recognize(p); {
	case n > 0 && string(head[:n]) == http2.Preface[:n]:
		if n < len(http2.Preface) {
			return undecided
		}
		return speaksHTTP2
	case is:
		return speaksHTTP1
	case more:
		return undecided
	}
	return foreign
}
