package web

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// Engine is a [decrypt.Service] that shows HTTP messages to services. It is safe
// for concurrent use.
type Engine struct{ cfg Config }

var _ decrypt.Service = (*Engine)(nil)

// New returns an engine.
func New(cfg Config) *Engine {
	if cfg.Replay == 0 {
		cfg.Replay = 64 << 10
	}
	if cfg.linger == 0 {
		cfg.linger = time.Second
	}
	if cfg.Stall == 0 {
		cfg.Stall = 30 * time.Second
	}
	return &Engine{cfg: cfg}
}

// Carry implements [decrypt.Service]. It returns a [*Refusal] for what must not
// be passed on.
func (e *Engine) Carry(ctx context.Context, s *decrypt.Session, client, origin decrypt.End) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &exchanges{
		session:  session{cfg: &e.cfg, ctx: ctx, s: s, words: make(map[string]string)},
		cancel:   cancel,
		client:   input{end: client},
		origin:   input{end: origin},
		toClient: output{end: client},
		toOrigin: output{end: origin},
	}
	if e.cfg.User != nil {
		x.user = e.cfg.User(s)
	}
	x.cond.L = &x.mu
	x.frames = newFrames(x)
	var wg sync.WaitGroup
	wg.Go(func() { x.contain(func() error { x.fromClient(); return nil }) })
	wg.Go(func() { x.contain(func() error { x.fromOrigin(); return nil }) })
	wg.Wait()
	x.frames.stop()
	if x.told != nil && !x.heard { // the client had ended before: give it time
		<-x.told
	} else if x.timer != nil {
		x.timer.Stop()
	}
	x.client.drop()
	x.origin.drop()
	return x.failure()
}

// contain calls f in a goroutine of the session's. An error of f, or a panic, ends
// the session.
func (x *exchanges) contain(f func() error) {
	err := decrypt.Contain(f)
	if err == nil {
		return
	}
	x.frames.kill(err)
	x.fail(err, 0, "")
}

// fromClient reads what the client sends, to its end.
func (x *exchanges) fromClient() {
	m, err := x.recognize()
	switch {
	case err != nil:
	case m == speaksHTTP2:
		err = x.frames.fromClient()
	case m == speaksHTTP1:
		err = x.requests()
	default:
		err = x.pass(&x.client, &x.toOrigin)
	}
	if err != nil {
		x.refuse(err)
	}
	x.taking(false)
	if x.failure() != nil && m != speaksHTTP2 {
		x.discard()
	}
}

// discard waits until the client has read its last page, and closes. What it
// sends is of no account.
func (x *exchanges) discard() {
	ended := x.client.err != nil
	for x.client.err == nil {
		x.client.r = x.client.w
		x.client.fill()
	}
	x.mu.Lock()
	told := x.told
	x.mu.Unlock()
	if ended && told != nil { // nothing of the client's can tell
		<-told
	}
	x.heard = true
	x.abort()
}

// recognize waits for octets of the client, or for a decision by what the origin
// sends before.
func (x *exchanges) recognize() (mode, error) {
	if x.s.ALPN == "h2" {
		return x.decide(speaksHTTP2), nil
	}
	if err := x.client.idle(); err != nil {
		return undecided, err
	}
	for {
		m := sniff(x.client.unread())
		if m == undecided {
			err := x.client.fill()
			if err == nil {
				continue
			}
			if err != io.EOF && err != io.ErrShortBuffer {
				return undecided, err
			}
			m = unread
			if err == io.EOF && len(x.client.unread()) == 0 {
				m = speaksHTTP1 // nothing at all: whatever comes from the origin is unasked or foreign
				x.mu.Lock()
				if x.mode != undecided {
					m = x.mode
				}
				x.mu.Unlock()
				return m, nil
			}
		}
		was := x.decide(m)
		switch {
		case was == unread && m != unread:
			return was, &Refusal{Response, unasked} // an answer before the request
		case was == unread && x.cfg.Foreign == Block:
			return was, &Refusal{Request, foreign}
		}
		return was, nil
	}
}

// fromOrigin reads what the origin sends, to its end.
func (x *exchanges) fromOrigin() {
	m := speaksHTTP2
	if x.s.ALPN != "h2" {
		err := x.origin.idle()
		if err == nil && len(x.origin.unread()) == 0 {
			err = x.origin.fill()
		}
		switch {
		case err == io.EOF: // the end only: whatever it was
			if err := x.leave(); err != nil {
				x.refuse(err)
			}
			return
		case err != nil:
			x.refuse(err)
			return
		}
		if m = x.decide(unread); m == unread && x.cfg.Foreign == Block {
			x.refuse(&Refusal{Response, foreign})
			return
		}
	}
	var err error
	switch m {
	case speaksHTTP2:
		err = x.frames.fromOrigin()
	case speaksHTTP1:
		err = x.responses()
	default:
		err = x.pass(&x.origin, &x.toClient)
	}
	x.finish()
	if err != nil {
		x.refuse(err)
	}
}

// pass relays one direction unread, and its end.
func (x *exchanges) pass(in *input, out *output) error {
	for {
		if p := in.unread(); len(p) > 0 {
			if _, err := out.Write(p); err != nil {
				return err
			}
			in.consume(len(p))
		}
		if err := in.idle(); err != nil {
			return err
		}
		switch err := in.fill(); err {
		case nil:
		case io.EOF:
			return out.closeWrite()
		default:
			return err
		}
	}
}

// refuse ends the session for an error of either side.
func (x *exchanges) refuse(err error) {
	r, ok := err.(*Refusal)
	switch {
	case !ok:
		x.fail(err, 0, "")
	case r.Side == Request:
		x.settle()
		x.fail(err, 400, whyRequest)
	case r.Word == upgraded:
		x.fail(err, 502, whyUpgrade)
	default:
		x.fail(err, 502, whyResponse)
	}
}
