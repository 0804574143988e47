package web

import "io"

// responses reads responses until the origin ends.
func (x *exchanges) responses() error {
	for {
		if err := x.origin.idle(); err != nil {
			return err
		}
		if len(x.origin.unread()) == 0 {
			switch err := x.origin.fill(); err {
			case nil:
			case io.EOF:
				return x.leave()
			default:
				return err
			}
		}
		e := x.front()
		if e == nil {
			return &Refusal{Response, unasked}
		}
		raw, word, err := x.origin.head(Response)
		switch {
		case err == io.EOF:
			return x.leave()
		case err != nil:
			return err
		case word != "":
			return &Refusal{Response, word}
		}
		h, word := parseResponse(raw)
		if word != "" {
			return &Refusal{Response, word}
		}
		if h.status < 200 && h.status != 101 {
			if err := x.interim(e, h.status, raw); err != nil {
				return err
			}
			x.origin.consume(len(raw))
			continue
		}
		if more, err := x.response(e, &h); err != nil || !more {
			return err
		}
	}
}

// response takes one final response. It returns false when no further one is to
// be read.
func (x *exchanges) response(e *exchange, h *head) (more bool, err error) {
	if h.status == 101 || e.connect && h.status/100 == 2 {
		return false, x.switches(e, h)
	}
	how, length := e.framing(h)
	n := len(h.raw)
	x.origin.consume(n) // the memory stays until more is read
	b := newBody(&x.origin, Response, how, length)
	if !x.wants(Response) {
		if err := x.begin(e); err != nil {
			return false, err
		}
		return x.delivered(b, b.relay(&x.toClient, n))
	}
	raw := append([]byte(nil), h.raw...)
	m := Message{Kind: Response, Request: e.request, Response: raw, Length: b.length()}
	media := mediaType(find(raw, "content-type"))
	if how != noBody {
		m.Body = b
	}
	v, err := x.adapt(x.ctx, m, media)
	if err != nil {
		if err == errTruncated { // nothing of it was passed on
			return false, x.toClient.closeWrite()
		}
		return false, err
	}
	defer v.close()
	if err := x.begin(e); err != nil {
		return false, err
	}
	switch {
	case !v.shown:
		if _, err := x.toClient.Write(raw); err != nil {
			return false, err
		}
		return x.delivered(b, b.relay(&x.toClient, 0))
	case !v.changed():
		if err := again(&x.toClient, raw, v.body, b); err != nil {
			return false, cause(b, err)
		}
		return x.delivered(b, nil)
	}
	bodiless := e.head
	if changed, word := parseLoosely(v.header, Response); word == "" {
		bodiless = bodiless || changed.status == 204 || changed.status == 304
	}
	o, err := frame(v.header, Response, v.body, bodiless, e.minor)
	if err != nil {
		return false, err
	}
	if err := o.send(&x.toClient); err != nil {
		return false, cause(b, err)
	}
	v.close()
	x.pop(false)
	if o.last || how == byEnd || !b.ready() {
		// What is left of the origin's response may be long in coming; the client has
		// its answer.
		x.finish()
		return false, x.toClient.closeWrite()
	}
	return true, b.discard()
}

// delivered closes an exchange whose response was passed on as it came, but for
// err.
func (x *exchanges) delivered(b *body, err error) (more bool, _ error) {
	switch {
	case err == errTruncated: // it ends for the client as it did for us
		return false, x.toClient.closeWrite()
	case err != nil:
		return false, err
	case b.how == byEnd:
		x.pop(false)
		x.finish()
		return false, x.toClient.closeWrite()
	}
	x.pop(false)
	return true, nil
}

// switches takes the response behind which octets are no HTTP any more.
func (x *exchanges) switches(e *exchange, h *head) error {
	switch {
	case h.status == 101 && !e.upgrade:
		return &Refusal{Response, unasked}
	case x.cfg.Upgrade == Block, h.status == 101 && (e.http2 || h.http2):
		return &Refusal{Response, upgraded}
	}
	if err := x.begin(e); err != nil {
		return err
	}
	if _, err := x.toClient.Write(h.raw); err != nil {
		return err
	}
	x.origin.consume(len(h.raw))
	x.pop(true)
	return x.pass(&x.origin, &x.toClient)
}

// framing says where a response's body ends (RFC 9112, Section 6.3).
func (e *exchange) framing(h *head) (how framing, length int64) {
	switch {
	case e.head, h.status == 204, h.status == 304:
		return noBody, 0
	case h.chunked:
		return byChunks, 0
	case h.length > 0:
		return byLength, h.length
	case h.length == 0:
		return noBody, 0
	}
	return byEnd, 0
}
