package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

const maxPending = 128 // requests whose answers are not complete

// http1Reader follows HTTP/1 (RFC 9112).
type http1Reader struct {
	s     *Session
	sides [2]http1Side
	open  []*http1Exchange // the oldest first
	deep  *http1Deep       // nil: nobody asks for contents
}

// http1Deep is what a reader needs only if somebody asks for contents.
type http1Deep struct {
	held   []byte // of the client, behind a request that asks for another protocol
	logins webLogins
	unsure bool // it began in the middle of a session, and no answer was read
	sides  [2]http1Chunks
}

// http1Chunks is what is known of the chunks of one direction.
type http1Chunks struct {
	chunks
	search  *chunkSearch // the next one is looked for
	doubted bool         // and was found
}

// http1Exchange is an exchange of which a message is not complete.
type http1Exchange struct {
	Exchange
	method   []byte // if it matters for the answer
	switches bool   // it asks for another protocol
	settings []byte // of HTTP/2, if it asks for that
}

var headMethod, connectMethod = []byte("HEAD"), []byte("CONNECT")

// http1Side is one direction.
type http1Side struct {
	begun   []byte // the beginning of a head that came in pieces
	head    http1.Head
	message *http1Exchange // whose content is under way; nil between messages
	content *http1.Content // of message
}

func newHTTP1(s *Session) *http1Reader {
	h := &http1Reader{s: s}
	if s.contents != nil {
		h.deep = new(http1Deep)
	}
	return h
}

// chunks returns what is known of the chunks of a direction, nil if nobody asks.
func (h *http1Reader) chunks(dir proto.Direction) *http1Chunks {
	if h.deep == nil {
		return nil
	}
	return &h.deep.sides[dir]
}

func (h *http1Reader) data(dir proto.Direction, p []byte) Cause {
	side, chunks := &h.sides[dir], h.chunks(dir)
	for len(p) > 0 {
		if dir == proto.ClientToOrigin && h.waits() {
			if len(h.deep.held)+len(p) <= maxHeld {
				h.deep.held = append(h.deep.held, p...)
				return reading
			}
			if c := h.release(); c != reading {
				return c
			}
			continue
		}
		if chunks != nil && chunks.search != nil {
			p = h.search(dir, p)
			continue
		}
		if side.message != nil {
			n, content, fault := side.content.Next(p)
			if chunks != nil {
				chunks.took(n, content, side.content.Chunks().Content())
			}
			if content {
				h.s.content(&side.message.Exchange, dir, p[:n])
			}
			if fault != http1.Sound && chunks != nil && chunks.doubted {
				return StopGap
			}
			if fault != http1.Sound {
				return StopBroken
			}
			p = p[n:]
			h.settle(dir)
			continue
		}
		if len(side.begun) == 0 {
			p = p[http1.EmptyLines(p):]
		}
		head, rest, cause := side.section(p)
		if cause == StopBound && h.deep != nil && h.deep.unsure && dir == proto.OriginToClient {
			return StopGap // the rest of an answer that came late
		}
		if head == nil || cause != reading {
			return cause
		}
		if dir == proto.ClientToOrigin {
			cause = h.request(head)
		} else {
			cause = h.answer(head, rest)
		}
		if side.begun = nil; cause != reading || h.s.reader != h {
			return cause
		}
		p = rest
	}
	return reading
}

// section returns a whole head and what is behind it in p; nil as long as it is not
// whole.
func (side *http1Side) section(p []byte) (head, rest []byte, cause Cause) {
	if len(side.begun) == 0 {
		if n, _ := side.head.End(p, http1.Loose); n > http1.MaxHead {
			return nil, nil, StopBound
		} else if n > 0 {
			return p[:n], p[n:], reading
		}
	}
	before := len(side.begun)
	side.begun = append(side.begun, p[:min(len(p), http1.MaxHead-before)]...)
	if n, _ := side.head.End(side.begun, http1.Loose); n > 0 {
		return side.begun[:n], p[n-before:], reading
	}
	if len(side.begun) == http1.MaxHead {
		return nil, nil, StopBound
	}
	return nil, nil, reading
}

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

// orphan makes an exchange for an answer whose request is lost, or never was.
func (h *http1Reader) orphan() {
	x := exchangePool.Get().(*http1Exchange)
	h.s.open(&x.Exchange)
	h.open = append(h.open, x)
	h.s.event().request = Request{Exchange: &x.Exchange}
	h.s.sink.Event(&h.s.event().request)
	h.s.end(&x.Exchange, proto.ClientToOrigin, Lost)
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

func (h *http1Reader) gap(dir proto.Direction, n uint64) Cause {
	side := &h.sides[dir]
	if side.message == nil || h.deep != nil && dir == proto.ClientToOrigin && len(h.deep.held) > 0 {
		return StopGap
	}
	chunks := h.chunks(dir)
	if chunks != nil && chunks.search != nil {
		return StopGap
	}
	content, ok := side.content.Skip(n)
	if !ok && chunks != nil && side.content.Extent() == http1.ByChunks {
		search, more := chunks.begin(n - content)
		chunks.search, content = search, content+more
		h.s.hole(&side.message.Exchange, dir, content)
		return reading
	}
	h.s.hole(&side.message.Exchange, dir, content)
	if !ok {
		return StopGap
	}
	h.settle(dir)
	if content < n {
		return StopGap
	}
	return reading
}

func (h *http1Reader) end(dir proto.Direction) {
	side := &h.sides[dir]
	if side.message == nil {
		return
	}
	how := Cut
	if side.content.Extent() == http1.ToClose {
		how = Complete
	}
	h.s.end(&side.message.Exchange, dir, how)
}

func (h *http1Reader) close(how Ending) {
	for _, x := range h.open {
		h.s.end(&x.Exchange, proto.ClientToOrigin, how)
		h.s.end(&x.Exchange, proto.OriginToClient, how)
	}
}
