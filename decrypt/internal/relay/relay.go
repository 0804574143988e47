// Package relay carries octets between the two legs of a session: decrypted, as they
// are, inside the kernel, or by way of services. It knows no policy and no protocol.
// Whoever counts and records what is carried is its [Recorder].
package relay

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// Direction tells which way octets travel between the legs.
type Direction = proto.Direction

// Recorder is told what is carried, before it is. Calls for one direction do not
// overlap, and behind Reset nothing is Relayed. It borrows what it is given.
type Recorder interface {
	// Relayed is told of p. It is the first if nothing was carried before, either way.
	Relayed(dir Direction, p []byte, first bool)
	// Spliced is told of n octets that the kernel has carried.
	Spliced(dir Direction, n int64)
	// Ended is told that a direction has ended in order.
	Ended(dir Direction)
	// Reset is told that the source of a direction broke, which ends both.
	Reset(dir Direction)
	// Begin looks at p, with which the client goes on after the origin has spoken, before
	// it is carried. An error ends the session.
	Begin(p []byte) (Beginning, error)
}

// Beginning is what a [Recorder] says of the beginning of what a client sends. Unless it
// is held or turns, N octets of it are carried before the Recorder looks again.
type Beginning struct {
	N    int
	Hold time.Duration // more octets would tell, and may be waited for that long; 0: they would not
	Turn bool          // the session goes on as another, from the first octet on
}

// Inspector looks at what is said before it goes on. Each direction is for one goroutine
// at a time.
type Inspector interface {
	// Inspect takes p, which may be empty, and returns what goes on: p, a part of it, or
	// something else, valid until the next call for the direction. With last, nothing goes
	// on behind that. If the direction is that of the client, the session then ends when
	// the other one has. An error ends the session.
	Inspect(dir Direction, p []byte) (pass []byte, last bool, err error)
	// Due reports whether something else goes to the client now, for which Inspect is
	// called without octets of the origin. Who waits for those is poked, unless it is a
	// service. The same holds for octets of the client.
	Due() bool
	// End returns what goes on of the client's octets that were held, when it has ended in
	// order.
	End() []byte
}

// Relay is what both directions of a session share. Its methods are for one goroutine
// a direction.
type Relay struct {
	Recorder  Recorder
	Inspector Inspector     // nil: nothing is looked at; not to be set while octets are carried
	Idle      time.Duration // how long neither direction may move
	Silence   time.Duration // the same before the first octet, 0: as Idle; not to be set while octets are carried

	order    [2]sync.Mutex // by direction: what is carried is recorded; both to fail
	progress atomic.Int64  // octets carried in both directions, to tell idle from one-way
	turns
	endings
}

// Moved reports whether anything was carried.
func (r *Relay) Moved() bool { return r.progress.Load() > 0 }

var (
	// ErrAborted is met by who goes on when the session has failed elsewhere, or after
	// Abort.
	ErrAborted = errors.New("the session is being reset")
	// ErrIdle says that neither direction has moved for too long.
	ErrIdle = errors.New("idle")
	// ErrSilent says that nobody has said anything from the start.
	ErrSilent = errors.New("silent")
	// ErrPoked says that a wait was given up, because the leg was poked.
	ErrPoked = errors.New("wait given up")
)

// Broken says that the source leg of a direction broke, before anything else did.
type Broken struct {
	Dir Direction
	Err error
}

func (b *Broken) Error() string { return fmt.Sprintf("%s: %v", b.Dir, b.Err) }

func (b *Broken) Unwrap() error { return b.Err }

// Both runs one function a direction. The first error resets both legs, which ends
// the other direction, and is returned.
func (r *Relay) Both(client, origin *leg.Leg, toOrigin, toClient func() error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	run := func(carry func() error) {
		err := carry()
		if err == nil {
			return
		}
		r.Fail(client, origin)
		mu.Lock()
		defer mu.Unlock()
		if first == nil || errors.Is(first, ErrAborted) { // which only follows from the other's
			first = err
		}
	}
	wg.Go(func() { run(toOrigin) })
	run(toClient)
	wg.Wait()
	return first
}

