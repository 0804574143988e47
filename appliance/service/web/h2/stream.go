package h2

import (
	"context"
	"errors"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// heldWindow is what the sender of a message that a service has may send ahead.
const heldWindow = 256 << 10

// stream is an exchange of an HTTP/2 session. The session's lock guards it.
type stream struct {
	client uint32 // number on the client's connection
	origin uint32 // number on the origin's, 0 until it is opened there
	ctx    context.Context
	cancel context.CancelFunc
	halves [2]halfStream // by kind
	gone   bool

	head    bool // method HEAD
	tunnel  bool // CONNECT
	scheme  string
	request []byte // header block as sent, if a service wants responses
}

// id returns the stream's number on a connection.
func (st *stream) id(c *conn) uint32 {
	if c.kind == adapt.Request {
		return st.client
	}
	return st.origin
}

// newStream begins a stream of the client. The caller holds the lock.
func (x *Session) newStream(id uint32, m *fields) *stream {
	st := &stream{client: id, head: m.method == "HEAD", tunnel: m.tunnel, scheme: m.scheme}
	st.ctx, st.cancel = context.WithCancel(x.Context)
	for kind := range st.halves {
		h := &st.halves[kind]
		h.window, h.recv, h.expect = x.conns[1-kind].initial, http2.DefaultWindow, -1
		h.cond.L, h.more.L = &x.mu, &x.mu
	}
	x.byClient[id] = st
	return st
}

// find returns the stream with a number on a connection, nil if it is over or never was.
func (x *Session) find(c *conn, id uint32) *stream {
	if c.kind == adapt.Request {
		return x.byClient[id]
	}
	return x.byOrigin[id]
}

// known reports whether a stream is or was open on a connection.
func (x *Session) known(c *conn, id uint32) bool {
	if c.kind == adapt.Request {
		return id&1 == 1 && id <= x.newest
	}
	return id&1 == 1 && id <= x.opened
}

// drop forgets a stream. What waits for it gets err.
func (x *Session) drop(st *stream, err error) {
	if st.gone {
		return
	}
	st.gone = true
	st.cancel()
	delete(x.byClient, st.client)
	delete(x.byOrigin, st.origin)
	for kind := range st.halves {
		h := &st.halves[kind]
		delete(x.conns[kind].late, st)
		x.ahead -= h.ahead
		h.ahead = 0
		x.kept -= h.kept
		h.kept = 0
		if len(h.pending) > 0 {
			x.conns[kind].refund(len(h.pending))
			h.pending = nil
		}
		if h.err == nil {
			h.err = err
		}
		h.cond.Broadcast()
		h.more.Signal()
		x.conns[kind].cond.Broadcast()
	}
}

var errReset = errors.New("stream was reset")

// abandon resets a stream for a fault of what comes from a connection; st is nil if only
// the number is known.
func (x *Session) abandon(st *stream, from *conn, id uint32, code http2.Code) {
	from.reset(id, code)
	if st == nil {
		return
	}
	if to := x.conns[1-from.kind]; st.id(to) != 0 {
		to.reset(st.id(to), http2.Cancel)
	}
	x.drop(st, &adapt.BodyError{Err: errReset})
}

// fault is abandon for a fault of our own, or of a service.
func (x *Session) fault(st *stream) {
	if !st.gone {
		x.abandon(st, x.conns[adapt.Request], st.client, http2.InternalError)
	}
}

// finish notes that the end of a message was written.
func (x *Session) finish(st *stream, kind adapt.Kind) {
	h := &st.halves[kind]
	h.sent = true
	x.ahead -= h.ahead
	h.ahead = 0
	x.count(st, kind)
	if kind == adapt.Response && st.halves[adapt.Request].refused {
		x.conns[adapt.Request].reset(st.client, http2.NoError)
		x.drop(st, &adapt.BodyError{Err: errReset})
		return
	}
	if st.halves[adapt.Request].sent && st.halves[adapt.Response].sent {
		x.drop(st, errEnded)
	}
}

// satisfied handles an origin that has answered and wants no more of the request
// (RFC 9113, Section 8.1), while its answer is still on its way. It returns false
// if that is not so.
func (x *Session) satisfied(st *stream, from adapt.Kind) bool {
	if h := &st.halves[adapt.Response]; from != adapt.Response || !h.ended || h.sent {
		return false
	}
	h := &st.halves[adapt.Request]
	h.refused, h.discard = true, true
	if len(h.pending) > 0 {
		x.conns[adapt.Request].refund(len(h.pending))
		h.pending = nil
	}
	h.cond.Broadcast()
	h.more.Signal()
	return true
}

// open begins the stream at the origin. The caller has waited for room.
func (x *Session) open(st *stream, list []hpack.HeaderField, end bool) bool {
	if x.away {
		x.conns[adapt.Request].reset(st.client, http2.RefusedStream)
		x.drop(st, &adapt.BodyError{Err: errReset})
		return false
	}
	if x.opened == 0 {
		x.opened = 1
	} else {
		x.opened += 2
	}
	st.origin = x.opened
	x.byOrigin[st.origin] = st
	x.conns[adapt.Response].headers(st.origin, list, end)
	return true
}
