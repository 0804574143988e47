package h1

import (
	"io"
	"slices"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/appliance/service/web/ws"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// readRequests reads requests until the client ends.
func (x *Session) readRequests() error {
	for {
		if err := x.Client.Await(); err != nil {
			return err
		}
		if len(x.Client.Unread()) > 0 {
			x.taking(true)
		}
		raw, fault, err := x.requests.read(adapt.Request)
		switch {
		case err == io.EOF:
			return x.Origin.CloseWrite()
		case err != nil:
			return err
		case fault != http1.Sound:
			return adapt.Refuse(adapt.Request, fault.String())
		}
		r, fault := parseRequest(raw)
		switch {
		case fault == http1.BadVersion && r.is("PRI"): // HTTP/2
			return adapt.Refuse(adapt.Request, adapt.Upgraded)
		case fault != http1.Sound:
			return adapt.Refuse(adapt.Request, fault.String())
		}
		goes, err := x.request(&r)
		if err != nil || !goes {
			return err
		}
		x.taking(false)
		if x.Err() != nil {
			return nil
		}
	}
}

// request takes one request. It returns false when no further one is to be read
// and the session has not failed.
func (x *Session) request(r *request) (more bool, err error) {
	x.Client.Consume(len(r.raw)) // the memory stays until more is read
	b := newBody(x.Client, adapt.Request, r.Framing)
	e := newExchange(r)
	lead := len(r.raw)
	if r.ranges && x.Config.Whole && x.Wants(adapt.Response) {
		r.raw, lead = adapt.WithoutRanges(r.raw), 0
	}
	if r.socket && r.extends && x.Config.Upgrade == adapt.Scan {
		r.raw, lead = ws.WithoutExtensions(r.raw), 0
	}
	if x.Wants(adapt.Request) {
		return x.showRequest(r, b, e)
	}
	if x.Wants(adapt.Response) || r.socket {
		e.request = slices.Clone(r.raw)
	}
	if err := x.push(e); err != nil {
		return false, err
	}
	if lead == 0 {
		if _, err := x.Origin.Write(r.raw); err != nil {
			return false, err
		}
	}
	return x.sent(e, b.relay(x.Origin, lead))
}

// showRequest shows a request to the services.
func (x *Session) showRequest(r *request, b *body, e *exchange) (more bool, err error) {
	raw := slices.Clone(r.raw)
	m := adapt.Message{Kind: adapt.Request, Request: raw, Length: b.length()}
	if x.Wants(adapt.Response) || r.socket {
		e.request = raw
	}
	if r.Framing.Extent != http1.NoContent {
		m.Body = b
		if r.expect && r.Minor == 1 {
			b.waits = func() error { return x.goOn(e) }
		}
	}
	v, err := x.Adapt(x.Context, m, adapt.MediaType(http1.Section(raw)))
	if err != nil {
		return x.sent(nil, err)
	}
	defer v.Close()
	switch {
	case v.Blocked:
		return x.answer(r, b, e, &v)
	case v.Shown:
		return x.adapted(r, raw, b, e, &v)
	}
	b.waits = nil // the client is told by the origin
	if err := x.push(e); err != nil {
		return false, err
	}
	if _, err := x.Origin.Write(raw); err != nil {
		return false, err
	}
	return x.sent(e, b.relay(x.Origin, 0))
}

// sent ends a request that was sent to the origin but for err. If its sender stopped
// early, what was passed on ends as early. e is nil if nothing was. Behind a request
// that may end HTTP, sent waits for the answer.
func (x *Session) sent(e *exchange, err error) (more bool, _ error) {
	switch {
	case err == adapt.ErrTruncated:
		return false, x.Origin.CloseWrite()
	case err != nil:
		x.mu.Lock()
		defer x.mu.Unlock()
		x.cut = e
		return false, err
	case !e.upgrade && string(e.method) != "CONNECT":
		return true, nil
	}
	raw, err := x.quiet()
	switch {
	case err != nil:
		return false, nil
	case raw && x.socket != nil:
		return false, x.socket.FromClient()
	case raw:
		return false, buffered.Relay(x.Origin, x.Client)
	}
	return true, nil
}

// adapted sends what the services let pass in place of a request, raw.
func (x *Session) adapted(r *request, raw []byte, b *body, e *exchange, v *adapt.Verdict) (more bool, err error) {
	var w *writer
	if v.Changed() {
		if w, err = newWriter(v.Header, adapt.Request, v.Body, false, r.Minor); err != nil {
			return false, err
		}
		raw = w.head
		changed, fault := parseRequest(raw)
		if fault != http1.Sound {
			return false, adapt.ErrUnsound
		}
		e.upgrade, e.http2, e.socket = changed.upgrade, changed.http2, changed.socket
	}
	if x.Wants(adapt.Response) || e.socket {
		e.request = raw
	}
	if x.push(e) != nil {
		return false, nil
	}
	if w != nil {
		err = w.send(x.Origin)
	} else {
		err = resend(x.Origin, raw, v.Body, b)
	}
	v.Close()
	if err == nil {
		err = b.discard()
	}
	if err != nil {
		err = cause(b, err)
	}
	return x.sent(e, err)
}

// cause returns the error of a body's sender, if that is what stopped it, else
// err.
func cause(b *body, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	return err
}

// answer gives the client what a service answers in the origin's place.
func (x *Session) answer(r *request, b *body, e *exchange, v *adapt.Verdict) (more bool, err error) {
	if _, err := x.quiet(); err != nil {
		return false, nil
	}
	if x.begin(e) != nil {
		return false, nil
	}
	w, err := newWriter(v.Header, adapt.Response, v.Body, r.is("HEAD"), r.Minor)
	if err != nil {
		return false, err
	}
	// A client that waits for 100 need not send the body any more: where the next
	// request begins is not known (RFC 9110, Section 10.1.1).
	waiting := r.expect && !e.continued && !b.finished() && !b.begun()
	if err := w.send(x.Client); err != nil {
		return false, cause(b, err)
	}
	v.Close()
	x.mu.Lock()
	x.partial = false
	x.mu.Unlock()
	if waiting || w.last {
		if err := x.Client.CloseWrite(); err != nil {
			return false, err
		}
		return false, x.Origin.CloseWrite()
	}
	err = b.discard()
	if err == adapt.ErrTruncated {
		return false, x.Origin.CloseWrite()
	}
	return err == nil, err
}
