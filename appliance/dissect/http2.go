package dissect

import (
	"errors"
	"maps"
	"slices"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

const (
	maxStreams     = 256      // that are open at a time
	maxStreamsRead = 4096     // if somebody asks for contents
	maxBlock       = 64 << 10 // octets of a header block, and of its fields
)

// http2Reader follows HTTP/2 (RFC 9113).
type http2Reader struct {
	s       *Session
	sides   [2]http2Side
	streams map[uint32]*Exchange // that are open
	highest uint32               // stream of the client's
	fields  []hpack.HeaderField  // of the block at hand
	texts   []byte               // of the event at hand
	brief   bool                 // streams are counted, blocks passed over
	tunnels map[uint32]*http2Tunnel
	nests   uint64     // sessions within streams
	logins  *webLogins // nil: nobody asks for contents
}

// http2Side is one direction.
type http2Side struct {
	frames *http2.Reader
	blocks *http2.Decoder // nil if brief
}

func newHTTP2(s *Session) *http2Reader {
	h := &http2Reader{s: s, streams: make(map[uint32]*Exchange)}
	if s.contents != nil {
		h.logins = new(webLogins)
	}
	for dir := range proto.Direction(2) {
		h.sides[dir] = http2Side{http2.NewReader(dir, http2.Loose, http2.Limits{Block: maxBlock}), http2.NewDecoder(maxBlock)}
	}
	return h
}

func (h *http2Reader) data(dir proto.Direction, p []byte) Cause {
	for len(p) > 0 {
		f, n, err := h.sides[dir].frames.Next(p)
		p = p[n:]
		if err != nil {
			if c := faulty(err); c != reading {
				return c
			}
			continue
		}
		if f == nil {
			continue
		}
		if c := h.frame(dir, f); c != reading {
			return c
		}
	}
	h.sides[dir].frames.Release()
	return reading
}

// faulty returns what a fault means for a reader that only watches.
func faulty(err error) Cause {
	var fault *http2.Fault
	switch errors.As(err, &fault); {
	case fault.Passed:
		return reading
	case fault.Code == http2.EnhanceYourCalm:
		return StopBound
	}
	return StopBroken
}

// frame takes a frame, or a piece of one.
func (h *http2Reader) frame(dir proto.Direction, f *http2.Frame) Cause {
	switch f.Type {
	case http2.Data:
		h.content(dir, f.Stream, f.Body)
		h.ends(dir, f)
	case http2.Headers:
		fresh := f.First && dir == proto.ClientToOrigin && f.Stream > h.highest
		if fresh {
			h.highest = f.Stream
		}
		if h.brief {
			h.count(fresh)
			return reading
		}
		return h.headers(dir, f, fresh)
	case http2.PushPromise:
		if !h.brief {
			return h.promise(dir, f)
		}
	case http2.RSTStream:
		h.over(proto.ClientToOrigin, f.Stream, Cancelled)
		h.over(proto.OriginToClient, f.Stream, Cancelled)
	case http2.Settings:
		h.settings(dir, f)
	}
	return reading
}

// settings has the other direction's decoder obey what one end allows.
func (h *http2Reader) settings(dir proto.Direction, f *http2.Frame) {
	for s := range f.Settings() {
		if s.ID == http2.HeaderTableSize && !h.brief {
			h.sides[dir.Opposite()].blocks.AllowTable(s.Value)
		}
	}
}

// count reports a request that is fresh to a brief sink.
func (h *http2Reader) count(fresh bool) {
	if fresh {
		h.s.event().request = Request{}
		h.s.sink.Event(&h.s.event().request)
	}
}

// headers takes a header block: of a request, an answer or trailers.
func (h *http2Reader) headers(dir proto.Direction, f *http2.Frame, fresh bool) Cause {
	if c := h.decode(dir, f); c != reading {
		return c
	}
	x := h.streams[f.Stream]
	switch {
	case fresh:
		if c := h.request(f.Stream); c != reading {
			return c
		}
	case x != nil && dir == proto.OriginToClient:
		h.answer(f.Stream, x)
	}
	h.ends(dir, f)
	return reading
}

// promise takes a request that the origin makes up. It has no content (RFC 9113,
// Section 8.4).
func (h *http2Reader) promise(dir proto.Direction, f *http2.Frame) Cause {
	c := h.decode(dir, f)
	if c == reading && h.streams[f.Promised] == nil {
		c = h.request(f.Promised)
		h.over(proto.ClientToOrigin, f.Promised, Complete)
	}
	return c
}

// decode decodes a header block.
func (h *http2Reader) decode(dir proto.Direction, f *http2.Frame) Cause {
	fields, _, err := h.sides[dir].blocks.Decode(h.fields[:0], f)
	if err != nil {
		return StopBroken
	}
	h.fields = fields
	return reading
}

// ends ends a direction of a stream if the last octets of its last frame are there.
func (h *http2Reader) ends(dir proto.Direction, f *http2.Frame) {
	if f.Last && f.EndsStream() {
		h.over(dir, f.Stream, Complete)
	}
}

// over ends a direction of a stream.
func (h *http2Reader) over(dir proto.Direction, id uint32, how Ending) {
	x := h.streams[id]
	if x == nil {
		return
	}
	h.leaves(dir, id, how, x.over[dir.Opposite()])
	h.s.end(x, dir, how)
	if x.over[dir.Opposite()] {
		delete(h.streams, id)
	}
	h.checkBrief()
}

// checkBrief gives up details if the sink needs none.
func (h *http2Reader) checkBrief() {
	if !h.s.brief || h.brief {
		return
	}
	h.brief = true
	for _, t := range h.tunnels {
		if t.reader != nil {
			t.reader.close(Cut)
		}
	}
	clear(h.streams)
	h.tunnels = nil
	h.fields, h.texts = nil, nil
	for dir := range h.sides {
		h.sides[dir].frames.SkipBlocks()
		h.sides[dir].blocks = nil
	}
}

func (h *http2Reader) gap(dir proto.Direction, n uint64) Cause {
	f, content, ok := h.sides[dir].frames.Skip(n)
	if !ok {
		return StopGap
	}
	if f != nil && f.Type == http2.Data {
		h.hole(dir, f.Stream, content)
		h.ends(dir, f)
	}
	return reading
}

func (h *http2Reader) end(proto.Direction) {}

func (h *http2Reader) close(how Ending) {
	for _, id := range slices.Sorted(maps.Keys(h.streams)) {
		h.over(proto.ClientToOrigin, id, how)
		h.over(proto.OriginToClient, id, how)
	}
}
