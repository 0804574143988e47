package dissect

import (
	"strconv"

	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// request opens an exchange for a request of which the fields are decoded.
func (h *http2Reader) request(id uint32) Cause {
	if len(h.streams) >= maxStreams && (h.s.contents == nil || len(h.streams) >= maxStreamsRead) {
		return StopBound
	}
	x := new(Exchange)
	h.s.open(x)
	h.streams[id] = x
	r := &h.s.event().request
	*r = Request{Exchange: x, Host: http2.Authority(h.fields), Fields: Fields{list: h.fields}}
	h.texts = h.texts[:0]
	for i := range h.fields {
		switch f := &h.fields[i]; f.Name {
		case ":method":
			r.Method = h.text(f.Value)
		case ":path":
			r.Target = h.text(f.Value)
			r.Path = r.Target
		}
	}
	h.s.sink.Event(r)
	if h.logins != nil {
		h.logins.request(x, &r.Fields)
	}
	if string(r.Method) == "CONNECT" {
		h.asks(id)
	}
	h.checkBrief()
	return reading
}

// text returns a text of the event at hand.
func (h *http2Reader) text(s string) []byte {
	n := len(h.texts)
	h.texts = append(h.texts, s...)
	return h.texts[n:len(h.texts):len(h.texts)]
}

// answer notes an answer, unless it is interim or the block holds trailers.
func (h *http2Reader) answer(id uint32, x *Exchange) {
	for i := range h.fields {
		if h.fields[i].Name != ":status" {
			continue
		}
		if n, err := strconv.ParseUint(h.fields[i].Value, 10, 10); err == nil && n >= 200 {
			h.s.event().answer = Answer{Exchange: x, Status: int(n), Fields: Fields{list: h.fields}}
			h.s.sink.Event(&h.s.event().answer)
			if h.logins != nil {
				h.logins.answered(h.s, x, int(n))
			}
			if n < 300 {
				h.grants(id, x)
			}
		}
		return
	}
}
