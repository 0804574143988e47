package icap

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// errStale says that a connection had been closed before it was used again.
var errStale = errors.New("connection was closed while it was not used")

// adapt has this server adapt a message. src is at the body's beginning.
func (s *server) adapt(ctx context.Context, m *Message, src *source) (*Result, error) {
	o, err := s.options(ctx)
	if err != nil {
		return nil, err
	}
	how := o.handling(m.Request)
	switch {
	case !o.methods[m.Method]:
		return nil, fault(Unavailable, "service does not offer %s", m.Method.method())
	case how == notAtAll:
		return bypass(src, "transfer-ignore"), nil
	}
	preview := -1
	if !src.empty() && o.preview >= 0 && how == asPreview && !s.cfg.NoPreview {
		preview = min(o.preview, s.cfg.Preview, s.cfg.Replay)
	}
	if preview > 0 && src.length < 0 {
		switch whole, err := src.gather(preview); {
		case err != nil:
			return nil, err
		case !whole: // its sender may wait for an answer: it goes to the server as it comes
			preview = -1
		}
	}
	req, err := s.c.compose(&s.endpoint, m, src.empty(), preview, o.allows(src.replayable(), preview >= 0))
	if err != nil {
		return nil, err
	}
	first := req.head
	if preview >= 0 {
		if first, err = withPreview(first, src, preview); err != nil {
			return nil, err
		}
	}
	s.messages.Add(1)
	for fresh := false; ; fresh = true {
		x := &exchange{s: s, ctx: ctx, m: m, src: src, req: req, previews: preview >= 0, ends: make(chan struct{})}
		res, err := x.start(first, fresh)
		switch {
		case err != errStale:
			return res, err
		case preview < 0 && !src.rewind():
			return nil, &Error{Kind: Unavailable, Err: errStale}
		}
	}
}

// exchange is one request and its answer.
type exchange struct {
	s        *server
	ctx      context.Context
	m        *Message
	src      *source
	req      *request
	previews bool // the request begins with a preview

	c      *conn
	w      *watch
	uncare func() bool // ends the care for ctx
	detail Detail
	heard  bool // the server has answered something
	close  bool // and will close the connection

	// Of the sender, a goroutine that runs beside the answer.
	done     chan struct{} // closed when it has ended; nil: there was none
	halt     atomic.Bool   // nobody needs the rest
	settled  atomic.Bool   // what was sent is not needed any more
	last     atomic.Bool   // it writes the end of the body, and nothing more
	complete bool          // all was sent; like the rest valid when done is closed
	bodyErr  error
	tooLarge bool

	verdict atomic.Uint32 // undecided, answered or passed
	ends    chan struct{} // closed by end: the sender leaves a body that pauses

	ending sync.Mutex
	ended  bool
}

// Who decides about a message, the server or its own pause, is the first of them.
const (
	undecided uint32 = iota
	answered
	passed
)

// errPassed says that a message passes the server by, because it paused.
var errPassed = errors.New("body has paused")

// start sends the message and returns when the server has decided. What it needs
// of the server is given back then, or when the body of the result is closed.
func (x *exchange) start(first []byte, fresh bool) (*Result, error) {
	c, err := x.s.take(x.ctx, fresh)
	if err != nil {
		var e *Error
		if errors.As(err, &e) && e.Kind != Overload {
			x.s.note(e, true)
		}
		return nil, err
	}
	x.c = c
	x.s.busy.Add(1)
	x.detail = Detail{Server: x.s.host, Reused: c.reused}
	x.w = newWatch(c, x.s.cfg.Timeout)
	x.uncare = context.AfterFunc(x.ctx, func() { c.Close() })
	res, err := x.converse(first)
	switch {
	case x.verdict.Load() == passed:
		x.end(false)
		if !x.src.rewind() {
			return nil, fault(Protocol, "a body that passes is no longer kept")
		}
		return bypass(x.src, "paused"), nil
	case err != nil:
		return nil, x.fail(err)
	}
	x.s.succeed()
	return res, nil
}

func (x *exchange) converse(first []byte) (*Result, error) {
	if _, err := x.c.Write(first); err != nil {
		return nil, err
	}
	if x.previews || x.src.empty() {
		x.w.send(sent)
	} else {
		x.send()
	}
	for {
		a, err := readAnswer(x.c.br)
		if err != nil {
			return nil, err
		}
		tag, err := a.isTag()
		if err != nil {
			return nil, fault(Protocol, "answer: %w", err)
		}
		x.s.changed(tag)
		x.heard = true
		if a.status != 100 {
			if !x.verdict.CompareAndSwap(undecided, answered) {
				return nil, errPassed
			}
			x.describe(a, tag)
			return x.decided(a)
		}
		if !x.previews || x.done != nil || x.src.ended() {
			return nil, fault(Protocol, "server answers 100 to a message without more to send")
		}
		x.send()
	}
}

func (x *exchange) describe(a *answer, tag string) {
	d := &x.detail
	d.Status, d.ISTag = a.status, tag
	d.Infection, d.Virus, d.Violation = a.text("X-Infection-Found"), a.text("X-Virus-ID"), a.text("X-Violations-Found")
	d.Preview = x.previews && x.done == nil
	x.close = a.has("Connection", "close")
}

// leave is end for an answer that was read to its end, but it does not wait for
// the body: the sender, if it still is there, is left for a later end.
func (x *exchange) leave() {
	if x.done != nil && !x.last.Load() {
		select {
		case <-x.done:
		default:
			x.halt.Store(true)
			x.c.Close()
			return
		}
	}
	x.end(true)
}

// end gives the connection back; ok says that the answer was read to its end. It
// waits for the sender.
func (x *exchange) end(ok bool) {
	x.ending.Lock()
	defer x.ending.Unlock()
	if x.ended {
		return
	}
	x.ended = true
	complete := true
	close(x.ends)
	if x.done != nil {
		x.halt.Store(true)
		if !ok || !x.last.Load() {
			x.c.Close()
		}
		<-x.done
		complete = x.complete
	}
	late := x.w.stop()
	open := x.uncare()
	x.s.busy.Add(-1)
	if ok && complete && open && !late && !x.close {
		x.s.put(x.c)
	} else {
		x.s.drop(x.c)
	}
}

// fail ends the exchange and says whose fault it is that err came.
func (x *exchange) fail(err error) error {
	x.end(false)
	var e *Error
	switch {
	case x.ctx.Err() != nil:
		return x.ctx.Err()
	case x.bodyErr != nil:
		return x.bodyErr
	case x.tooLarge:
		return fault(TooLarge, "body of more than %d octets", x.s.cfg.MaxBody)
	case x.w.late():
		e = fault(Timeout, "server did not go on within %v", x.s.cfg.Timeout)
	case errors.As(err, &e):
	case gone(err):
		if x.detail.Reused && !x.heard {
			return errStale
		}
		e = fault(Unavailable, "server closed the connection instead of an answer")
	default:
		e = fault(Protocol, "answer: %w", err)
	}
	x.s.note(e, false)
	return e
}

// note counts a failure of the server.
func (s *server) note(err error, hard bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(err, hard)
}
