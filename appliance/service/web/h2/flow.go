package h2

import (
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// grant opens the stream's window for what is read from a connection.
func (st *stream) grant(from *conn, n int64) {
	h := &st.halves[from.kind]
	if n <= 0 || h.ended {
		return
	}
	h.recv += n
	if from.behind() {
		h.late += n
		from.late[st] = struct{}{}
		return
	}
	from.update(st.id(from), n)
}

// grant opens the connection's window for what is read.
func (c *conn) grant(n int64) {
	if n <= 0 {
		return
	}
	c.recv += n
	if c.behind() {
		c.lateAll += n
		return
	}
	c.update(0, n)
}

// announce writes the windows that were opened while the connection was behind: one
// frame for each stream, one for the connection.
func (c *conn) announce() {
	if c.lateAll > 0 {
		c.update(0, min(c.lateAll, maxWindow))
		c.lateAll = 0
	}
	for st := range c.late {
		h := &st.halves[c.kind]
		if !h.ended {
			c.update(st.id(c), min(h.late, maxWindow))
		}
		h.late = 0
	}
	clear(c.late)
}

// windowUpdate takes more window, for what is written to the connection that it comes
// from, and passes it on.
func (x *Session) windowUpdate(from, to *conn, id uint32, n int64) error {
	if id == 0 {
		if from.send += n; from.send > maxWindow {
			return adapt.Refuse(from.kind, adapt.Protocol)
		}
		paid := min(from.debt, n)
		from.debt -= paid
		to.grant(n - paid)
		x.hurry(to.kind)
		x.resume(to.kind)
		return nil
	}
	if !x.known(from, id) {
		return adapt.Refuse(from.kind, adapt.Protocol)
	}
	if st := x.find(from, id); st != nil {
		if !x.widen(st, to, n) {
			x.abandon(st, from, id, http2.FlowControlError)
		}
	}
	return nil
}

// widen changes by n the window of what goes from a connection on a stream.
func (x *Session) widen(st *stream, from *conn, n int64) bool {
	h := &st.halves[from.kind]
	if h.window += n; h.window > maxWindow {
		return false
	}
	if h.begun && !h.held {
		paid := min(h.debt, n)
		h.debt -= paid
		st.grant(from, n-paid)
		x.pass(st, from.kind, nil)
	}
	h.more.Signal()
	return true
}

// initialWindow obeys what a connection says of windows of new streams; it changes those
// of old ones as well (RFC 9113, Section 6.9.2).
func (x *Session) initialWindow(from, to *conn, n int64) bool {
	change := n - from.initial
	from.initial = n
	for _, st := range x.byClient {
		if !x.widen(st, to, change) {
			return false
		}
	}
	return true
}

// hurry wakes all that send messages of a kind for services.
func (x *Session) hurry(kind adapt.Kind) {
	for _, st := range x.byClient {
		st.halves[kind].more.Signal()
	}
}

// pending reports whether octets of relayed messages of a kind wait for window.
func (x *Session) pending(kind adapt.Kind) bool {
	for _, st := range x.byClient {
		if len(st.halves[kind].pending) > 0 {
			return true
		}
	}
	return false
}

// resume goes on with relayed messages of a kind whose octets are pending.
func (x *Session) resume(kind adapt.Kind) {
	for _, st := range x.byClient {
		if x.conns[1-kind].behind() {
			return // its writer resumes
		}
		if len(st.halves[kind].pending) > 0 {
			x.pass(st, kind, nil)
		}
	}
}
