package h1

import (
	"io"
	"slices"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/appliance/service/web/ws"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// readResponses reads responses until the origin ends.
func (x *Session) readResponses() error {
	for {
		if more, err := x.readResponse(); err != nil || !more {
			return err
		}
	}
}

// readResponse reads one response, interim or final. It returns false when no further
// one is to be read.
func (x *Session) readResponse() (more bool, err error) {
	if err := x.Origin.Await(); err != nil {
		return false, err
	}
	if len(x.Origin.Unread()) == 0 {
		switch err := x.Origin.Fill(); err {
		case nil:
		case io.EOF:
			return false, x.leave()
		default:
			return false, err
		}
	}
	e := x.front()
	if e == nil {
		return false, adapt.Refuse(adapt.Response, adapt.Unasked)
	}
	raw, fault, err := x.responses.read(adapt.Response)
	switch {
	case err == io.EOF:
		return false, x.leave()
	case err != nil:
		return false, err
	}
	var r response
	if fault == http1.Sound {
		r, fault = parseResponse(raw)
	}
	switch {
	case fault != http1.Sound:
		return false, adapt.Refuse(adapt.Response, fault.String())
	case r.Code < 200 && r.Code != 101:
		err := x.interim(e, r.Code, raw)
		x.responses.consume(raw)
		return true, err
	}
	return x.response(e, &r)
}

// response takes one final response. It returns false when no further one is to
// be read.
func (x *Session) response(e *exchange, r *response) (more bool, err error) {
	if r.Switches(e.method) {
		return false, x.switches(e, r)
	}
	lead := x.responses.consume(r.raw) // the memory stays until more is read
	b := newBody(x.Origin, adapt.Response, r.ContentFor(e.method))
	if x.Wants(adapt.Response) {
		return x.showResponse(e, r, b)
	}
	if err := x.begin(e); err != nil {
		return false, err
	}
	if lead == 0 {
		if _, err := x.Client.Write(r.raw); err != nil {
			return false, err
		}
	}
	return x.delivered(b, b.relay(x.Client, lead))
}

// showResponse shows a response to the services.
func (x *Session) showResponse(e *exchange, r *response, b *body) (more bool, err error) {
	raw := slices.Clone(r.raw)
	m := adapt.Message{Kind: adapt.Response, Request: e.request, Response: raw, Length: b.length()}
	if b.framing.Extent != http1.NoContent {
		m.Body = b
	}
	v, err := x.Adapt(x.Context, m, adapt.MediaType(http1.Section(raw)))
	switch {
	case err == adapt.ErrTruncated: // nothing of it was passed on
		return false, x.Client.CloseWrite()
	case err != nil:
		return false, err
	}
	defer v.Close()
	if err := x.begin(e); err != nil {
		return false, err
	}
	switch {
	case !v.Shown:
		if _, err := x.Client.Write(raw); err != nil {
			return false, err
		}
		return x.delivered(b, b.relay(x.Client, 0))
	case !v.Changed():
		if err := resend(x.Client, raw, v.Body, b); err != nil {
			return false, cause(b, err)
		}
		return x.delivered(b, nil)
	}
	return x.replace(e, b, &v)
}

// replace sends what the services made of a response.
func (x *Session) replace(e *exchange, b *body, v *adapt.Verdict) (more bool, err error) {
	h, ok := adapt.ParseHead(v.Header, adapt.Response)
	bodiless := string(e.method) == "HEAD" || ok && (h.Status == 204 || h.Status == 304)
	w, err := newWriter(v.Header, adapt.Response, v.Body, bodiless, e.minor)
	if err != nil {
		return false, err
	}
	if err := w.send(x.Client); err != nil {
		return false, cause(b, err)
	}
	v.Close()
	x.pop(false)
	if w.last || b.framing.Extent == http1.ToClose || !b.ready() {
		// What is left of the origin's response may be long in coming; the client has
		// its answer.
		x.NoResponses()
		return false, x.Client.CloseWrite()
	}
	return true, b.discard()
}

// delivered closes an exchange whose response was passed on as it came, but for
// err.
func (x *Session) delivered(b *body, err error) (more bool, _ error) {
	switch {
	case err == adapt.ErrTruncated: // it ends for the client as it did for us
		return false, x.Client.CloseWrite()
	case err != nil:
		return false, err
	case b.framing.Extent == http1.ToClose:
		x.pop(false)
		x.NoResponses()
		return false, x.Client.CloseWrite()
	}
	x.pop(false)
	return true, nil
}

// switches takes the response behind which octets are no HTTP any more.
func (x *Session) switches(e *exchange, r *response) error {
	switch {
	case r.Code == 101 && !e.upgrade:
		return adapt.Refuse(adapt.Response, adapt.Unasked)
	case !x.Config.Upgrade.Passes() && !x.reads(e, r), r.Code == 101 && (e.http2 || r.http2):
		return adapt.Refuse(adapt.Response, adapt.Upgraded)
	}
	if err := x.begin(e); err != nil {
		return err
	}
	if _, err := x.Client.Write(r.raw); err != nil {
		return err
	}
	x.responses.consume(r.raw)
	if x.Config.Upgrade == adapt.Scan {
		socket := ws.New(x.Session, e.request)
		x.socket = socket // seen by the other goroutine behind pop
		x.pop(true)
		return socket.FromOrigin()
	}
	x.Bypass()
	x.pop(true)
	return buffered.Relay(x.Client, x.Origin)
}

// reads reports whether what follows a response is WebSocket that services can read: the
// origin uses no extension (RFC 6455, Section 4.2.2).
func (x *Session) reads(e *exchange, r *response) bool {
	return x.Config.Upgrade == adapt.Scan && r.Code == 101 && e.socket && r.socket && !r.other && !r.extends
}
