package decrypt

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
)

// Service stands between the two legs of a decrypted or plain session: it moves
// the cleartext, and may change or withhold it. It carries a plain session of SMTP
// from the first command of mail on, behind greeting and EHLO, and one whose client
// speaks first in an unknown protocol from the first octet on. It carries no other
// plain dialogue that could turn to TLS.
type Service interface {
	// Carry serves s and returns when both directions have ended. If it returns
	// nil earlier, what it wrote is delivered and the legs are closed in order; an
	// error resets them, and becomes the session's reason if it has a method
	// Reason() string. Several sessions call it concurrently. What it starts
	// goroutines for runs by [Contain].
	Carry(ctx context.Context, s *Session, client, origin End) error
}

// End is one side of a session's cleartext as a [Service] sees it: a leg, or the
// next service. One goroutine at a time may read from it, and one write to it.
// Its ends before and behind a chain have a method Await() error besides, which
// returns when octets, or the end, have come: who waits there needs no buffer
// meanwhile.
type End interface {
	io.Reader // io.EOF after an orderly end; any other error: the leg broke, or is idle
	io.Writer // what one call was given is sent at once
	// CloseWrite carries an orderly end on.
	CloseWrite() error
	// Abort resets this end. It may be called at any time, by any goroutine, more
	// than once.
	Abort()
}

// serve lets services carry the session between the two legs.
func (s *session) serve(ctx context.Context) error {
	s.client.Relaying(s.engine.cfg.IdleTimeout)
	s.origin.Relaying(s.engine.cfg.IdleTimeout)
	s.open()
	client := &endpoint{session: s, dir: ClientToOrigin, text: s.client, leg: s.client, tapped: true}
	origin := &endpoint{session: s, dir: OriginToClient, text: s.origin, leg: s.origin}
	if s.content == Decrypted {
		client.text, origin.text = s.clientTLS, s.originTLS
	}
	client.opposite, origin.opposite = origin, client
	err := chain(ctx, s.account, s.services, client, origin)
	if err != nil {
		s.setFailed()
		s.client.Abort()
		s.origin.Abort()
		return serviceFailure(err)
	}
	if !s.finished[ClientToOrigin].Load() {
		client.linger()
	}
	return nil
}

// askServices asks what stands between the legs.
func (s *session) askServices() []Service {
	if s.engine.cfg.Services == nil {
		return nil
	}
	return s.engine.cfg.Services(s.account)
}

func serviceFailure(err error) error {
	var f *failure
	var r interface{ Reason() string }
	switch {
	case errors.As(err, &r):
		return fail(r.Reason(), err, 0)
	case errors.As(err, &f):
		return f
	}
	return fail(reasonService, err, 0)
}

// chain runs services in order, each in a goroutine of its own, with pipes
// between them. The error of the first that fails, and not because another has, is
// returned when all have ended.
func chain(ctx context.Context, s *Session, services []Service, client, origin End) error {
	if len(services) == 1 {
		return Contain(func() error { return services[0].Carry(ctx, s, client, origin) })
	}
	var wg sync.WaitGroup
	errs := make([]error, len(services))
	order := make(chan int, len(services)) // in which they failed
	near := client
	for i, service := range services {
		far, next := origin, End(nil)
		if i < len(services)-1 {
			far, next = pipe()
		}
		left, right := near, far
		wg.Go(func() {
			if err := Contain(func() error { return service.Carry(ctx, s, left, right) }); err != nil {
				errs[i] = err
				order <- i
				left.Abort()
				right.Abort()
				return
			}
			for _, end := range []End{left, right} {
				if p, ok := end.(*pipeEnd); ok {
					p.leave()
				}
			}
		})
		near = next
	}
	wg.Wait()
	close(order)
	var first error
	for i := range order {
		if !errors.Is(errs[i], errAborted) {
			return errs[i]
		}
		first = errs[i]
	}
	return first
}

// cleartext is a TLS connection over a leg, or the leg of a plain session.
type cleartext interface {
	io.Reader
	io.Writer
	CloseWrite() error
}

// endpoint is a leg as services see it. The tap sees the client's.
type endpoint struct {
	session *session
	dir     Direction // of what is read
	text    cleartext
	leg     *leg.Leg
	tapped  bool

	opposite *endpoint
	cut      atomic.Bool // the peer ended TLS by a FIN, without close_notify

	peeked [1]byte // read by Await
	has    bool    // peeked holds an octet
	ending error   // sticky
}

// Read implements End. While it waits the leg holds no buffer.
func (e *endpoint) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if e.has {
		e.has = false
		p[0], n = e.peeked[0], 1
	} else if n, err = e.read(p); err != nil {
		return 0, err
	}
	for n < len(p) { // what else is at hand; an error comes again
		more, err := e.text.Read(p[n:])
		if n += more; err != nil {
			break
		}
	}
	if e.tapped && e.session.host != nil {
		if err := e.session.checkHost(p[:n]); err != nil {
			e.ending = err
			return 0, err
		}
	}
	return n, e.moved(e.dir, p[:n])
}

