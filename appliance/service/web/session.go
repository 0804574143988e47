package web

import (
	"io"
	"sync"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/h1"
	"github.com/clearspan/clearspan/appliance/service/web/h2"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// carrier carries a session whose protocol is known. FromClient and FromOrigin read
// one end until it ends, each in a goroutine. A carrier ends the session for what
// it finds there by its own Fail.
type carrier interface {
	FromClient()
	FromOrigin()
	Fail(err error) // ends the session, at any time
	Close()         // behind both directions
}

// session is a session whose protocol is still to be found.
type session struct {
	*adapt.Session

	mu       sync.Mutex
	protocol protocol
	carrier  carrier // nil while undecided
	silent   bool    // the origin ended without a word

	foreign sniff.Protocol // of a session that is not HTTP, as far as it was found
}

// run carries the session to its end and returns why it ended.
func (x *session) run() error {
	var wg sync.WaitGroup
	wg.Go(func() { x.contain(x.fromClient) })
	wg.Go(func() { x.contain(x.fromOrigin) })
	wg.Wait()
	if x.carrier != nil {
		x.carrier.Close()
	}
	return x.Close()
}

// contain calls f in a goroutine of the session's. An error of f, or a panic, ends
// the session.
func (x *session) contain(f func() error) {
	if err := decrypt.Contain(f); err != nil {
		x.fail(err)
	}
}

// fail ends the session for err.
func (x *session) fail(err error) {
	x.mu.Lock()
	c := x.carrier
	first := c == nil && x.End(err)
	x.mu.Unlock()
	switch {
	case c != nil:
		c.Fail(err)
	case first:
		x.Abort()
	}
}

// decide fixes the protocol if it is undecided, and returns it with its carrier.
// The error is that of a session that has failed before.
func (x *session) decide(p protocol) (protocol, carrier, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.carrier != nil {
		return x.protocol, x.carrier, nil
	}
	if err := x.Err(); err != nil {
		return p, nil, err
	}
	x.protocol = p
	switch p {
	case speaksHTTP2:
		x.carrier = h2.New(x.Session)
	case speaksHTTP1:
		c := h1.New(x.Session)
		if x.silent {
			c.NoResponses()
		}
		x.carrier = c
	default:
		x.carrier = unread{x.Session}
	}
	return p, x.carrier, nil
}

// fromClient recognizes what the client sends, and hands over.
func (x *session) fromClient() error {
	p := speaksHTTP2
	if x.Account.ALPN != "h2" {
		var err error
		switch p, err = x.recognize(); {
		case err == io.EOF: // nothing at all: whatever comes from the origin is unasked or foreign
			return x.Origin.CloseWrite()
		case err != nil:
			return err
		}
	}
	was, c, err := x.decide(p)
	switch {
	case err != nil:
		return err
	case was == foreign && p != foreign: // an answer before the request
		return adapt.Refuse(adapt.Response, adapt.Unasked)
	case was == foreign && !x.mayPass(adapt.Request):
		return adapt.Refuse(adapt.Request, adapt.Foreign)
	}
	c.FromClient()
	return nil
}

// recognize waits for octets of the client that tell what it speaks. It returns
// io.EOF if the client ends without any.
func (x *session) recognize() (protocol, error) {
	if err := x.Client.Await(); err != nil {
		return undecided, err
	}
	for {
		if p := recognize(x.Client.Unread()); p != undecided {
			return p, nil
		}
		switch err := x.Client.Fill(); {
		case err == nil:
		case err == io.EOF && len(x.Client.Unread()) == 0:
			return undecided, io.EOF
		case err == io.EOF, err == io.ErrShortBuffer:
			return foreign, nil
		default:
			return undecided, err
		}
	}
}

// fromOrigin waits for what the origin sends, and hands over. An origin that speaks
// first speaks no HTTP.
func (x *session) fromOrigin() error {
	p := speaksHTTP2
	if x.Account.ALPN != "h2" {
		p = foreign
		err := x.Origin.Await()
		if err == nil && len(x.Origin.Unread()) == 0 {
			err = x.Origin.Fill()
		}
		switch {
		case err == io.EOF:
			return x.leave()
		case err != nil:
			return err
		}
	}
	was, c, err := x.decide(p)
	switch {
	case err != nil:
		return err
	case was == foreign && !x.mayPass(adapt.Response):
		return adapt.Refuse(adapt.Response, adapt.Foreign)
	}
	c.FromOrigin()
	return nil
}

// leave carries the end of an origin on that sent nothing, whatever the client
// speaks.
func (x *session) leave() error {
	x.mu.Lock()
	x.silent = true
	c := x.carrier
	x.mu.Unlock()
	if c == nil {
		return x.Client.CloseWrite()
	}
	c.FromOrigin()
	return nil
}
