package relay

import (
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// Raw carries one direction of octets that are not encrypted, or not opened, straight
// from the buffer they were read into. It ends without an error if the session turned.
func (r *Relay) Raw(dir Direction, from, to *leg.Leg) error {
	for {
		err := r.Await(from, 0)
		poked := err == ErrPoked
		switch {
		case r.turned.Load():
			return nil
		case poked && r.Inspector == nil:
			continue // by a dialogue that is over
		case err != nil && !poked:
			return err
		case len(from.Unread()) == 0 && !poked:
			return r.rawEnded(dir, from, to)
		}
		n := len(from.Unread())
		if dir == proto.ClientToOrigin && n > 0 {
			var turned bool
			if n, turned, err = r.Begins(from, to); turned || err != nil {
				return err
			}
		}
		last, werr, err := r.pass(dir, from.Unread()[:n], from, to)
		switch {
		case err != nil:
			return err
		case werr != nil:
			return r.Undeliverable(dir, from, werr)
		case last:
			return r.lastPassed(dir, to, from, to)
		}
	}
}

// rawEnded is SourceEnded, behind what was held.
func (r *Relay) rawEnded(dir Direction, from, to *leg.Leg) error {
	if p := r.held(dir); len(p) > 0 {
		to.Send(p) // a leg that is gone shows next
	}
	return r.SourceEnded(dir, from, to)
}

// pass carries p, which is unread of from.
func (r *Relay) pass(dir Direction, p []byte, from, to *leg.Leg) (last bool, werr, err error) {
	pass, last, err := r.inspected(dir, p)
	if err != nil {
		return false, nil, err
	}
	if len(pass) > 0 {
		if werr = to.Send(pass); werr != nil {
			return false, werr, nil
		}
	}
	from.Consume(len(p))
	return last, nil, nil
}

// SourceEnded carries the end of a raw source on.
func (r *Relay) SourceEnded(dir Direction, from, to *leg.Leg) error {
	if from.Err() != io.EOF {
		return r.broken(dir, from.Err())
	}
	r.ended(dir)
	return r.closed(dir, to)
}

// closed carries the end of direction dir to the leg it leads to.
func (r *Relay) closed(dir Direction, to *leg.Leg) error {
	if err := to.CloseWrite(); err != nil && !leg.IsGone(err) {
		return r.broken(dir.Opposite(), err)
	}
	return nil
}

// CloseLinger bounds how long octets are read from a leg whose other end takes no
// more.
const CloseLinger = time.Second

// Undeliverable handles a destination that takes no more octets of direction
// dir, for err. If it has sent everything it had, what it sent must still arrive:
// closing the source now, with octets unread, would reset it. So they are discarded for
// a moment.
func (r *Relay) Undeliverable(dir Direction, from *leg.Leg, err error) error {
	if !leg.IsReset(err) || !r.finishes(dir.Opposite(), err) {
		return r.broken(dir.Opposite(), err)
	}
	r.ended(dir)
	discard(from)
	return nil
}

// discard reads for a moment what nobody wants any more.
func discard(from *leg.Leg) {
	from.SetReadDeadline(time.Now().Add(CloseLinger))
	for {
		from.Consume(len(from.Unread()))
		if from.Fill(true) != nil {
			return
		}
	}
}

// finishes reports whether direction dir ends in order, whose source takes no more
// for err. Linux says EPIPE where a RST has come behind a FIN, or where another
// call was told of it: then the end may be behind octets that are still being
// carried, and is waited for for a moment.
func (r *Relay) finishes(dir Direction, err error) bool {
	if errors.Is(err, syscall.ECONNRESET) {
		return r.finished[dir].Load()
	}
	return r.awaitFinish(dir, CloseLinger)
}
