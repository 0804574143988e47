package h2

import (
	"errors"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

var errStalled = errors.New("the message's sender is silent, and may be waiting itself")

// hold gives a message whose header came to the services, unless decided says
// what becomes of it. The caller holds the lock.
func (x *Session) hold(st *stream, kind adapt.Kind, m *fields, decided *adapt.Verdict) {
	h := &st.halves[kind]
	h.held, h.deciding = true, true
	h.fields += 2 * sizeOf(m.list) // as it came, and as services see it
	if !x.keep(st, x.conns[kind]) {
		return
	}
	if !h.ended {
		x.advance(st, x.conns[kind])
	}
	x.held[kind]++
	ended := h.ended
	x.wg.Go(func() {
		x.contain(func() error { x.carry(st, kind, m, ended, decided); return nil })
		x.mu.Lock()
		x.held[kind]--
		x.conns[1-kind].cond.Broadcast()
		x.mu.Unlock()
	})
}

// carry takes a message through the services and on.
func (x *Session) carry(st *stream, kind adapt.Kind, m *fields, bare bool, decided *adapt.Verdict) {
	msg := adapt.Message{Kind: kind, Request: st.request, Length: m.length}
	if kind == adapt.Response {
		msg.Response = m.header(adapt.Response)
	}
	if bare {
		msg.Length = 0
	} else {
		msg.Body = &adaptedBody{x, st, kind}
	}
	var v adapt.Verdict
	var err error
	if decided != nil {
		v = *decided
	} else if v, err = x.Adapt(st.ctx, msg, []byte(m.media)); err != nil {
		x.mu.Lock()
		x.fault(st)
		x.mu.Unlock()
		return
	}
	defer v.Close()
	x.mu.Lock()
	st.halves[kind].deciding = false
	st.halves[kind].replay = 0
	x.mu.Unlock()
	switch {
	case v.Blocked:
		err = x.answer(st, kind, &v)
	case !v.Shown:
		x.release(st, kind, m.list)
	default:
		err = x.forward(st, kind, m, bare, &v)
	}
	if err != nil {
		x.mu.Lock()
		if !st.halves[kind].refused {
			x.fault(st)
		}
		x.mu.Unlock()
	}
}

// start writes the header of a message. It returns false if the stream is gone.
func (x *Session) start(st *stream, kind adapt.Kind, list []hpack.HeaderField, end bool) bool {
	to := x.conns[1-kind]
	x.room(to)
	switch {
	case st.gone, x.err != nil:
		return false
	case kind == adapt.Request:
		return x.open(st, list, end)
	}
	to.headers(st.client, list, end)
	return true
}

// release has a message that no service wants to see pass as it comes.
func (x *Session) release(st *stream, kind adapt.Kind, list []hpack.HeaderField) {
	x.mu.Lock()
	defer x.mu.Unlock()
	h := &st.halves[kind]
	h.bare = h.ended && h.got == 0 && h.trailers == nil
	if !x.start(st, kind, list, h.bare) {
		return
	}
	h.pending, h.buf, h.off = h.buf[h.off:], nil, 0
	x.conns[1-kind].debt += int64(len(h.pending)) // its sender has the connection's window back
	x.relay(st, kind)
}

// forward sends a message that the services let pass.
func (x *Session) forward(st *stream, kind adapt.Kind, m *fields, bare bool, v *adapt.Verdict) error {
	if v.Changed() {
		return x.replace(st, kind, m, v)
	}
	started, total, err := x.transfer(st, kind, m.list, bare && v.Body == nil, v.Body)
	if err != nil || !started {
		return err
	}
	v.Close()
	x.mu.Lock()
	defer x.mu.Unlock()
	h := &st.halves[kind]
	switch {
	case st.gone, h.refused:
	case !h.ended || total != h.got:
		return adapt.ErrLength
	default:
		x.leaveSource(st, kind)
		x.end(st, kind)
	}
	return nil
}

// replace sends what the services made of a message.
func (x *Session) replace(st *stream, kind adapt.Kind, m *fields, v *adapt.Verdict) error {
	list, length, ok := fieldsOf(v.Header, kind, m.scheme)
	if !ok {
		return adapt.ErrUnsound
	}
	body := v.Body
	if kind == adapt.Response && (st.head || m.status == 204 || m.status == 304) {
		body = nil
	}
	if kind == adapt.Request {
		x.mu.Lock()
		st.request = v.Header
		x.mu.Unlock()
	}
	started, total, err := x.transfer(st, kind, list, body == nil, body)
	switch {
	case err != nil || !started:
		return err
	case length >= 0 && body != nil && total != length:
		return adapt.ErrLength
	}
	v.Close()
	x.mu.Lock()
	defer x.mu.Unlock()
	h := &st.halves[kind]
	switch {
	case st.gone, h.refused:
	case !h.ended && kind == adapt.Response:
		x.end(st, kind)
		x.leaveOrigin(st)
	default:
		x.leaveSource(st, kind)
		x.end(st, kind)
	}
	return nil
}

// leaveSource has what still comes of a message that is replaced discarded.
func (x *Session) leaveSource(st *stream, kind adapt.Kind) {
	h := &st.halves[kind]
	h.discard = true
	unread := int64(len(h.buf)-h.off) + h.owed
	h.buf, h.off, h.owed = nil, 0, 0
	st.grant(x.conns[kind], unread)
}

// leaveOrigin ends a stream whose response is complete for the client, but not at
// the origin.
func (x *Session) leaveOrigin(st *stream) {
	if st.origin != 0 && (!st.halves[adapt.Response].ended || !st.halves[adapt.Request].sent) {
		x.conns[adapt.Response].reset(st.origin, http2.Cancel)
	}
	if !st.halves[adapt.Request].ended { // RFC 9113, Section 8.1
		x.conns[adapt.Request].reset(st.client, http2.NoError)
	}
	x.drop(st, &adapt.BodyError{Err: errReset})
}

// answer gives the client what a service answers.
func (x *Session) answer(st *stream, kind adapt.Kind, v *adapt.Verdict) error {
	list, _, ok := fieldsOf(v.Header, adapt.Response, "")
	if !ok {
		return adapt.ErrUnsound
	}
	body := v.Body
	if st.head {
		body = nil
	}
	x.mu.Lock()
	h := &st.halves[adapt.Response]
	h.begun, h.held, h.own = true, true, true
	x.mu.Unlock()
	if started, _, err := x.transfer(st, adapt.Response, list, body == nil, body); err != nil || !started {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !st.gone {
		x.end(st, adapt.Response)
		x.leaveOrigin(st)
	}
	return nil
}
