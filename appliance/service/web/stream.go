package web

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// heldWindow is what the sender of a message that a service has may send ahead.
const heldWindow = 256 << 10

// stream is an exchange of an HTTP/2 session. The session's lock guards it.
type stream struct {
	client uint32 // number on the client's connection
	origin uint32 // number on the origin's, 0 until it is opened there
	ctx    context.Context
	cancel context.CancelFunc
	halves [2]half // by kind
	gone   bool

	head    bool // method HEAD
	tunnel  bool // CONNECT
	scheme  string
	request []byte // header block as sent, if a service wants responses
}

// id returns the stream's number on a leg.
func (st *stream) id(l *frameLeg) uint32 {
	if l.kind == Request {
		return st.client
	}
	return st.origin
}

// half is one message of a stream, on its way from one leg to the other.
type half struct {
	begun  bool  // its header came
	ended  bool  // its end came
	sent   bool  // its end was written
	held   bool  // a service has it
	own    bool  // a service's answer stands in its place
	bare   bool  // its end was written with its header
	expect int64 // of content-length, -1 without
	got    int64 // octets of content that came

	window   int64 // what we may write
	recv     int64 // what its sender may send
	debt     int64 // of window that is opened to us: so much is not passed on
	late     int64 // of recv, not yet announced to its sender
	pending  []byte
	trailers []hpack.HeaderField
	fields   int // octets of header and trailers that are kept
	kept     int // octets of all that is kept, as last counted

	more sync.Cond // for who sends it for a service

	// For a service.
	cond     sync.Cond
	buf      []byte // buf[off:] is unread
	off      int
	owed     int64 // of window for what was read, not yet announced
	ahead    int64 // of window beyond the first
	replay   int   // octets that services may keep to send them again
	chunk    int   // memory by which content is sent
	err      error // why no more comes
	deciding bool  // a service has not answered
	stalled  bool
	discard  bool // nobody reads
	refused  bool // its receiver takes no more; the stream ends with the response
}

// cut ends a message that is not whole. The caller holds the lock.
func (h *half) cut(err error) {
	if !h.ended && h.err == nil {
		h.err = err
		h.cond.Broadcast()
	}
}

// newStream begins a stream of the client. The caller holds the lock.
func (f *frames) newStream(id uint32, m *fields) *stream {
	st := &stream{client: id, head: m.method == "HEAD", tunnel: m.tunnel, scheme: m.scheme}
	st.ctx, st.cancel = context.WithCancel(f.x.ctx)
	for kind := range st.halves {
		h := &st.halves[kind]
		h.window, h.recv, h.expect = f.legs[1-kind].initial, defaultWindow, -1
		h.cond.L, h.more.L = &f.mu, &f.mu
	}
	f.byClient[id] = st
	return st
}

// find returns the stream with a number on a leg, nil if it is over or never was.
func (f *frames) find(l *frameLeg, id uint32) *stream {
	if l.kind == Request {
		return f.byClient[id]
	}
	return f.byOrigin[id]
}

// known reports whether a stream is or was open on a leg.
func (f *frames) known(l *frameLeg, id uint32) bool {
	if l.kind == Request {
		return id&1 == 1 && id <= f.newest
	}
	return id&1 == 1 && id <= f.opened
}

// drop forgets a stream. What waits for it gets err.
func (f *frames) drop(st *stream, err error) {
	if st.gone {
		return
	}
	st.gone = true
	st.cancel()
	delete(f.byClient, st.client)
	delete(f.byOrigin, st.origin)
	for kind := range st.halves {
		h := &st.halves[kind]
		delete(f.legs[kind].late, st)
		f.ahead -= h.ahead
		h.ahead = 0
		f.kept -= h.kept
		h.kept = 0
		if len(h.pending) > 0 {
			f.legs[kind].refund(len(h.pending))
			h.pending = nil
		}
		if h.err == nil {
			h.err = err
		}
		h.cond.Broadcast()
		h.more.Signal()
		f.legs[kind].cond.Broadcast()
	}
}

var errReset = errors.New("stream was reset")

// abandon resets a stream for a fault of what comes from a leg; st is nil if only
// the number is known.
func (f *frames) abandon(st *stream, from *frameLeg, id uint32, code http2.ErrCode) {
	from.writer.WriteRSTStream(id, code)
	from.kick()
	if st == nil {
		return
	}
	if to := f.legs[1-from.kind]; st.id(to) != 0 {
		to.writer.WriteRSTStream(st.id(to), http2.ErrCodeCancel)
		to.kick()
	}
	f.drop(st, &brokenBody{errReset})
}

// fault is abandon for a fault of our own, or of a service.
func (f *frames) fault(st *stream) {
	if !st.gone {
		f.abandon(st, f.legs[Request], st.client, http2.ErrCodeInternal)
	}
}

