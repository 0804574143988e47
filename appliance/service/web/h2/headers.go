package h2

import (
	"bytes"

	"golang.org/x/net/http2"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
)

// header takes a header block.
func (x *Session) header(from, to *conn, frame *http2.MetaHeadersFrame) error {
	id := frame.StreamID
	st := x.find(from, id)
	switch {
	case st != nil && st.halves[from.kind].begun:
		x.trailers(st, from, to, frame)
		return nil
	case st != nil && from.kind == adapt.Response:
		x.responseHeader(st, frame)
		return nil
	case x.known(from, id):
		return nil // over
	case from.kind == adapt.Response, id&1 == 0:
		return adapt.Refuse(from.kind, adapt.Protocol)
	}
	x.newest = id
	m, ok := checkFields(frame.Fields, adapt.Request)
	switch {
	case frame.Truncated:
		x.abandon(nil, from, id, http2.ErrCodeEnhanceYourCalm)
		return nil
	case !ok:
		x.abandon(nil, from, id, http2.ErrCodeProtocol)
		return nil
	case x.away, len(x.byClient) >= maxStreams, x.held[adapt.Request] >= 2*maxStreams, x.kept > refusedFrom:
		x.abandon(nil, from, id, http2.ErrCodeRefusedStream)
		return nil
	}
	end := frame.StreamEnded()
	if end && m.length > 0 {
		x.abandon(nil, from, id, http2.ErrCodeProtocol)
		return nil
	}
	st = x.newStream(id, &m)
	h := &st.halves[adapt.Request]
	h.begun, h.ended, h.bare, h.expect = true, end, end, m.length
	if x.Wants(adapt.Response) || x.Wants(adapt.Request) {
		st.request = m.header(adapt.Request)
		h.fields = len(st.request)
		x.count(st, adapt.Request)
	}
	switch {
	case m.tunnel && x.Config.Upgrade == adapt.Block:
		head, body := adapt.Page(403, adapt.WhyUpgrade, false)
		x.hold(st, adapt.Request, &m, &adapt.Verdict{Header: head, Body: bytes.NewReader(body), Blocked: true})
	case x.Wants(adapt.Request) && !m.tunnel:
		x.hold(st, adapt.Request, &m, nil)
	default:
		if x.open(st, m.list, end) {
			x.relay(st, adapt.Request)
		}
	}
	return nil
}

// responseHeader takes the header of a response, interim or final.
func (x *Session) responseHeader(st *stream, frame *http2.MetaHeadersFrame) {
	from, to := x.conns[adapt.Response], x.conns[adapt.Request]
	m, ok := checkFields(frame.Fields, adapt.Response)
	end := frame.StreamEnded()
	bodiless := st.head || m.status == 204 || m.status == 304
	switch {
	case !ok, frame.Truncated, end && m.status < 200, end && m.length > 0 && !bodiless:
		x.abandon(st, from, st.origin, http2.ErrCodeProtocol)
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
func (x *Session) trailers(st *stream, from, to *conn, frame *http2.MetaHeadersFrame) {
	h := &st.halves[from.kind]
	if h.ended || !frame.StreamEnded() || frame.Truncated || !checkTrailers(frame.Fields) || h.expect >= 0 && h.got != h.expect {
		x.abandon(st, from, st.id(from), http2.ErrCodeProtocol)
		return
	}
	h.ended, h.trailers = true, frame.Fields
	if h.held || len(h.pending) > 0 {
		h.fields += sizeOf(frame.Fields)
		if !x.keep(st, from) {
			return
		}
	}
	h.cond.Broadcast()
	if !h.held {
		x.pass(st, from.kind, nil)
	}
}
