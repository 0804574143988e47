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
	for poked := false; ; {
		chunk := leg.TakeChunk()
		n, err := readChunk(src, chunk)
		var last bool
		var ierr, werr error
		if n > 0 || poked {
			last, werr, ierr = r.carry(dir, src, dst, from, to, chunk, n)
			poked = false
		}
		leg.Release(chunk)
		switch {
		case ierr != nil:
			return ierr
		case r.turned.Load() && dir == proto.ClientToOrigin:
			return nil
		case werr != nil:
			return r.Undeliverable(dir, from, werr)
		case last:
			return r.lastPassed(dir, dst, from, to)
		case err == nil:
			continue
		case errors.Is(err, leg.ErrAgain) && len(from.Unread()) > 0:
			return r.broken(dir, errStuck)
		case errors.Is(err, leg.ErrAgain):
			if err := r.drain(dir, from, to); err == ErrPoked && r.Inspector != nil && !r.turned.Load() {
				poked = true
			} else if err != nil || r.turned.Load() {
				return err
			}
		case err == io.EOF:
			return r.textEnded(dir, dst, from, to)
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

// carry has n octets of chunk inspected, which came from src, and writes what goes on of
// them.
func (r *Relay) carry(dir Direction, src, dst *tls.Conn, from, to *leg.Leg, chunk []byte, n int) (last bool, werr, err error) {
	p := chunk[:n]
	if dir == proto.ClientToOrigin && n > 0 {
		if p, err = r.flight(src, dst, from, to, chunk, n); err != nil || len(p) == 0 {
			return false, nil, err
		}
	}
	return r.forward(dir, p, dst)
}

// forward has p inspected and writes what goes on of it. Errors of the destination are apart.
func (r *Relay) forward(dir Direction, p []byte, dst *tls.Conn) (last bool, werr, err error) {
	pass, last, err := r.inspected(dir, p)
	if err == nil && len(pass) > 0 {
		_, werr = write(dst, pass)
	}
	return last, werr, err
}

// textEnded carries the end of a source of TLS on.
func (r *Relay) textEnded(dir Direction, dst *tls.Conn, from, to *leg.Leg) error {
	if p := r.held(dir); len(p) > 0 {
		dst.Write(p) // a leg that is gone shows in closed
	}
	r.ended(dir)
	if from.Err() == nil { // close_notify came, not only a FIN
		dst.CloseWrite()
	}
	return r.closed(dir, to)
}

// lastPassed ends a direction behind the last that goes on.
func (r *Relay) lastPassed(dir Direction, dst Cleartext, from, to *leg.Leg) error {
	if err := to.Flush(); err != nil {
		return r.Undeliverable(dir, from, err)
	}
	if dir == proto.ClientToOrigin {
		return r.retired(dir, from)
	}
	r.ended(dir)
	if dst != Cleartext(to) {
		dst.CloseWrite()
	}
	return r.closed(dir, to)
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
