package h1

import (
	"io"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
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
		raw, word, err := x.requests.read(adapt.Request)
		switch {
		case err == io.EOF:
			return x.Origin.CloseWrite()
		case err != nil:
			return err
		case word != "":
			return adapt.Refuse(adapt.Request, word)
		}
		h, word := adapt.ParseRequest(raw)
		if word == adapt.BadVersion && h.Is("PRI") {
			word = adapt.Upgraded
		}
		if word != "" {
			return adapt.Refuse(adapt.Request, word)
		}
		goes, err := x.request(&h)
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
func (x *Session) request(h *adapt.Head) (more bool, err error) {
	how, length := noBody, max(h.Length, 0)
	switch {
	case h.Chunked:
		how = byChunks
	case length > 0:
		how = byLength
	}
	n := len(h.Raw)
	x.Client.Consume(n) // the memory stays until more is read
	b := newBody(x.Client, adapt.Request, how, length)
	e := exchangeOf(h)
	if x.Wants(adapt.Request) {
		m := adapt.Message{Kind: adapt.Request, Request: append([]byte(nil), h.Raw...), Length: b.length()}
		media := adapt.MediaType(adapt.Find(m.Request, "content-type"))
		h.Raw = m.Request
		if x.Wants(adapt.Response) {
			e.request = m.Request
		}
		if how != noBody {
			m.Body = b
			if h.Expect && h.Minor == 1 {
				b.waits = func() error { return x.goOn(e) }
			}
		}
		v, err := x.Adapt(x.Context, m, media)
		if err != nil {
			return x.ended(nil, err)
		}
		defer v.Close()
		if v.Shown {
			return x.adapted(h, b, e, &v)
		}
		b.waits = nil // the client is told by the origin
		if err := x.push(e); err != nil {
			return false, err
		}
		if _, err := x.Origin.Write(m.Request); err != nil {
			return false, err
		}
		if err := b.relay(x.Origin, 0); err != nil {
			return x.ended(e, err)
		}
		return x.after(e)
	}
	if x.Wants(adapt.Response) {
		e.request = append([]byte(nil), h.Raw...)
	}
	if err := x.push(e); err != nil {
		return false, err
	}
	if err := b.relay(x.Origin, n); err != nil {
		return x.ended(e, err)
	}
	return x.after(e)
}

// exchangeOf returns the exchange that a request begins.
func exchangeOf(h *adapt.Head) *exchange {
	return &exchange{minor: h.Minor, head: h.Is("HEAD"), connect: h.Is("CONNECT"), upgrade: h.Upgrade, http2: h.HTTP2}
}

// after waits, behind a request that may end HTTP, for its answer.
func (x *Session) after(e *exchange) (more bool, err error) {
	if !e.upgrade && !e.connect {
		return true, nil
	}
	raw, err := x.quiet()
	switch {
	case err != nil:
		return false, nil
	case raw:
		return false, buffered.Relay(x.Origin, x.Client)
	}
	return true, nil
}

// ended handles a request that is not whole: if its sender stopped early, what was
// passed on ends as early. e is nil if nothing was.
func (x *Session) ended(e *exchange, err error) (more bool, _ error) {
	if err == adapt.ErrTruncated {
		return false, x.Origin.CloseWrite()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cut = e
	return false, err
}

// adapted does what the services decided.
func (x *Session) adapted(h *adapt.Head, b *body, e *exchange, v *adapt.Verdict) (more bool, err error) {
	if v.Blocked {
		return x.answer(h, b, e, v)
	}
	var o *outgoing
	sent := h.Raw
	if v.Changed() {
		if o, err = frame(v.Header, adapt.Request, v.Body, false, h.Minor); err != nil {
			return false, err
		}
		sent = o.head
		changed, word := adapt.ParseRequest(sent)
		if word != "" {
			return false, adapt.ErrUnsound
		}
		e.upgrade, e.http2 = changed.Upgrade, changed.HTTP2
	}
	if x.Wants(adapt.Response) {
		e.request = sent
	}
	if x.push(e) != nil {
		return false, nil
	}
	if o != nil {
		err = o.send(x.Origin)
	} else {
		err = again(x.Origin, h.Raw, v.Body, b)
	}
	v.Close()
	if err == nil {
		err = b.discard()
	}
	if err != nil {
		return x.ended(e, cause(b, err))
	}
	return x.after(e)
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
func (x *Session) answer(h *adapt.Head, b *body, e *exchange, v *adapt.Verdict) (more bool, err error) {
	if _, err := x.quiet(); err != nil {
		return false, nil
	}
	if x.begin(e) != nil {
		return false, nil
	}
	o, err := frame(v.Header, adapt.Response, v.Body, h.Is("HEAD"), h.Minor)
	if err != nil {
		return false, err
	}
	// A client that waits for 100 need not send the body any more: where the next
	// request begins is not known (RFC 9110, Section 10.1.1).
	waiting := h.Expect && !e.continued && !b.finished() && !b.begun()
	if err := o.send(x.Client); err != nil {
		return false, cause(b, err)
	}
	v.Close()
	x.mu.Lock()
	x.partial = false
	x.mu.Unlock()
	if waiting || o.last {
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
