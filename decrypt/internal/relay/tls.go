package relay

import (
	"crypto/tls"
	"errors"
	"io"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// TLS carries one direction between two TLS connections. It decrypts what the source
// socket holds, has it recorded, encrypts it, and writes it in one system call when the
// source holds no complete record any more. While it waits it holds no buffer. Both legs
// are in the mode of [leg.Leg.Relaying].
func (r *Relay) TLS(dir Direction, src, dst *tls.Conn, from, to *leg.Leg) error {
	for {
		chunk := leg.TakeChunk()
		n, err := readChunk(src, chunk)
		var werr error
		if n > 0 {
			p := chunk[:n]
			var ferr error
			if dir == proto.ClientToOrigin {
				p, ferr = r.flight(src, dst, from, to, chunk, n)
			}
			if ferr == nil && len(p) > 0 {
				ferr, werr = r.send(dir, dst, p)
			}
			if ferr != nil {
				leg.Release(chunk)
				return ferr
			}
		}
		leg.Release(chunk)
		switch {
		case r.turned.Load() && dir == proto.ClientToOrigin:
			return nil
		case werr != nil:
			return r.Undeliverable(dir, from, werr)
		case err == nil:
			continue
		case errors.Is(err, leg.ErrAgain) && len(from.Unread()) > 0:
			return r.broken(dir, errStuck)
		case errors.Is(err, leg.ErrAgain):
			if err := r.drain(dir, from, to); err != nil || r.turned.Load() {
				return err
			}
		case err == io.EOF:
			r.ended(dir)
			if from.Err() == nil { // close_notify came, not only a FIN
				dst.CloseWrite() // a leg that is gone shows in closed
			}
			return r.closed(dir, to)
		case leg.IsTimeout(err): // an old deadline; only Await decides on idleness
			from.SetReadDeadline(time.Time{})
		default:
			return r.broken(dir, err)
		}
	}
}

// errStuck says that crypto/tls has left a handshake within the session, for want of
// octets, and does not take more.
var errStuck = errors.New("handshake within the session does not go on")

// write is Write of a TLS connection. One whose origin begins to renegotiate (RFC 5246,
// Section 7.4.1.1) just now takes nothing, with internal_error, and takes it when that is
// over.
func write(to io.Writer, p []byte) (n int, err error) {
	const tries = 100
	for range tries {
		n, err = to.Write(p)
		if n > 0 || err == nil || err.Error() != tls.AlertError(internalError).Error() { // crypto/tls has no type for it
			break
		}
	}
	return n, err
}

const internalError = 80 // RFC 8446, Section 6.2

// send has p recorded, and writes it. Errors of the destination are apart.
func (r *Relay) send(dir Direction, dst *tls.Conn, p []byte) (err, destination error) {
	if err := r.inspected(dir, p); err != nil {
		return err, nil
	}
	_, destination = write(dst, p)
	return nil, destination
}

// inspected has p recorded, after a look at what the client says.
func (r *Relay) inspected(dir Direction, p []byte) error {
	if dir == proto.ClientToOrigin {
		if err := r.Recorder.Inspect(p); err != nil {
			return err
		}
	}
	return r.relayed(dir, p)
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
func (r *Relay) drain(dir Direction, from, to *leg.Leg) error {
	if err := to.Flush(); err != nil {
		return r.Undeliverable(dir, from, err)
	}
	// crypto/tls may have answered on the source itself (a key update).
	if err := from.FlushIfFree(); err != nil {
		return r.broken(dir, err)
	}
	err := r.Await(from, 0)
	if r.turned.Load() {
		return nil
	}
	return err
}
