package decrypt

import (
	"crypto/tls"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
)

// both runs one function a direction. The first error resets both legs, which ends
// the other direction, and is returned.
func (s *session) both(toOrigin, toClient func() error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	run := func(pump func() error) {
		err := Contain(pump)
		if err == nil {
			return
		}
		s.setFailed()
		s.client.Abort()
		s.origin.Abort()
		mu.Lock()
		defer mu.Unlock()
		if first == nil || errors.Is(first, errAborted) { // which only follows from the other's
			first = err
		}
	}
	wg.Go(func() { run(toOrigin) })
	run(toClient)
	wg.Wait()
	return first
}

// pumpTLS relays one direction. It decrypts what the source socket holds, hands
// it to the tap, encrypts it, and writes it in one system call when the source
// holds no complete record any more. While it waits it holds no buffer.
func (s *session) pumpTLS(dir Direction, src, dst *tls.Conn, from, to *leg.Leg) error {
	for {
		chunk := leg.TakeChunk()
		n, err := readChunk(src, chunk)
		if n > 0 {
			if dir == ClientToOrigin && s.host != nil {
				if err := s.checkHost(chunk[:n]); err != nil {
					leg.Release(chunk)
					return err
				}
			}
			if err := s.relayed(dir, Decrypted, chunk[:n]); err != nil {
				leg.Release(chunk)
				return err
			}
			if _, werr := dst.Write(chunk[:n]); werr != nil {
				leg.Release(chunk)
				return s.undeliverable(dir, from, werr)
			}
		}
		leg.Release(chunk)
		switch {
		case err == nil:
			continue
		case errors.Is(err, leg.ErrAgain):
			if err := s.drain(dir, from, to); err != nil {
				return err
			}
		case err == io.EOF:
			s.ended(dir)
			if from.Err() == nil { // close_notify came, not only a FIN
				dst.CloseWrite() // a leg that is gone shows in closeWrite
			}
			return s.closed(dir, to)
		case leg.IsTimeout(err): // an old deadline; only await decides on idleness
			from.SetReadDeadline(time.Time{})
		default:
			return s.broken(dir, err)
		}
	}
}

// pumpRaw relays one direction of octets that are not encrypted, or not opened,
// straight from the buffer they were read into.
func (s *session) pumpRaw(dir Direction, content Content, from, to *leg.Leg) error {
	for {
		if err := s.await(from, 0); err == errPoked {
			continue // by a dialogue that is over
		} else if err != nil {
			return err
		}
		p := from.Unread()
		if len(p) == 0 {
			return s.sourceEnded(dir, from, to)
		}
		if err := s.relayed(dir, content, p); err != nil {
			return err
		}
		if err := to.Send(p); err != nil {
			return s.undeliverable(dir, from, err)
		}
		from.Consume(len(p))
	}
}

// sourceEnded carries the end of a raw source on.
func (s *session) sourceEnded(dir Direction, from, to *leg.Leg) error {
	if from.Err() != io.EOF {
		return s.broken(dir, from.Err())
	}
	s.ended(dir)
	return s.closed(dir, to)
}

// spliceChunk is how many octets the kernel passes on between two looks at the counters.
const spliceChunk = 16 << 20

// splice relays one direction inside the kernel, after what is buffered.
func (s *session) splice(dir Direction, from, to *leg.Leg) error {
	if p := from.Unread(); len(p) > 0 {
		if err := s.relayed(dir, Tunneled, p); err != nil {
			return err
		}
		if err := to.Send(p); err != nil {
			return s.undeliverable(dir, from, err)
		}
		from.Consume(len(p))
	}
	if from.Err() != nil {
		return s.sourceEnded(dir, from, to)
	}
	for {
		before := s.progress.Load()
		n, err := from.SpliceTo(to, spliceChunk, time.Now().Add(s.engine.cfg.IdleTimeout))
		s.account.octets[s.sessionDir(dir)].Add(uint64(n))
		s.progress.Add(n)
		switch {
		case err == nil && n == spliceChunk:
		case err == nil:
			return s.sourceEnded(dir, from, to)
		case leg.IsTimeout(err) && s.progress.Load() != before:
		case leg.IsTimeout(err):
			return fail(reasonIdle, nil, 0)
		case errors.Is(err, syscall.EPIPE):
			return s.undeliverable(dir, from, err)
		default:
			return s.broken(dir, err)
		}
	}
}

// closed carries the end of direction dir to the leg it leads to.
func (s *session) closed(dir Direction, to *leg.Leg) error {
	if err := to.CloseWrite(); err != nil && !leg.IsGone(err) {
		return s.broken(dir.Opposite(), err)
	}
	return nil
}

// closeLinger bounds how long octets are read from a leg whose other end takes no
// more.
const closeLinger = time.Second

// undeliverable handles a destination that takes no more octets of direction
// dir. If it has sent everything it had, what it sent must still arrive: closing
// the source now, with octets unread, would reset it. So they are discarded for
// a moment.
func (s *session) undeliverable(dir Direction, from *leg.Leg, err error) error {
	if !leg.IsReset(err) || !s.finishes(dir.Opposite(), err) {
		return s.broken(dir.Opposite(), err)
	}
	s.ended(dir)
	from.SetReadDeadline(time.Now().Add(closeLinger))
	for {
		from.Consume(len(from.Unread()))
		if err := from.Fill(true); err != nil {
			return nil
		}
	}
}

// finishes reports whether direction dir ends in order, whose source takes no more
// for err. Linux says EPIPE where a RST has come behind a FIN, or where another
// call was told of it: then the end may be behind octets that are still being
// relayed, and is waited for for a moment.
func (s *session) finishes(dir Direction, err error) bool {
	if errors.Is(err, syscall.ECONNRESET) {
		return s.finished[dir].Load()
	}
	return s.awaitFinish(dir, closeLinger)
}

// readChunk fills p with what src has at hand. n may be positive beside an error.
func readChunk(src *tls.Conn, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = src.Read(p[n:])
		n += m
	}
	return n, err
}

// drain writes what was collected for the destination, and waits for the source.
func (s *session) drain(dir Direction, from, to *leg.Leg) error {
	if err := to.Flush(); err != nil {
		return s.undeliverable(dir, from, err)
	}
	// crypto/tls may have answered on the source itself (a key update).
	if err := from.FlushIfFree(); err != nil {
		return s.broken(dir, err)
	}
	return s.await(from, 0)
}

// errPoked says that a wait was given up, because the leg was poked.
var errPoked = errors.New("wait given up")

// await waits until more than have octets of from are unread, or its end has
// come; the next read tells which. It returns errPoked when the leg was poked.
// The session is idle when neither direction moved for IdleTimeout, or from the
// start for SilenceTimeout.
func (s *session) await(from *leg.Leg, have int) error {
	for len(from.Unread()) <= have {
		before := s.progress.Load()
		patience, reason := s.engine.cfg.IdleTimeout, reasonIdle
		if s.mute && before == 0 {
			patience, reason = min(patience, s.engine.cfg.SilenceTimeout), reasonNoFlight
		}
		from.SetReadDeadline(time.Now().Add(patience))
		if from.Poked() {
			return errPoked
		}
		err := from.Fill(true)
		switch {
		case err == nil:
		case !leg.IsTimeout(err):
			return nil
		case from.Poked():
			return errPoked
		case s.progress.Load() == before:
			return fail(reason, nil, 0)
		}
	}
	return nil
}
