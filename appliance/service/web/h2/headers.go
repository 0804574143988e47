package h2

import (
	"bytes"
	"slices"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// header takes a header block.
func (x *Session) header(from, to *conn, b *headerBlock) error {
	id := b.stream
	st := x.find(from, id)
	switch {
	case st != nil && st.halves[from.kind].begun:
		x.trailers(st, from, b)
		return nil
	case st != nil && from.kind == adapt.Response:
		x.responseHeader(st, b)
		return nil
	case x.known(from, id):
		return nil // over
	case from.kind == adapt.Response, id&1 == 0:
		return adapt.Refuse(from.kind, adapt.Protocol)
	}
	x.newest = id
	m, ok := checkFields(b, adapt.Request)
	switch {
	case b.truncated:
		from.reset(id, http2.EnhanceYourCalm)
	case !ok, b.ends && m.length > 0:
		from.reset(id, http2.ProtocolError)
	case x.away, len(x.byClient) >= maxStreams, x.held[adapt.Request] >= 2*maxStreams, x.kept > refusedFrom:
		from.reset(id, http2.RefusedStream)
	default:
		x.begin(id, b.ends, &m)
	}
	return nil
}

// begin begins a stream with a request.
func (x *Session) begin(id uint32, ends bool, m *fields) {
	if x.Config.Whole && x.Wants(adapt.Response) {
		m.list = slices.DeleteFunc(m.list, func(f hpack.HeaderField) bool { return adapt.IsRange([]byte(f.Name)) })
	}
	st := x.newStream(id, m)
	h := &st.halves[adapt.Request]
	h.begun, h.ended, h.bare, h.expect = true, ends, ends, m.length
	if x.Wants(adapt.Response) || x.Wants(adapt.Request) {
		st.request = m.header(adapt.Request)
		h.fields = len(st.request)
		x.count(st, adapt.Request)
	}
	switch {
	case m.tunnel && !x.Config.Upgrade.Passes():
		head, body := adapt.Page(403, adapt.WhyUpgrade, false)
		x.hold(st, adapt.Request, m, &adapt.Verdict{Header: head, Body: bytes.NewReader(body), Blocked: true})
	case x.Wants(adapt.Request) && !m.tunnel:
		x.hold(st, adapt.Request, m, nil)
	default:
		if m.tunnel {
			x.Bypass()
		}
		if x.open(st, m.list, ends) {
			x.relay(st, adapt.Request)
		}
	}
}

// responseHeader takes the header of a response, interim or final.
func (x *Session) responseHeader(st *stream, b *headerBlock) {
	from, to := x.conns[adapt.Response], x.conns[adapt.Request]
	m, ok := checkFields(b, adapt.Response)
	end := b.ends
	bodiless := st.head || m.status == 204 || m.status == 304
	switch {
	case !ok, b.truncated, end && m.status < 200, end && m.length > 0 && !bodiless:
		x.abandon(st, from, st.origin, http2.ProtocolError)
		return
	case m.status < 200:
		to.headers(st.client, m.list, false)
		return
	}
	h := &st.halves[adapt.Response]
	h.begun, h.ended, h.bare, h.expect = true, end, end, m.length
	if bodiless {
		h.expect = 0
	}
	if x.Wants(adapt.Response) && !st.tunnel {
		x.hold(st, adapt.Response, &m, nil)
		return
	}
	to.headers(st.client, m.list, end)
	x.relay(st, adapt.Response)
}

// trailers takes those of a message, which end it.
func (x *Session) trailers(st *stream, from *conn, b *headerBlock) {
	h := &st.halves[from.kind]
	if h.ended || !b.ends || b.truncated || !checkTrailers(b) || h.expect >= 0 && h.got != h.expect {
		x.abandon(st, from, st.id(from), http2.ProtocolError)
		return
	}
	h.ended, h.trailers = true, b.fields
	if h.held || len(h.pending) > 0 {
		h.fields += sizeOf(b.fields)
		if !x.keep(st, from) {
			return
		}
	}
	h.cond.Broadcast()
	if !h.held {
		x.pass(st, from.kind, nil)
	}
}
