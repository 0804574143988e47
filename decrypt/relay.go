package decrypt

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

// relay joins two established TLS connections until both directions have ended.
func (j *joint) relay() error {
	j.client.relaying(j.e.cfg.IdleTimeout)
	j.origin.relaying(j.e.cfg.IdleTimeout)
	return j.both(
		func() error { return j.pumpTLS(ClientToOrigin, j.clientTLS, j.originTLS, j.client, j.origin) },
		func() error { return j.pumpTLS(OriginToClient, j.originTLS, j.clientTLS, j.origin, j.client) },
	)
}

// both runs one function a direction. The first error resets both legs, which ends
// the other direction, and is returned.
func (j *joint) both(toOrigin, toClient func() error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	run := func(pump func() error) {
		err := Contain(pump)
		if err == nil {
			return
		}
		j.setFailed()
		j.client.abort()
		j.origin.abort()
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
func (j *joint) pumpTLS(dir Direction, src, dst *tls.Conn, from, to *leg) error {
	for {
		chunk := takeChunk()
		n, err := readChunk(src, chunk)
		if n > 0 {
			if dir == ClientToOrigin && j.inside != nil {
				if err := j.look(chunk[:n]); err != nil {
					release(chunk)
					return err
				}
			}
			if err := j.relayed(dir, Decrypted, chunk[:n]); err != nil {
				release(chunk)
				return err
			}
			if _, werr := dst.Write(chunk[:n]); werr != nil {
				release(chunk)
				return j.undeliverable(dir, from, werr)
			}
		}
		release(chunk)
		switch {
		case err == nil:
			continue
		case errors.Is(err, errAgain):
			if err := j.drain(dir, from, to); err != nil {
				return err
			}
		case err == io.EOF:
			j.end(dir)
			if from.rerr == nil { // close_notify came, not only a FIN
				dst.CloseWrite() // a leg that is gone shows in closeWrite
			}
			return j.closed(dir, to)
		case isTimeout(err): // an old deadline; only await decides on idleness
			from.SetReadDeadline(time.Time{})
		default:
			return j.broken(dir, err)
		}
	}
}

// closed carries the end of direction dir to the leg it leads to.
func (j *joint) closed(dir Direction, to *leg) error {
	if err := to.closeWrite(); err != nil && !isGone(err) {
		return j.broken(dir.Opposite(), err)
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
func (j *joint) undeliverable(dir Direction, from *leg, err error) error {
	if !isReset(err) || !j.finishes(dir.Opposite(), err) {
		return j.broken(dir.Opposite(), err)
	}
	j.end(dir)
	from.SetReadDeadline(time.Now().Add(lingering))
	for {
		from.consume(len(from.unread()))
		if err := from.fill(true); err != nil {
			return nil
		}
	}
}

// finishes reports whether direction dir ends in order, whose source takes no more
// for err. Linux says EPIPE where a RST has come behind a FIN, or where another
// call was told of it: then the end may be behind octets that are still being
// relayed, and is waited for for a moment.
func (j *joint) finishes(dir Direction, err error) bool {
	if errors.Is(err, syscall.ECONNRESET) {
		return j.finished[dir].Load()
	}
	return j.awaitFinish(dir, lingering)
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
func (j *joint) drain(dir Direction, from, to *leg) error {
	if err := to.flush(); err != nil {
		return j.undeliverable(dir, from, err)
	}
	// crypto/tls may have answered on the source itself (a key update).
	if err := from.flushIfFree(); err != nil {
		return j.broken(dir, err)
	}
	return j.await(from, 0)
}

// await waits until more than have octets of from are unread, or its end has
// come; the next read tells which. It returns errPoked when the leg was poked.
// The session is idle when neither direction moved for IdleTimeout, or from the
// start for SilenceTimeout.
func (j *joint) await(from *leg, have int) error {
	for len(from.unread()) <= have {
		before := j.progress.Load()
		patience, reason := j.e.cfg.IdleTimeout, reasonIdle
		if j.mute && before == 0 {
			patience, reason = min(patience, j.e.cfg.SilenceTimeout), reasonNoFlight
		}
		from.SetReadDeadline(time.Now().Add(patience))
		if from.poked.Swap(false) {
			return errPoked
		}
		err := from.fill(true)
		switch {
		case err == nil:
		case !isTimeout(err):
			return nil
		case from.poked.Swap(false):
			return errPoked
		case j.progress.Load() == before:
			return fail(reason, nil, 0)
		}
	}
	return nil
}

// relayed counts p and hands it to the tap; it is about to be relayed. Once the
// session has failed it does neither and returns errAborted: nobody gets p any more,
// and in the recording nothing stands behind a reset.
func (j *joint) relayed(dir Direction, content Content, p []byte) error {
	j.account[dir].Lock()
	defer j.account[dir].Unlock()
	if j.failed.Load() {
		return errAborted
	}
	j.show(dir, content, p)
	return nil
}

// show counts p and hands it to the tap.
func (j *joint) show(dir Direction, content Content, p []byte) {
	j.count(dir, p)
	if j.stream != nil {
		j.stream.Data(j.seen(dir), content, p)
	}
}

// count counts p, and looks for what it announces.
func (j *joint) count(dir Direction, p []byte) {
	j.s.octets[j.seen(dir)].Add(uint64(len(p)))
	if j.progress.Add(int64(len(p))) == int64(len(p)) && dir == OriginToClient && j.originTLS != nil {
		if proto, _ := sniff.Origin(p); proto == sniff.FTP { // behind TLS from the first octet
			j.watch(true)
		}
	}
	if c := j.control.Load(); c != nil {
		j.announced(c, dir, p)
	}
}

// relayedParts is relayed for octets of several kinds.
func (j *joint) relayedParts(dir Direction, parts []Part, p []byte) error {
	j.account[dir].Lock()
	defer j.account[dir].Unlock()
	if j.failed.Load() {
		return errAborted
	}
	if a, ok := j.stream.(Assembler); ok && len(parts) > 1 {
		j.count(dir, p)
		a.Assemble(j.seen(dir), parts, p)
		return nil
	}
	for _, part := range parts {
		j.show(dir, part.Content, p[:part.N])
		p = p[part.N:]
	}
	return nil
}

// end notes, and tells the tap, that a direction ended in order.
func (j *joint) end(dir Direction) {
	if dir == ClientToOrigin && j.clientTLS != nil && j.s.Octets(dir) == j.said && !j.finished[OriginToClient].Load() {
		j.hushed = time.Since(j.shaken) < hush
	}
	j.setFinished(dir)
	if j.stream != nil {
		j.stream.End(j.seen(dir), Finished)
	}
}

// broken gives the failure for a leg that broke: the source leg of direction
// dir. The tap learns it at once, so that the reset stands where it happened. What
// breaks first is why the session ends; what breaks behind it gets errAborted.
func (j *joint) broken(dir Direction, err error) error {
	var f *failure
	if errors.As(err, &f) {
		return err
	}
	for i := range j.account {
		j.account[i].Lock()
		defer j.account[i].Unlock()
	}
	if j.setFailed() {
		return errAborted
	}
	if j.stream != nil {
		j.stream.End(j.seen(dir), Reset)
	}
	switch {
	case isTimeout(err):
		return fail(reasonIdle, err, 0)
	case j.seen(dir) == ClientToOrigin:
		return fail(reasonClientReset, err, 0)
	}
	return fail(reasonOriginReset, err, 0)
}

// isGone tells that a leg is closed already, so that no FIN is needed. Linux says
// ENOTCONN where a RST has come before.
func isGone(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ENOTCONN) || isReset(err)
}
