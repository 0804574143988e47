package dissect

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

const (
	maxHeld    = 64 << 10 // octets of a client behind a request that asks for another protocol
	maxTunnels = 8        // within each other
)

// follow has the rest of the session read by another reader; nil: by what the rest begins with. held are octets of the client from before the answer, rest those of
// the origin behind it.
func (s *Session) follow(r reader, held, rest []byte) Cause {
	if s.tunnels++; s.tunnels > maxTunnels {
		return StopBound
	}
	s.reader = r
	switch r.(type) {
	case *websocketReader:
		s.socket = true
	case *http2Reader:
		s.protocol = sniff.HTTP2
	case nil:
		s.protocol = sniff.Unknown
	}
	for dir, p := range [2][]byte{proto.ClientToOrigin: held, proto.OriginToClient: rest} {
		switch dir := proto.Direction(dir); {
		case s.stopped || len(p) == 0:
		case s.reader == nil:
			s.recognize(dir, p)
		default:
			s.read(dir, p)
		}
	}
	for dir, ended := range s.ended {
		if ended && r != nil && s.reader == r {
			r.end(proto.Direction(dir))
		}
	}
	return reading
}

// token reports whether a list of a field has a word, in lower case.
func token(list []byte, word string) bool {
	for one := range bytes.SplitSeq(list, []byte{','}) {
		if http1.Is(bytes.TrimSpace(one), word) {
			return true
		}
	}
	return false
}

// asks notes that a request asks for another protocol.
func (x *http1Exchange) asks(fields []byte) {
	upgrade := http1.Find(fields, "upgrade")
	x.switches = upgrade != nil || len(x.method) > 0 && x.method[0] == 'C'
	if token(upgrade, "h2c") {
		if settings := http1.Find(fields, "http2-settings"); len(settings) < maxHeld {
			x.settings = append([]byte{}, settings...)
		}
	}
}

// waits reports whether the meaning of the client's octets depends on an answer that did not
// come yet.
func (h *http1Reader) waits() bool {
	if len(h.open) == 0 {
		return false
	}
	last := h.open[len(h.open)-1]
	return last.switches && last.over[proto.ClientToOrigin] && !last.over[proto.OriginToClient]
}

// release reads what was held of the client, as HTTP.
func (h *http1Reader) release() Cause {
	for _, x := range h.open {
		x.switches = false
	}
	held := h.deep.held
	h.deep.held = nil
	return h.data(proto.ClientToOrigin, held)
}

// switched ends the exchange behind which another protocol begins.
func (h *http1Reader) switched(x *http1Exchange, r *http1.Response, rest []byte) Cause {
	h.s.end(&x.Exchange, proto.ClientToOrigin, Complete)
	h.s.end(&x.Exchange, proto.OriginToClient, Complete)
	if h.s.contents == nil {
		return StopUpgraded
	}
	held := h.deep.held
	h.deep.held = nil
	switch {
	case r.Code != 101:
		return h.s.follow(nil, held, rest)
	case token(http1.Find(r.Fields, "upgrade"), "websocket"):
		return h.s.follow(newWebsocket(h.s, x.Number, http1.Find(r.Fields, "sec-websocket-extensions")), held, rest)
	}
	return StopUpgraded
}

// hold keeps octets of the client until an answer comes, unless they are too many.
func (h *http1Reader) hold(p []byte) (rest []byte, cause Cause) {
	if len(h.deep.held)+len(p) > maxHeld {
		return p, h.release()
	}
	h.deep.held = append(h.deep.held, p...)
	return nil, reading
}
