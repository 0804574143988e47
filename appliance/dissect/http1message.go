package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// request notes a request.
func (h *http1Reader) request(head []byte) Cause {
	var r http1.Request
	switch {
	case r.Parse(head, http1.Loose, nil) != http1.Sound:
		return StopBroken
	case len(h.open) >= maxPending:
		return StopBound
	}
	h.asked()
	x := exchangePool.Get().(*http1Exchange)
	h.s.open(&x.Exchange)
	switch string(r.Method) {
	case "HEAD":
		x.method = headMethod
	case "CONNECT":
		x.method = connectMethod
	}
	if h.s.contents != nil {
		x.asks(r.Fields)
	}
	h.open = append(h.open, x)
	e := &h.s.event().request // written in place: a copy costs more than the rest
	e.Exchange, e.Method, e.Target, e.Path, e.Host, e.Fields.section = &x.Exchange, r.Method, r.Target, r.Path, r.Host, r.Fields
	h.s.sink.Event(e)
	if h.deep != nil {
		h.deep.logins.request(&x.Exchange, &e.Fields)
	}
	h.expect(proto.ClientToOrigin, x, r.Framing)
	return reading
}

// answer notes an answer. rest are the octets behind its head.
func (h *http1Reader) answer(head, rest []byte) Cause {
	r, fault := http1.ParseResponse(head, http1.Loose, nil)
	if h.deep != nil && h.deep.unsure {
		if fault == http1.BadStart || fault == http1.BadVersion {
			return StopGap
		}
		h.deep.unsure = false
	}
	if len(h.open) == 0 && h.s.contents != nil && fault != http1.BadStart && fault != http1.BadVersion {
		h.orphan()
	}
	if fault == http1.BadStart || fault == http1.BadVersion || len(h.open) == 0 || h.open[0].over[proto.OriginToClient] {
		return StopBroken
	}
	if r.Code < 200 && r.Code != 101 {
		return reading // another one follows
	}
	x := h.open[0]
	if x.settings != nil && r.Code == 101 && token(http1.Find(r.Fields, "upgrade"), "h2c") {
		held := h.deep.held
		h.deep.held = nil
		return h.s.follow(upgradedHTTP2(h.s, &x.Exchange, x.settings), held, rest)
	}
	e := &h.s.event().answer
	e.Exchange, e.Status, e.Fields.section = &x.Exchange, r.Code, r.Fields
	h.s.sink.Event(e)
	if h.deep != nil {
		h.deep.logins.answered(h.s, &x.Exchange, r.Code)
	}
	h.answers(x)
	if r.Switches(x.method) {
		return h.switched(x, &r, rest)
	}
	if x.switches {
		if c := h.release(); c != reading {
			return c
		}
	}
	if fault != http1.Sound {
		return StopBroken
	}
	h.expect(proto.OriginToClient, x, r.ContentFor(x.method))
	return reading
}

// expect begins the content of a message, and ends the message if it has none.
func (h *http1Reader) expect(dir proto.Direction, x *http1Exchange, f http1.Framing) {
	if f.Extent == http1.NoContent {
		h.over(dir, x)
		return
	}
	side := &h.sides[dir]
	if c := h.chunks(dir); c != nil {
		*c = http1Chunks{}
	}
	side.content, side.message = contentPool.Get().(*http1.Content), x
	*side.content = http1.NewContent(f, http1.Loose, dir == proto.OriginToClient)
}

// settle ends the message of a direction if its content is over.
func (h *http1Reader) settle(dir proto.Direction) {
	side := &h.sides[dir]
	if side.content.Done() {
		contentPool.Put(side.content)
		x := side.message
		side.message, side.content = nil, nil
		if c := h.chunks(dir); c != nil && c.doubted && x.holes[dir] == 0 {
			h.s.end(&x.Exchange, dir, Lost) // something is missing, of which the size is not known
		}
		h.over(dir, x)
	}
}

// over ends a message that is complete.
func (h *http1Reader) over(dir proto.Direction, x *http1Exchange) {
	h.s.end(&x.Exchange, dir, Complete)
	if x.over[dir.Opposite()] {
		n := copy(h.open, h.open[1:])
		h.open = h.open[:n]
		*x = http1Exchange{}
		exchangePool.Put(x)
	}
}

// orphan makes an exchange for an answer whose request is lost, or never was.
func (h *http1Reader) orphan() {
	x := exchangePool.Get().(*http1Exchange)
	h.s.open(&x.Exchange)
	h.open = append(h.open, x)
	h.s.event().request = Request{Exchange: &x.Exchange}
	h.s.sink.Event(&h.s.event().request)
	h.s.end(&x.Exchange, proto.ClientToOrigin, Lost)
}
