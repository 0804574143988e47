package h1

import (
	"io"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
)

// readResponses reads responses until the origin ends.
func (x *Session) readResponses() error {
	for {
		if err := x.Origin.Await(); err != nil {
			return err
		}
		if len(x.Origin.Unread()) == 0 {
			switch err := x.Origin.Fill(); err {
			case nil:
			case io.EOF:
				return x.leave()
			default:
				return err
			}
		}
		e := x.front()
		if e == nil {
			return adapt.Refuse(adapt.Response, adapt.Unasked)
		}
		raw, word, err := x.responses.read(adapt.Response)
		switch {
		case err == io.EOF:
			return x.leave()
		case err != nil:
			return err
		case word != "":
			return adapt.Refuse(adapt.Response, word)
		}
		h, word := adapt.ParseResponse(raw)
		if word != "" {
			return adapt.Refuse(adapt.Response, word)
		}
		if h.Status < 200 && h.Status != 101 {
			if err := x.interim(e, h.Status, raw); err != nil {
				return err
			}
			x.Origin.Consume(len(raw))
			continue
		}
		if more, err := x.response(e, &h); err != nil || !more {
			return err
		}
	}
}

// response takes one final response. It returns false when no further one is to
// be read.
func (x *Session) response(e *exchange, h *adapt.Head) (more bool, err error) {
	if h.Status == 101 || e.connect && h.Status/100 == 2 {
		return false, x.switches(e, h)
	}
	how, length := e.framing(h)
	n := len(h.Raw)
	x.Origin.Consume(n) // the memory stays until more is read
	b := newBody(x.Origin, adapt.Response, how, length)
	if !x.Wants(adapt.Response) {
		if err := x.begin(e); err != nil {
			return false, err
		}
		return x.delivered(b, b.relay(x.Client, n))
	}
	raw := append([]byte(nil), h.Raw...)
	m := adapt.Message{Kind: adapt.Response, Request: e.request, Response: raw, Length: b.length()}
	media := adapt.MediaType(adapt.Find(raw, "content-type"))
	if how != noBody {
		m.Body = b
	}
	v, err := x.Adapt(x.Context, m, media)
	if err != nil {
		if err == adapt.ErrTruncated { // nothing of it was passed on
			return false, x.Client.CloseWrite()
		}
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
		if err := again(x.Client, raw, v.Body, b); err != nil {
			return false, cause(b, err)
		}
		return x.delivered(b, nil)
	}
	bodiless := e.head
	if changed, word := adapt.ParseLoosely(v.Header, adapt.Response); word == "" {
		bodiless = bodiless || changed.Status == 204 || changed.Status == 304
	}
	o, err := frame(v.Header, adapt.Response, v.Body, bodiless, e.minor)
	if err != nil {
		return false, err
	}
	if err := o.send(x.Client); err != nil {
		return false, cause(b, err)
	}
	v.Close()
	x.pop(false)
	if o.last || how == byEnd || !b.ready() {
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
	case b.how == byEnd:
		x.pop(false)
		x.NoResponses()
		return false, x.Client.CloseWrite()
	}
	x.pop(false)
	return true, nil
}

// switches takes the response behind which octets are no HTTP any more.
func (x *Session) switches(e *exchange, h *adapt.Head) error {
	switch {
	case h.Status == 101 && !e.upgrade:
		return adapt.Refuse(adapt.Response, adapt.Unasked)
	case x.Config.Upgrade == adapt.Block, h.Status == 101 && (e.http2 || h.HTTP2):
		return adapt.Refuse(adapt.Response, adapt.Upgraded)
	}
	if err := x.begin(e); err != nil {
		return err
	}
	if _, err := x.Client.Write(h.Raw); err != nil {
		return err
	}
	x.Origin.Consume(len(h.Raw))
	x.pop(true)
	return buffered.Relay(x.Client, x.Origin)
}

// framing says where a response's body ends (RFC 9112, Section 6.3).
func (e *exchange) framing(h *adapt.Head) (how framing, length int64) {
	switch {
	case e.head, h.Status == 204, h.Status == 304:
		return noBody, 0
	case h.Chunked:
		return byChunks, 0
	case h.Length > 0:
		return byLength, h.Length
	case h.Length == 0:
		return noBody, 0
	}
	return byEnd, 0
}