// finish notes that the end of a message was written.
func (f *frames) finish(st *stream, kind Kind) {
	h := &st.halves[kind]
	h.sent = true
	f.ahead -= h.ahead
	h.ahead = 0
	f.count(st, kind)
	if kind == Response && st.halves[Request].refused {
		f.legs[Request].writer.WriteRSTStream(st.client, http2.ErrCodeNo)
		f.legs[Request].kick()
		f.drop(st, &brokenBody{errReset})
		return
	}
	if st.halves[Request].sent && st.halves[Response].sent {
		f.drop(st, errEnded)
	}
}

// satisfied handles an origin that has answered and wants no more of the request
// (RFC 9113, Section 8.1), while its answer is still on its way. It returns false
// if that is not so.
func (f *frames) satisfied(st *stream, from Kind) bool {
	if h := &st.halves[Response]; from != Response || !h.ended || h.sent {
		return false
	}
	h := &st.halves[Request]
	h.refused, h.discard = true, true
	if len(h.pending) > 0 {
		f.legs[Request].refund(len(h.pending))
		h.pending = nil
	}
	h.cond.Broadcast()
	h.more.Signal()
	return true
}

// open begins the stream at the origin. The caller has waited for room.
func (f *frames) open(st *stream, list []hpack.HeaderField, end bool) bool {
	if f.away {
		f.legs[Request].writer.WriteRSTStream(st.client, http2.ErrCodeRefusedStream)
		f.legs[Request].kick()
		f.drop(st, &brokenBody{errReset})
		return false
	}
	if f.opened == 0 {
		f.opened = 1
	} else {
		f.opened += 2
	}
	st.origin = f.opened
	f.byOrigin[st.origin] = st
	f.legs[Response].headers(st.origin, list, end)
	return true
}

// header takes a header block.
func (f *frames) header(from, to *frameLeg, frame *http2.MetaHeadersFrame) error {
	id := frame.StreamID
	st := f.find(from, id)
	switch {
	case st != nil && st.halves[from.kind].begun:
		f.trailers(st, from, to, frame)
		return nil
	case st != nil && from.kind == Response:
		f.responseHeader(st, frame)
		return nil
	case f.known(from, id):
		return nil // over
	case from.kind == Response, id&1 == 0:
		return &Refusal{from.kind, protocol}
	}
	f.newest = id
	m, word := checkFields(frame.Fields, Request)
	switch {
	case frame.Truncated:
		f.abandon(nil, from, id, http2.ErrCodeEnhanceYourCalm)
		return nil
	case word != "":
		f.abandon(nil, from, id, http2.ErrCodeProtocol)
		return nil
	case f.away, len(f.byClient) >= maxStreams, f.held[Request] >= 2*maxStreams, f.kept > refusedFrom:
		f.abandon(nil, from, id, http2.ErrCodeRefusedStream)
		return nil
	}
	end := frame.StreamEnded()
	if end && m.length > 0 {
		f.abandon(nil, from, id, http2.ErrCodeProtocol)
		return nil
	}
	st = f.newStream(id, &m)
	h := &st.halves[Request]
	h.begun, h.ended, h.bare, h.expect = true, end, end, m.length
	if f.x.wants(Response) || f.x.wants(Request) {
		st.request = m.header(Request)
		h.fields = len(st.request)
		f.count(st, Request)
	}
	switch {
	case m.tunnel && f.x.cfg.Upgrade == Block:
		head, body := page(403, whyUpgrade, false)
		f.hold(st, Request, &m, &verdict{header: head, body: bytesReader(body), blocked: true})
	case f.x.wants(Request) && !m.tunnel:
		f.hold(st, Request, &m, nil)
	default:
		if f.open(st, m.list, end) {
			f.relay(st, Request)
		}
	}
	return nil
}

// responseHeader takes the header of a response, interim or final.
func (f *frames) responseHeader(st *stream, frame *http2.MetaHeadersFrame) {
	from, to := f.legs[Response], f.legs[Request]
	m, word := checkFields(frame.Fields, Response)
	end := frame.StreamEnded()
	bodiless := st.head || m.status == 204 || m.status == 304
	switch {
	case word != "", frame.Truncated, end && m.status < 200, end && m.length > 0 && !bodiless:
		f.abandon(st, from, st.origin, http2.ErrCodeProtocol)
		return
	case m.status < 200:
		to.headers(st.client, m.list, false)
		return
	}
	h := &st.halves[Response]
	h.begun, h.ended, h.bare, h.expect = true, end, end, m.length
	if bodiless {
		h.expect = 0
	}
	if f.x.wants(Response) && !st.tunnel {
		f.hold(st, Response, &m, nil)
		return
	}
	to.headers(st.client, m.list, end)
	f.relay(st, Response)
}