// moved accounts for octets of this leg.
func (e *endpoint) moved(dir Direction, p []byte) error {
	if !e.tapped {
		e.session.progress.Add(int64(len(p)))
		return nil
	}
	return e.session.relayed(dir, e.session.content, p)
}

// Await returns when Read will not wait.
func (e *endpoint) Await() error {
	if e.has {
		return nil
	}
	n, err := e.read(e.peeked[:])
	e.has = n > 0
	if err == io.EOF {
		return nil
	}
	return err
}

// read is Read without account of what came.
func (e *endpoint) read(p []byte) (int, error) {
	for e.ending == nil {
		n, err := e.text.Read(p)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
		case errors.Is(err, leg.ErrAgain):
			if err := e.leg.FlushIfFree(); err != nil {
				e.ending = e.broken(err)
			} else if err := e.session.await(e.leg, 0); err != nil {
				e.ending = err
			}
		case err == io.EOF:
			e.cut.Store(e.leg.Err() != nil)
			if e.tapped {
				e.session.ended(e.dir)
			} else {
				e.session.setFinished(e.dir)
			}
			e.ending = io.EOF
		case leg.IsTimeout(err): // an old deadline; only await decides on idleness
			e.leg.SetReadDeadline(time.Time{})
		default:
			e.ending = e.broken(err)
		}
	}
	return 0, e.ending
}

// Write implements End. What an origin takes no more that has ended in order, early
// in a request say, is let go: its answer must arrive.
func (e *endpoint) Write(p []byte) (int, error) {
	if err := e.moved(e.dir.Opposite(), p); err != nil {
		return 0, err
	}
	n, err := e.text.Write(p)
	if err == nil {
		err = e.leg.Flush()
	}
	switch {
	case err == nil:
		return n, nil
	case !e.tapped && leg.IsReset(err) && e.complete(err):
		return len(p), nil // it has said all it had to, which is still to be read
	}
	return n, e.broken(err)
}

// complete reports whether this leg, which takes no more for err, has ended in order,
// by close_notify if it was reset. Its end may be behind octets that are still to
// be read, and is waited for for a moment.
func (e *endpoint) complete(err error) bool {
	if !e.session.awaitFinish(e.dir, closeLinger) {
		return false
	}
	return !errors.Is(err, syscall.ECONNRESET) || e.leg.Err() == nil
}

// CloseWrite implements End. Behind an end without close_notify there is none
// either: what may have been cut off must not look complete (RFC 8446, Section 6.1).
func (e *endpoint) CloseWrite() error {
	if e.tapped && !e.session.finished[e.dir.Opposite()].Load() {
		e.session.ended(e.dir.Opposite())
	}
	if e.text != cleartext(e.leg) && !e.opposite.cut.Load() {
		e.text.CloseWrite() // a leg that is gone shows next
	}
	if err := e.leg.CloseWrite(); err != nil && !leg.IsGone(err) {
		return e.broken(err)
	}
	return nil
}

// Abort implements End.
func (e *endpoint) Abort() {
	e.session.setFailed()
	e.leg.Abort()
}

// linger discards for a moment what the far end still sends, so that what was
// written to it arrives: closing with octets unread would reset the connection.
func (e *endpoint) linger() {
	if e.CloseWrite() != nil {
		return
	}
	e.leg.SetReadDeadline(time.Now().Add(closeLinger))
	for {
		e.leg.Consume(len(e.leg.Unread()))
		if e.leg.Fill(true) != nil {
			return
		}
	}
}

// broken gives the failure for this leg. What breaks first, and not because the
// session is being reset, is why it ends.
func (e *endpoint) broken(err error) error {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	switch {
	case e.tapped:
		return e.session.broken(e.dir, err)
	case e.session.setFailed():
		return errAborted
	case leg.IsTimeout(err):
		return fail(reasonIdle, err, 0)
	}
	return fail(reasonOriginReset, err, 0)
}

// errAborted is what a service gets from its ends after Abort, and a direction of
// which the other has failed.
var errAborted = errors.New("the session is being reset")

// pipeEnd is one end of the connection between two services. It has no buffer:
// a write waits for its reader.
type pipeEnd struct {
	*io.PipeReader
	w *io.PipeWriter
}

func pipe() (a, b *pipeEnd) {
	ar, bw := io.Pipe()
	br, aw := io.Pipe()
	return &pipeEnd{ar, aw}, &pipeEnd{br, bw}
}

func (p *pipeEnd) Write(b []byte) (int, error) { return p.w.Write(b) }

func (p *pipeEnd) CloseWrite() error { return p.w.Close() }

func (p *pipeEnd) Abort() {
	p.CloseWithError(errAborted)
	p.w.CloseWithError(errAborted)
}

// leave is for a service that has ended in order: nobody reads here any more.
func (p *pipeEnd) leave() {
	p.w.Close()
	p.PipeReader.Close()
}
