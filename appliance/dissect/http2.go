package dissect

import (
	"maps"
	"slices"
	"strconv"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

const maxStreams = 256 // that are open at a time

// http2Reader follows HTTP/2 (RFC 9113).
type http2Reader struct {
	s       *Session
	sides   [2]http2Side
	streams map[uint32]*Exchange // that are open
	highest uint32               // stream of the client's
	fields  []hpack.HeaderField
	texts   []byte // of an event
	decoded int    // octets of the fields of a block
	brief   bool   // streams are counted, blocks passed over
}

// request opens an exchange for the fields of a request's header block.
func (h *http2Reader) request(id uint32) Cause {
	if len(h.streams) >= maxStreams {
		return StopBound
	}
	x := new(Exchange)
	h.s.open(x)
	h.streams[id] = x
	r := &h.s.event.request
	*r = Request{Exchange: x, Fields: Fields{list: h.fields}}
	h.texts = h.texts[:0]
	var authority, host []byte
	for _, f := range h.fields {
		switch f.Name {
		case ":method":
			r.Method = h.text(f.Value)
		case ":authority":
			authority = h.text(f.Value)
		case "host":
			host = h.text(f.Value)
		case ":path":
			r.Target = h.text(f.Value)
			r.Path = r.Target
		}
	}
	if authority == nil {
		authority = host
	}
	r.Host = http1.ParseHost(authority)
	h.s.sink.Event(r)
	h.checkBrief()
	return reading
}

// text returns a text of the event under way.
func (h *http2Reader) text(s string) []byte {
	n := len(h.texts)
	h.texts = append(h.texts, s...)
	return h.texts[n:len(h.texts):len(h.texts)]
}

// answer notes an answer, unless it is interim or the block holds trailers.
func (h *http2Reader) answer(x *Exchange) {
	for _, f := range h.fields {
		if f.Name != ":status" {
			continue
		}
		if n, err := strconv.ParseUint(f.Value, 10, 10); err == nil && n >= 200 {
			h.s.event.answer = Answer{Exchange: x, Status: int(n), Fields: Fields{list: h.fields}}
			h.s.sink.Event(&h.s.event.answer)
		}
		return
	}
}

// block takes a whole header block of a stream, whose fields are decoded.
func (h *http2Reader) block(dir proto.Direction, id uint32, fresh, ends bool) Cause {
	x := h.streams[id]
	if x == nil && fresh {
		if c := h.request(id); c != reading {
			return c
		}
		if dir == proto.OriginToClient {
			h.over(proto.ClientToOrigin, id, Complete) // promised requests have no content (RFC 9113, Section 8.4)
		}
	} else if x != nil && dir == proto.OriginToClient {
		h.answer(x)
	}
	if ends {
		h.over(dir, id, Complete)
	}
	return reading
}

// over ends one direction of a stream.
func (h *http2Reader) over(dir proto.Direction, id uint32, how Ending) {
	x := h.streams[id]
	if x == nil {
		return
	}
	h.s.end(x, dir, how)
	if x.over[dir.Opposite()] {
		delete(h.streams, id)
	}
	h.checkBrief()
}

// reset ends both directions.
func (h *http2Reader) reset(id uint32) {
	h.over(proto.ClientToOrigin, id, Cancelled)
	h.over(proto.OriginToClient, id, Cancelled)
}

// checkBrief gives up details if the sink needs none.
func (h *http2Reader) checkBrief() {
	if !h.s.brief || h.brief {
		return
	}
	h.brief = true
	clear(h.streams)
	h.fields, h.texts = nil, nil
	for dir := range h.sides {
		h.sides[dir].decoder, h.sides[dir].block = nil, nil
	}
}

func (h *http2Reader) end(proto.Direction) {}

func (h *http2Reader) close(how Ending) {
	for _, id := range slices.Sorted(maps.Keys(h.streams)) {
		h.s.end(h.streams[id], proto.ClientToOrigin, how)
		h.s.end(h.streams[id], proto.OriginToClient, how)
	}
	clear(h.streams)
}
