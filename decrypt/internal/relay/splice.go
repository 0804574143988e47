package relay

import (
	"errors"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
)

// The kernel carries octets for about spliceTurn between two looks at the counters. So
// that it does not take longer if the receiver is slow, it carries fewer octets at a time
// then.
const (
	spliceTurn  = time.Second
	spliceFirst = 256 << 10
	spliceLeast = 16 << 10
	spliceMost  = 16 << 20
)

// Splice carries one direction inside the kernel, after what is buffered. Both legs must
// be sockets. While nothing comes, it waits without a turn.
func (r *Relay) Splice(dir Direction, from, to *leg.Leg) error {
	if p := from.Unread(); len(p) > 0 {
		if _, werr, err := r.pass(dir, p, from, to); err != nil {
			return err
		} else if werr != nil {
			return r.Undeliverable(dir, from, werr)
		}
	}
	if from.Err() != nil {
		return r.SourceEnded(dir, from, to)
	}
	turn, most := min(spliceTurn, r.Idle), int64(spliceFirst)
	for {
		before, begun := r.progress.Load(), time.Now()
		n, err := from.SpliceTo(to, most, begun.Add(turn), begun.Add(turn+r.Idle))
		r.Recorder.Spliced(dir, n)
		r.progress.Add(n)
		took := time.Since(begun)
		switch {
		case err == nil && n == most:
			most = nextSplice(most, took)
		case err == nil:
			return r.SourceEnded(dir, from, to)
		case leg.IsTimeout(err) && took >= turn+r.Idle: // the receiver takes nothing
			return ErrIdle
		case leg.IsTimeout(err) && n > 0:
		case leg.IsTimeout(err):
			if err := r.awaitSocket(from, before, r.Idle-turn); err != nil {
				return err
			}
		case errors.Is(err, syscall.EPIPE):
			return r.Undeliverable(dir, from, err)
		default:
			return r.broken(dir, err)
		}
	}
}

// awaitSocket waits until something can be spliced. before is how far the relay was when
// the wait began, of which patience is left. It returns [ErrIdle] if neither direction
// moves for Idle.
func (r *Relay) awaitSocket(from *leg.Leg, before int64, patience time.Duration) error {
	for {
		if err := from.AwaitSocket(time.Now().Add(patience)); !leg.IsTimeout(err) {
			return nil // an error comes again
		}
		now := r.progress.Load()
		if now == before {
			return ErrIdle
		}
		before, patience = now, r.Idle
	}
}

// nextSplice returns how many octets to carry at a time, if that many took so long.
func nextSplice(octets int64, took time.Duration) int64 {
	switch {
	case took < spliceTurn/8:
		return min(octets*2, spliceMost)
	case took > spliceTurn/2:
		return max(octets/4, spliceLeast)
	}
	return octets
}