// Fail resets both legs.
func (r *Relay) Fail(client, origin *leg.Leg) {
	r.setFailed()
	client.Abort()
	origin.Abort()
}

// Record has octets recorded that are about to be carried. Once the session has failed
// it does not and returns ErrAborted: nobody gets them any more, and in the recording
// nothing stands behind a reset.
func (r *Relay) Record(dir Direction, octets int, record func(first bool)) error {
	r.order[dir].Lock()
	defer r.order[dir].Unlock()
	if r.failed.Load() {
		return ErrAborted
	}
	r.spoke(dir)
	record(r.progress.Add(int64(octets)) == int64(octets))
	return nil
}

// relayed is Record for octets of one kind.
func (r *Relay) relayed(dir Direction, p []byte) error {
	r.order[dir].Lock()
	defer r.order[dir].Unlock()
	if r.failed.Load() {
		return ErrAborted
	}
	r.spoke(dir)
	r.Recorder.Relayed(dir, p, r.progress.Add(int64(len(p))) == int64(len(p)))
	return nil
}

// inspected has p recorded, and returns what goes on of it: see [Inspector]. What is
// recorded is what the client said, and what it gets. p may be empty if there is an Inspector.
func (r *Relay) inspected(dir Direction, p []byte) (pass []byte, last bool, err error) {
	switch {
	case r.Inspector == nil:
		return p, false, r.relayed(dir, p)
	case dir == proto.ClientToOrigin:
		if len(p) > 0 {
			if err := r.relayed(dir, p); err != nil {
				return nil, false, err
			}
		}
		return r.Inspector.Inspect(dir, p)
	}
	if pass, last, err = r.Inspector.Inspect(dir, p); err == nil && len(pass) > 0 {
		err = r.relayed(dir, pass)
	}
	return pass, last, err
}

// held returns what goes on at the end of a direction, of what was held.
func (r *Relay) held(dir Direction) []byte {
	if r.Inspector == nil || dir != proto.ClientToOrigin {
		return nil
	}
	return r.Inspector.End()
}

// retired waits until the other direction has ended, behind the last that went on of this
// one. What the source still says is discarded.
func (r *Relay) retired(dir Direction, from *leg.Leg) error {
	if !r.awaitFinish(dir.Opposite(), r.Idle) {
		return ErrAborted
	}
	r.ended(dir)
	discard(from)
	return nil
}

// ended notes that a direction has ended in order.
func (r *Relay) ended(dir Direction) {
	r.setFinished(dir)
	r.Recorder.Ended(dir)
}

// broken gives the error for a leg that broke: the source leg of direction dir. It is
// recorded at once, so that the reset stands where it happened. What breaks first is why
// the session ends; what breaks behind it gets ErrAborted.
func (r *Relay) broken(dir Direction, err error) error {
	for i := range r.order {
		r.order[i].Lock()
		defer r.order[i].Unlock()
	}
	if r.setFailed() {
		return ErrAborted
	}
	r.Recorder.Reset(dir)
	return &Broken{dir, err}
}

// Await waits until more than have octets of from are unread, or its end has
// come; the next read tells which. It returns ErrPoked when the leg was poked, ErrIdle
// when neither direction moved for Idle, and ErrSilent when none did from the start.
func (r *Relay) Await(from *leg.Leg, have int) error {
	for len(from.Unread()) <= have {
		before := r.progress.Load()
		patience, silent := r.Idle, ErrIdle
		if r.Silence > 0 && before == 0 {
			patience, silent = min(patience, r.Silence), ErrSilent
		}
		from.SetReadDeadline(time.Now().Add(patience))
		if from.Poked() {
			return ErrPoked
		}
		err := from.Fill(true)
		switch {
		case err == nil:
		case !leg.IsTimeout(err):
			return nil
		case from.Poked():
			return ErrPoked
		case r.progress.Load() == before:
			return silent
		}
	}
	return nil
}