// trailers takes those of a message, which end it.
func (f *frames) trailers(st *stream, from, to *frameLeg, frame *http2.MetaHeadersFrame) {
	h := &st.halves[from.kind]
	if h.ended || !frame.StreamEnded() || frame.Truncated || !checkTrailers(frame.Fields) || h.expect >= 0 && h.got != h.expect {
		f.abandon(st, from, st.id(from), http2.ErrCodeProtocol)
		return
	}
	h.ended, h.trailers = true, frame.Fields
	if h.held || len(h.pending) > 0 {
		h.fields += sizeOf(frame.Fields)
		if !f.keep(st, from) {
			return
		}
	}
	h.cond.Broadcast()
	if !h.held {
		f.pass(st, from.kind, nil)
	}
}

// relay has the rest of a message, whose header was written, pass as it comes.
func (f *frames) relay(st *stream, kind Kind) {
	from := f.legs[kind]
	h := &st.halves[kind]
	h.held = false
	f.count(st, kind)
	switch more := h.window - h.recv - int64(len(h.pending)); {
	case h.ended:
	case more > 0:
		st.grant(from, more)
	default:
		h.debt = -more
	}
	f.pass(st, kind, nil)
}

// data takes content.
func (f *frames) data(from, to *frameLeg, frame *http2.DataFrame) error {
	size, p := int(frame.Length), frame.Data()
	if from.recv -= int64(size); from.recv < 0 || !f.known(from, frame.StreamID) {
		return &Refusal{from.kind, protocol}
	}
	st := f.find(from, frame.StreamID)
	if st == nil {
		from.refund(size)
		return nil
	}
	h := &st.halves[from.kind]
	h.recv -= int64(size)
	h.got += int64(len(p))
	end := frame.StreamEnded()
	code := http2.ErrCodeNo
	switch {
	case !h.begun:
		code = http2.ErrCodeProtocol
	case h.ended:
		code = http2.ErrCodeStreamClosed
	case h.recv < 0:
		code = http2.ErrCodeFlowControl
	case h.expect >= 0 && (h.got > h.expect || end && h.got != h.expect):
		code = http2.ErrCodeProtocol
	}
	if code != http2.ErrCodeNo {
		from.refund(size)
		f.abandon(st, from, frame.StreamID, code)
		return nil
	}
	h.ended = end
	from.refund(size - len(p)) // padding goes no further
	st.grant(from, int64(size-len(p)))
	if !h.held {
		f.pass(st, from.kind, p)
		return nil
	}
	from.refund(len(p))
	if h.discard {
		st.grant(from, int64(len(p)))
	} else {
		if h.off > 0 && len(h.buf)+len(p) > cap(h.buf) {
			h.buf, h.off = h.buf[:copy(h.buf, h.buf[h.off:])], 0
		}
		h.buf = append(h.buf, p...)
		f.keep(st, from)
	}
	h.cond.Broadcast()
	return nil
}

// pass writes p, and before it what is pending of a relayed message, as far as
// the windows of its receiver allow. The rest, and the end, are pending.
func (f *frames) pass(st *stream, kind Kind, p []byte) {
	to := f.legs[1-kind]
	h := &st.halves[kind]
	switch {
	case h.refused:
		f.legs[kind].refund(len(p))
		return
	case h.sent:
		return
	}
	pending := len(h.pending) > 0
	if pending {
		h.pending = append(h.pending, p...)
		p = h.pending
	}
	for len(p) > 0 && h.window > 0 && to.send > 0 && !to.behind() {
		n := min(int64(len(p)), h.window, to.send, maxFrame)
		h.window -= n
		to.send -= n
		last := h.ended && n == int64(len(p)) && h.trailers == nil
		to.writer.WriteData(st.id(to), last, p[:n])
		to.kick()
		if p = p[n:]; last {
			h.pending = nil
			to.cond.Broadcast()
			f.finish(st, kind)
			return
		}
	}
	switch {
	case len(p) == 0:
		h.pending = nil
		if pending {
			to.cond.Broadcast()
		}
	case pending:
		h.pending = h.pending[:copy(h.pending, p)]
	default:
		h.pending = append(h.pending, p...)
	}
	if pending || len(p) > 0 {
		if !f.keep(st, f.legs[kind]) {
			return
		}
	}
	if len(h.pending) == 0 && h.ended {
		f.end(st, kind)
	}
}

// end writes the end of a message behind its content. One that ended with its
// header has it written.
func (f *frames) end(st *stream, kind Kind) {
	to := f.legs[1-kind]
	h := &st.halves[kind]
	switch {
	case h.bare:
	case h.trailers != nil && !h.own:
		to.headers(st.id(to), h.trailers, true)
	default:
		to.writer.WriteData(st.id(to), true, nil)
		to.kick()
	}
	f.finish(st, kind)
}
