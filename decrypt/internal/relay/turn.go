package relay

import (
	"bytes"
	"crypto/tls"
	"errors"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// turns is where a session may become another: at the beginning of what a client sends
// after the origin has spoken. The zero value is the beginning of a session.
type turns struct {
	spoken   atomic.Bool // the origin has spoken since the client did
	answered atomic.Bool // the origin has spoken at all
	turned   atomic.Bool // the relay ends, as the Recorder wants it
	waiting  atomic.Pointer[chan struct{}]
	divided  bool   // the Recorder has divided what the client said; the client's direction only
	rest     []byte // cleartext with which the client begins another session
}

// maxUnanswered is how many octets a client may have sent, without a word of the origin,
// so that a pause of it is the place for a turn. Behind that it sends a file.
const maxUnanswered = 4 << 10

// answerPatience is how long the origin's answer to what came before a turn is waited
// for, if the client did not.
const answerPatience = 2 * time.Second

// spoke notes who speaks. It is called for each piece that is carried.
func (t *turns) spoke(dir Direction) {
	speaks := dir == proto.OriginToClient
	if t.spoken.Load() == speaks {
		return
	}
	t.spoken.Store(speaks)
	if !speaks {
		return
	}
	t.answered.Store(true)
	if c := t.waiting.Swap(nil); c != nil {
		close(*c)
	}
}

// awaitAnswer waits until the origin has spoken since the client did, or for a while.
func (t *turns) awaitAnswer() {
	c := make(chan struct{})
	t.waiting.Store(&c)
	defer t.waiting.Store(nil)
	if t.spoken.Load() {
		return
	}
	timeout := time.NewTimer(answerPatience)
	defer timeout.Stop()
	select {
	case <-c:
	case <-timeout.C:
	}
}

// mayTurn reports whether what the client says next may be the beginning of another
// session. Within a file it says no, and costs nothing that can be told.
func (r *Relay) mayTurn() bool {
	return r.spoken.Load() || r.divided || !r.answered.Load() && r.progress.Load() <= maxUnanswered
}

// Turned reports whether both directions ended because the session goes on as another.
// What the client begins it with is unread.
func (r *Relay) Turned() bool { return r.turned.Load() }

// Resume has the relay begin again, behind a turn. It returns the cleartext that the client
// begins with, which was read from a TLS connection; nothing if it is unread of the leg.
func (r *Relay) Resume() (rest []byte) {
	r.turned.Store(false)
	rest, r.rest, r.divided = r.rest, nil, false
	return rest
}

// Begins asks the Recorder about the unread octets of the client's leg, if they may begin
// another session, and waits for more of them where it has to. It returns how many of
// them to carry, or that the relay turns; then the other direction is told to end, which
// reads from the leg to.
func (r *Relay) Begins(from, to *leg.Leg) (n int, turned bool, err error) {
	if !r.mayTurn() {
		return len(from.Unread()), false, nil
	}
	begun := time.Now()
	for {
		b, err := r.Recorder.Begin(from.Unread())
		switch {
		case err != nil:
			return 0, false, err
		case b.Turn && !r.Finished(proto.OriginToClient):
			r.turn(to)
			return 0, true, nil
		case b.Turn:
			b.N = len(from.Unread())
		case b.Hold > 0 && more(from, begun.Add(b.Hold)):
			continue
		case b.Hold > 0:
			b.N = len(from.Unread())
		}
		r.divided = b.N < len(from.Unread())
		return b.N, false, nil
	}
}

// flight is Begins for cleartext: the first n octets of chunk, which came from src. What is
// divided from them is carried to dst. It returns what is still to be carried: nothing if
// the relay turns.
func (r *Relay) flight(src, dst *tls.Conn, from, to *leg.Leg, chunk []byte, n int) ([]byte, error) {
	at, begun := 0, time.Now()
	for r.mayTurn() {
		b, err := r.Recorder.Begin(chunk[at:n])
		switch {
		case err != nil:
			return nil, err
		case b.Turn && !r.Finished(proto.OriginToClient):
			r.rest = bytes.Clone(chunk[at:n])
			r.turn(to)
			return nil, nil
		case b.Hold > 0:
			m := moreText(src, from, chunk[n:], begun.Add(b.Hold))
			if n += m; m > 0 {
				continue
			}
		case !b.Turn && b.N < n-at:
			if err := r.apart(dst, from, to, chunk[at:at+b.N]); err != nil {
				return nil, err
			}
			at += b.N
			continue
		}
		break
	}
	r.divided = false
	return chunk[at:n], nil
}

// apart carries p, which the client has sent together with what follows.
func (r *Relay) apart(dst *tls.Conn, from, to *leg.Leg, p []byte) error {
	r.divided = true
	_, werr, err := r.forward(proto.ClientToOrigin, p, dst)
	if err == nil && werr == nil {
		werr = to.Flush()
	}
	if werr != nil {
		return r.Undeliverable(proto.ClientToOrigin, from, werr)
	}
	return err
}

// moreText reads more cleartext, and returns how much; 0 if none comes in time. An end is
// met again by who reads next.
func moreText(src *tls.Conn, from *leg.Leg, p []byte, until time.Time) int {
	for len(p) > 0 {
		n, err := src.Read(p)
		switch {
		case n > 0:
			return n
		case err != nil && (!errors.Is(err, leg.ErrAgain) || !more(from, until)):
			return 0
		}
	}
	return 0
}

// turn has the other direction end, which reads from that leg.
func (r *Relay) turn(origin *leg.Leg) {
	if !r.spoken.Load() && r.Moved() {
		r.awaitAnswer()
	}
	r.turned.Store(true)
	origin.Poke()
}

// more waits for more of a leg whose octets are held, and reports whether there are.
func more(from *leg.Leg, until time.Time) bool {
	defer from.SetReadDeadline(time.Time{})
	for {
		from.SetReadDeadline(until)
		err := from.Fill(true)
		switch {
		case !leg.IsTimeout(err): // an end is met again by who reads next
			return err == nil
		case time.Now().Before(until): // somebody poked it, who is answered by Await
			continue
		}
		from.SetReadDeadline(time.Time{})
		return from.Fill(false) == nil // what has come in time counts, if it is we who are late
	}
}
