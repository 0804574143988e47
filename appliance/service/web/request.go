package web

import "io"

// requests reads requests until the client ends.
func (x *exchanges) requests() error {
	for {
		if err := x.client.idle(); err != nil {
			return err
		}
		if len(x.client.unread()) > 0 {
			x.taking(true)
		}
		raw, word, err := x.client.head(Request)
		switch {
		case err == io.EOF:
			return x.toOrigin.closeWrite()
		case err != nil:
			return err
		case word != "":
			return &Refusal{Request, word}
		}
		h, word := parseRequest(raw)
		if word == badVersion && h.is("PRI") {
			word = upgraded
		}
		if word != "" {
			return &Refusal{Request, word}
		}
		goes, err := x.request(&h)
		if err != nil || !goes {
			return err
		}
		x.taking(false)
		if x.failure() != nil {
			return nil
		}
	}
}

// request takes one request. It returns false when no further one is to be read
// and the session has not failed.
func (x *exchanges) request(h *head) (more bool, err error) {
	how, length := noBody, max(h.length, 0)
	switch {
	case h.chunked:
		how = byChunks
	case length > 0:
		how = byLength
	}
	n := len(h.raw)
	x.client.consume(n) // the memory stays until more is read
	b := newBody(&x.client, Request, how, length)
	e := exchangeOf(h)
	if x.wants(Request) {
		m := Message{Kind: Request, Request: append([]byte(nil), h.raw...), Length: b.length()}
		media := mediaType(find(m.Request, "content-type"))
		h.raw = m.Request
		if x.wants(Response) {
			e.request = m.Request
		}
		if how != noBody {
			m.Body = b
			if h.expect && h.minor == 1 {
				b.waits = func() error { return x.goOn(e) }
			}
		}
		v, err := x.adapt(x.ctx, m, media)
		if err != nil {
			return x.ended(nil, err)
		}
		defer v.close()
		if v.shown {
			return x.adapted(h, b, e, &v)
		}
		b.waits = nil // the client is told by the origin
		if err := x.push(e); err != nil {
			return false, err
		}
		if _, err := x.toOrigin.Write(m.Request); err != nil {
			return false, err
		}
		if err := b.relay(&x.toOrigin, 0); err != nil {
			return x.ended(e, err)
		}
		return x.after(e)
	}
	if x.wants(Response) {
		e.request = append([]byte(nil), h.raw...)
	}
	if err := x.push(e); err != nil {
		return false, err
	}
	if err := b.relay(&x.toOrigin, n); err != nil {
		return x.ended(e, err)
	}
	return x.after(e)
}

// exchangeOf returns the exchange that a request begins.
func exchangeOf(h *head) *exchange {
	return &exchange{minor: h.minor, head: h.is("HEAD"), connect: h.is("CONNECT"), upgrade: h.upgrade, http2: h.http2}
}

// after waits, behind a request that may end HTTP, for its answer.
func (x *exchanges) after(e *exchange) (more bool, err error) {
	if !e.upgrade && !e.connect {
		return true, nil
	}
	raw, err := x.quiet()
	switch {
	case err != nil:
		return false, nil
	case raw:
		return false, x.pass(&x.client, &x.toOrigin)
	}
	return true, nil
}

// ended handles a request that is not whole: if its sender stopped early, what was
// passed on ends as early. e is nil if nothing was.
func (x *exchanges) ended(e *exchange, err error) (more bool, _ error) {
	if err == errTruncated {
		return false, x.toOrigin.closeWrite()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cut = e
	return false, err
}

// adapted does what the services decided.
func (x *exchanges) adapted(h *head, b *body, e *exchange, v *verdict) (more bool, err error) {
	if v.blocked {
		return x.answer(h, b, e, v)
	}
	var o *outgoing
	sent := h.raw
	if v.changed() {
		if o, err = frame(v.header, Request, v.body, false, h.minor); err != nil {
			return false, err
		}
		sent = o.head
		changed, word := parseRequest(sent)
		if word != "" {
			return false, errUnsound
		}
		e.upgrade, e.http2 = changed.upgrade, changed.http2
	}
	if x.wants(Response) {
		e.request = sent
	}
	if x.push(e) != nil {
		return false, nil
	}
	if o != nil {
		err = o.send(&x.toOrigin)
	} else {
		err = again(&x.toOrigin, h.raw, v.body, b)
	}
	v.close()
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
func (x *exchanges) answer(h *head, b *body, e *exchange, v *verdict) (more bool, err error) {
	if _, err := x.quiet(); err != nil {
		return false, nil
	}
	if x.begin(e) != nil {
		return false, nil
	}
	o, err := frame(v.header, Response, v.body, h.is("HEAD"), h.minor)
	if err != nil {
		return false, err
	}
	// A client that waits for 100 need not send the body any more: where the next
	// request begins is not known (RFC 9110, Section 10.1.1).
	waiting := h.expect && !e.continued && !b.finished() && !b.begun()
	if err := o.send(&x.toClient); err != nil {
		return false, cause(b, err)
	}
	v.close()
	x.mu.Lock()
	x.partial = false
	x.mu.Unlock()
	if waiting || o.last {
		if err := x.toClient.closeWrite(); err != nil {
			return false, err
		}
		return false, x.toOrigin.closeWrite()
	}
	err = b.discard()
	if err == errTruncated {
		return false, x.toOrigin.closeWrite()
	}
	return err == nil, err
}
