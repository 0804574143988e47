package decrypt

import (
	"crypto/tls"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// relay joins two established TLS connections until both directions have ended.
func (s *session) relay() error {
	s.client.Relaying(s.engine.cfg.IdleTimeout)
	s.origin.Relaying(s.engine.cfg.IdleTimeout)
	return s.both(
		func() error { return s.pumpTLS(ClientToOrigin, s.clientTLS, s.originTLS, s.client, s.origin) },
		func() error { return s.pumpTLS(OriginToClient, s.originTLS, s.clientTLS, s.origin, s.client) },
	)
}

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
			if dir == ClientToOrigin && s.inside != nil {
				if err := s.look(chunk[:n]); err != nil {
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
			s.end(dir)
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

// closed carries the end of direction dir to the leg it leads to.
func (s *session) closed(dir Direction, to *leg.Leg) error {
	if err := to.CloseWrite(); err != nil && !leg.IsGone(err) {
		return s.broken(dir.Opposite(), err)
	}
	return nil
}

// lingering bounds how long octets are read from a leg whose other end takes no
// more.
const lingering = time.Second

// undeliverable handles a destination that takes no more octets of direction
// dir. If it has sent everything it had, what it sent must still arrive: closing
// the source now, with octets unread, would reset it. So they are discarded for
// a moment.
func (s *session) undeliverable(dir Direction, from *leg.Leg, err error) error {
	if !leg.IsReset(err) || !s.finishes(dir.Opposite(), err) {
		return s.broken(dir.Opposite(), err)
	}
	s.end(dir)
	from.SetReadDeadline(time.Now().Add(lingering))
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
	return s.awaitFinish(dir, lingering)
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

// relayed counts p and hands it to the tap; it is about to be relayed. Once the
// session has failed it does neither and returns errAborted: nobody gets p any more,
// and in the recording nothing stands behind a reset.
func (s *session) relayed(dir Direction, content Content, p []byte) error {
	s.order[dir].Lock()
	defer s.order[dir].Unlock()
	if s.failed.Load() {
		return errAborted
	}
	s.show(dir, content, p)
	return nil
}

// show counts p and hands it to the tap.
func (s *session) show(dir Direction, content Content, p []byte) {
	s.count(dir, p)
	if s.stream != nil {
		s.stream.Data(s.sessionDir(dir), content, p)
	}
}

// count counts p, and looks for what it announces.
func (s *session) count(dir Direction, p []byte) {
	s.account.octets[s.sessionDir(dir)].Add(uint64(len(p)))
	if s.progress.Add(int64(len(p))) == int64(len(p)) && dir == OriginToClient && s.originTLS != nil {
		if proto, _ := sniff.Origin(p); proto == sniff.FTP { // behind TLS from the first octet
			s.watch(true)
		}
	}
	if c := s.control.Load(); c != nil {
		s.announce(c, dir, p)
	}
}

// relayedParts is relayed for octets of several kinds.
func (s *session) relayedParts(dir Direction, parts []Part, p []byte) error {
	s.order[dir].Lock()
	defer s.order[dir].Unlock()
	if s.failed.Load() {
		return errAborted
	}
	if a, ok := s.stream.(Assembler); ok && len(parts) > 1 {
		s.count(dir, p)
		a.Assemble(s.sessionDir(dir), parts, p)
		return nil
	}
	for _, part := range parts {
		s.show(dir, part.Content, p[:part.N])
		p = p[part.N:]
	}
	return nil
}

// end notes, and tells the tap, that a direction ended in order.
func (s *session) end(dir Direction) {
	if dir == ClientToOrigin && s.clientTLS != nil && s.account.Octets(dir) == s.said && !s.finished[OriginToClient].Load() {
		s.hushed = time.Since(s.shaken) < hush
	}
	s.setFinished(dir)
	if s.stream != nil {
		s.stream.End(s.sessionDir(dir), Finished)
	}
}

// broken gives the failure for a leg that broke: the source leg of direction
// dir. The tap learns it at once, so that the reset stands where it happened. What
// breaks first is why the session ends; what breaks behind it gets errAborted.
func (s *session) broken(dir Direction, err error) error {
	var f *failure
	if errors.As(err, &f) {
		return err
	}
	for i := range s.order {
		s.order[i].Lock()
		defer s.order[i].Unlock()
	}
	if s.setFailed() {
		return errAborted
	}
	if s.stream != nil {
		s.stream.End(s.sessionDir(dir), Reset)
	}
	switch {
	case leg.IsTimeout(err):
		return fail(reasonIdle, err, 0)
	case s.sessionDir(dir) == ClientToOrigin:
		return fail(reasonClientReset, err, 0)
	}
	return fail(reasonOriginReset, err, 0)
}
