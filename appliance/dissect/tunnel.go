package dissect

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// maxHTTP2Tunnels bounds those of a connection that are open. The content of others is handed
// out as it is.
const maxHTTP2Tunnels = 128

// http2Tunnel is a stream of HTTP/2 whose client asked for another protocol: CONNECT
// (RFC 9113, Section 8.5), or WebSocket (RFC 8441).
type http2Tunnel struct {
	websocket bool
	reader    reader // nil: not granted, or not read on
	granted   bool
	held      []byte // of the client, from before the answer
}

// nested is a session within a stream. Its end is no event.
type nested struct{ s *Session }

func (n nested) data(dir proto.Direction, p []byte) Cause   { n.s.Data(dir, p); return reading }
func (n nested) gap(dir proto.Direction, lost uint64) Cause { n.s.Gap(dir, lost); return reading }
func (n nested) end(dir proto.Direction)                    { n.s.End(dir) }
func (n nested) close(Ending)                               { n.s.Close() }

// nest returns a reader of a session within a stream. The numbers of its exchanges follow that
// one.
func (s *Session) nest(number uint64) reader {
	return nested{&Session{sink: s.sink, contents: s.contents, outer: s, number: number, tunnels: s.tunnels + 1}}
}

// field returns the value of a field, "" without one.
func field(list []hpack.HeaderField, name string) string {
	for i := range list {
		if list[i].Name == name {
			return list[i].Value
		}
	}
	return ""
}

// asks notes a request for another protocol.
func (h *http2Reader) asks(id uint32) {
	if len(h.tunnels) >= maxHTTP2Tunnels {
		return
	}
	protocol := field(h.fields, ":protocol")
	if protocol != "" && protocol != "websocket" || h.s.contents == nil || h.s.outer != nil {
		return
	}
	if h.tunnels == nil {
		h.tunnels = make(map[uint32]*http2Tunnel)
	}
	h.tunnels[id] = &http2Tunnel{websocket: protocol != ""}
}

// grants begins another protocol on a stream.
func (h *http2Reader) grants(id uint32, x *Exchange) {
	t := h.tunnels[id]
	if t == nil || t.granted {
		return
	}
	if t.granted = true; t.websocket {
		t.reader = newWebsocket(h.s, x.Number, []byte(field(h.fields, "sec-websocket-extensions")))
	} else {
		h.nests++
		t.reader = h.s.nest(h.nests << 32)
	}
	held := t.held
	t.held = nil
	if len(held) > 0 {
		t.check(h.s, t.reader.data(proto.ClientToOrigin, held))
	}
	if x.over[proto.ClientToOrigin] && t.reader != nil {
		t.reader.end(proto.ClientToOrigin)
	}
}

// check stops a reader if there is a cause. The other streams go on.
func (t *http2Tunnel) check(s *Session, c Cause) {
	if c != reading {
		s.missed(c)
		t.reader.close(c.ending())
		t.reader = nil
	}
}

// content takes content of a stream.
func (h *http2Reader) content(dir proto.Direction, id uint32, p []byte) {
	x := h.streams[id]
	if x == nil {
		return
	}
	t := h.tunnels[id]
	switch {
	case t == nil, !t.granted && dir == proto.OriginToClient:
		h.s.content(x, dir, p)
		return
	case t.reader != nil:
		t.check(h.s, t.reader.data(dir, p))
	case !t.granted && len(t.held)+len(p) <= maxHeld:
		t.held = append(t.held, p...)
	case !t.granted:
		h.s.missed(StopBound)
	}
	x.octets[dir] += uint64(len(p))
}

// hole takes octets of content that are lost.
func (h *http2Reader) hole(dir proto.Direction, id uint32, n uint64) {
	x := h.streams[id]
	if x == nil {
		return
	}
	t := h.tunnels[id]
	switch {
	case t == nil, !t.granted:
		h.s.hole(x, dir, n)
		return
	case t.reader != nil:
		t.check(h.s, t.reader.gap(dir, n))
	}
	x.octets[dir] += n
	x.holes[dir] += n
}

// leaves ends a direction of a stream for what is read in it, and all of it in the end.
func (h *http2Reader) leaves(dir proto.Direction, id uint32, how Ending, over bool) {
	t := h.tunnels[id]
	if t == nil {
		return
	}
	if t.reader != nil {
		if how == Complete {
			t.reader.end(dir)
		}
		if over {
			t.reader.close(how)
		}
	}
	if over {
		delete(h.tunnels, id)
	}
}

// upgradedHTTP2 returns a reader behind an upgrade from HTTP/1 (RFC 7540, Section 3.2):
// stream 1 is the request. settings are those of the client, in base64.
func upgradedHTTP2(s *Session, x *Exchange, settings []byte) *http2Reader {
	h := newHTTP2(s)
	s.end(x, proto.ClientToOrigin, Complete)
	h.streams[1], h.highest = x, 1
	payload := make([]byte, base64.RawURLEncoding.DecodedLen(len(settings)))
	n, _ := base64.RawURLEncoding.Decode(payload, bytes.TrimRight(settings, "="))
	for p := payload[:n]; len(p) >= 6; p = p[6:] {
		if id := http2.SettingID(binary.BigEndian.Uint16(p)); id == http2.HeaderTableSize {
			h.sides[proto.OriginToClient].blocks.AllowTable(binary.BigEndian.Uint32(p[2:]))
		}
	}
	return h
}
