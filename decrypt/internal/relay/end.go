package relay

import (
	"errors"
	"io"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// Cleartext is a TLS connection over a leg, or the leg of a plain session.
type Cleartext interface {
	io.Reader
	io.Writer
	CloseWrite() error
}

// LegEnd is a leg as services see it. What passes the client's is recorded: what it sent
// and what it got.
type LegEnd struct {
	relay    *Relay
	dir      Direction // of what is read
	text     Cleartext
	leg      *leg.Leg
	recorded bool

	opposite *LegEnd
	cut      atomic.Bool // the peer ended TLS by a FIN, without close_notify

	held   []byte // that the client has said, and may begin another session with
	judged int    // octets of held that do not

	inspected
	peeked [1]byte // read by Await
	has    bool    // peeked holds an octet
	ending error   // sticky
}

// Ends turns the legs to the mode of [leg.Leg.Relaying] and returns them as services see
// them. The texts are what cleartext is read from and written to: TLS connections, or the
// legs.
func (r *Relay) Ends(client, origin *leg.Leg, clientText, originText Cleartext) (*LegEnd, *LegEnd) {
	client.Relaying(r.Idle)
	origin.Relaying(r.Idle)
	c := &LegEnd{relay: r, dir: proto.ClientToOrigin, text: clientText, leg: client, recorded: true}
	o := &LegEnd{relay: r, dir: proto.OriginToClient, text: originText, leg: origin, opposite: c}
	c.opposite = o
	return c, o
}

// Read implements [End]. While it waits the leg holds no buffer.
func (e *LegEnd) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if e.inspects() {
		return e.readInspected(p)
	}
	if n, err = e.flight(p); err != nil {
		return 0, err
	}
	return n, e.moved(e.dir, p[:n])
}

// flight reads what is known not to begin another session. It returns no octets if the leg
// was poked.
func (e *LegEnd) flight(p []byte) (n int, err error) {
	if len(e.held) > 0 {
		return e.readHeld(p)
	}
	if n, err = e.take(p); n == 0 || err != nil {
		return 0, err
	}
	if e.recorded && e.relay.mayTurn() {
		e.held = append([]byte(nil), p[:n]...)
		return e.readHeld(p)
	}
	return n, nil
}

// take reads what is at hand. It returns no octets if the leg was poked.
func (e *LegEnd) take(p []byte) (n int, err error) {
	if e.has {
		e.has = false
		p[0], n = e.peeked[0], 1
	} else if n, err = e.read(p); n == 0 {
		return 0, err
	}
	for n < len(p) { // what else is at hand; an error comes again
		more, err := e.text.Read(p[n:])
		if n += more; err != nil {
			break
		}
	}
	return n, nil
}

// moved accounts for octets of this leg.
func (e *LegEnd) moved(dir Direction, p []byte) error {
	if !e.recorded {
		e.relay.progress.Add(int64(len(p)))
		return nil
	}
	return e.relay.relayed(dir, p)
}

// Await returns when Read will not wait.
func (e *LegEnd) Await() error {
	if e.has || e.poked || e.last || len(e.held)+len(e.rest) > 0 {
		return nil
	}
	n, err := e.read(e.peeked[:])
	e.has = n > 0
	e.poked = n == 0 && err == nil
	if err == io.EOF {
		return nil
	}
	return err
}

// read is Read without account of what came. It returns nothing if the leg was poked.
func (e *LegEnd) read(p []byte) (int, error) {
	for e.ending == nil {
		n, err := e.text.Read(p)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
		case errors.Is(err, leg.ErrAgain) && len(e.leg.Unread()) > 0 && e.text != Cleartext(e.leg):
			e.ending = e.broken(errStuck)
		case errors.Is(err, leg.ErrAgain) && e.relay.turned.Load():
			e.ending = io.EOF
		case errors.Is(err, leg.ErrAgain):
			if err := e.leg.FlushIfFree(); err != nil {
				e.ending = e.broken(err)
			} else if err := e.relay.Await(e.leg, 0); err == ErrPoked && e.inspects() && !e.relay.turned.Load() {
				return 0, nil
			} else if err != nil && !e.relay.turned.Load() {
				e.ending = err
			}
		case err == io.EOF:
			e.cut.Store(e.leg.Err() != nil)
			e.ended(e.dir)
			e.ending = io.EOF
		case leg.IsTimeout(err): // an old deadline; only Await decides on idleness
			e.leg.SetReadDeadline(time.Time{})
		default:
			e.ending = e.broken(err)
		}
	}
	return 0, e.ending
}

// ended notes that the source of this leg has ended in order.
func (e *LegEnd) ended(dir Direction) {
	if e.recorded {
		e.relay.ended(dir)
	} else {
		e.relay.setFinished(dir)
	}
}

// Write implements [End]. What an origin takes no more that has ended in order, early
// in a request say, is let go: its answer must arrive.
func (e *LegEnd) Write(p []byte) (int, error) {
	if e.inspects() {
		return e.writeInspected(p)
	}
	if err := e.moved(e.dir.Opposite(), p); err != nil {
		return 0, err
	}
	n, err := write(e.text, p)
	if err == nil {
		err = e.leg.Flush()
	}
	switch {
	case err == nil:
		return n, nil
	case !e.recorded && leg.IsReset(err) && e.complete(err):
		return len(p), nil // it has said all it had to, which is still to be read
	}
	return n, e.broken(err)
}

// complete reports whether this leg, which takes no more for err, has ended in order,
// by close_notify if it was reset. Its end may be behind octets that are still to
// be read, and is waited for for a moment.
func (e *LegEnd) complete(err error) bool {
	if !e.relay.awaitFinish(e.dir, CloseLinger) {
		return false
	}
	return !errors.Is(err, syscall.ECONNRESET) || e.leg.Err() == nil
}

// CloseWrite implements [End]. Behind an end without close_notify there is none
// either: what may have been cut off must not look complete (RFC 8446, Section 6.1).
func (e *LegEnd) CloseWrite() error {
	if e.closed.Load() {
		return nil
	}
	if e.relay.turned.Load() {
		return nil // the session goes on without the service
	}
	if e.recorded && !e.relay.Finished(e.dir.Opposite()) {
		e.relay.ended(e.dir.Opposite())
	}
	if e.text != Cleartext(e.leg) && !e.opposite.cut.Load() {
		e.text.CloseWrite() // a leg that is gone shows next
	}
	if err := e.leg.CloseWrite(); err != nil && !leg.IsGone(err) {
		return e.broken(err)
	}
	return nil
}

// Abort implements [End].
func (e *LegEnd) Abort() {
	e.relay.setFailed()
	e.leg.Abort()
}

// Linger ends this leg unless its source has ended: it discards for a moment what the far
// end still sends, so that what was written to it arrives. Closing with octets unread
// would reset the connection.
func (e *LegEnd) Linger() {
	if e.relay.turned.Load() || e.relay.Finished(e.dir) || e.CloseWrite() != nil {
		return
	}
	discard(e.leg)
}

// broken gives the error for this leg. What breaks first, and not because the
// session is being reset, is why it ends.
func (e *LegEnd) broken(err error) error {
	switch {
	case e.recorded:
		return e.relay.broken(e.dir, err)
	case e.relay.setFailed():
		return ErrAborted
	}
	return &Broken{e.dir, err}
}
