// Package buffered reads one end of a session through a buffer that it holds only
// while octets are in it, so that an idle session costs no memory.
package buffered

import (
	"io"
	"sync"

	"github.com/clearspan/clearspan/decrypt"
)

// End is one end of a session. One goroutine at a time reads from it: all methods
// but Write, CloseWrite and Abort are for that goroutine. Any number may write.
type End struct {
	end decrypt.End

	buf  []byte // nil while empty and idle; buf[r:w] is unread
	r, w int
	full bool  // the last read left no room: take a large buffer
	err  error // sticky

	writing sync.Mutex
}

// New returns a buffered end. It takes the end.
func New(end decrypt.End) *End { return &End{end: end} }

// Unread returns the octets in the buffer, valid until the next Fill.
func (e *End) Unread() []byte { return e.buf[e.r:e.w] }

// Consume drops the first n octets of Unread. The memory stays as it is until the
// next Fill.
func (e *End) Consume(n int) { e.r += n }

// Position is the place of Unread in the buffer, for [End.Since].
func (e *End) Position() int { return e.r }

// Since returns the octets that were consumed since a position, or from before it,
// valid until the next Fill. No Fill lies between the two.
func (e *End) Since(position int) []byte { return e.buf[position:e.r] }

// Full tells that the last read left no room in the buffer: octets come fast.
func (e *End) Full() bool { return e.full }

// Err returns the error of the last read that failed, nil without one.
func (e *End) Err() error { return e.err }

// Await waits, without a buffer if the end allows that, for octets or the end. It
// is for the gap between messages.
func (e *End) Await() error {
	if e.r < e.w || e.err != nil {
		return nil
	}
	if a, ok := e.end.(interface{ Await() error }); ok {
		e.Drop()
		if err := a.Await(); err != nil {
			e.err = err
			return err
		}
	}
	return nil
}

// Drop gives the buffer back, with the octets in it.
func (e *End) Drop() {
	Release(e.buf)
	e.buf, e.r, e.w, e.full = nil, 0, 0, false
}

// Fill reads more octets, until [Large] are unread: then it returns
// [io.ErrShortBuffer]. [io.EOF] is the orderly end.
func (e *End) Fill() error {
	if e.err != nil {
		return e.err
	}
	if err := e.room(); err != nil {
		return err
	}
	n, err := e.read(e.buf[e.w:])
	e.w += n
	e.full = e.w == len(e.buf)
	return err
}

// Straight reads to p, past the buffer, which is empty. The error is that of Fill.
func (e *End) Straight(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	return e.read(p)
}

// read reads to p. An error that comes with octets is for the next read.
func (e *End) read(p []byte) (int, error) {
	n, err := e.end.Read(p)
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	if e.err = err; n > 0 {
		return n, nil
	}
	return 0, err
}

// room makes space behind w.
func (e *End) room() error {
	n := e.w - e.r
	switch {
	case n == 0 && e.full && len(e.buf) == Small:
		Release(e.buf)
		e.buf = GetLarge()
		e.r, e.w = 0, 0
	case n == 0:
		if e.buf == nil {
			e.buf = GetSmall()
		}
		e.r, e.w = 0, 0
	case e.r > len(e.buf)-e.w: // more than behind
		copy(e.buf, e.Unread())
		e.r, e.w = 0, n
	case e.w < len(e.buf):
	case n >= Large:
		return io.ErrShortBuffer
	default:
		b := GetLarge()
		copy(b, e.Unread())
		Release(e.buf)
		e.buf, e.r, e.w = b, 0, n
	}
	return nil
}

// Read implements [io.Reader]. It holds no buffer while the end is idle.
func (e *End) Read(p []byte) (int, error) {
	if len(e.Unread()) == 0 {
		if err := e.Await(); err != nil {
			return 0, err
		}
		if err := e.Fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, e.Unread())
	e.Consume(n)
	return n, nil
}

// Write implements [io.Writer]. What one call gets is sent at once.
func (e *End) Write(p []byte) (int, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	return e.end.Write(p)
}

// CloseWrite carries an orderly end on.
func (e *End) CloseWrite() error {
	e.writing.Lock()
	defer e.writing.Unlock()
	return e.end.CloseWrite()
}

// Abort resets the end, at any time.
func (e *End) Abort() { e.end.Abort() }

// Relay passes octets from one end to another unread, and the end of them.
func Relay(to, from *End) error {
	for {
		if p := from.Unread(); len(p) > 0 {
			if _, err := to.Write(p); err != nil {
				return err
			}
			from.Consume(len(p))
		}
		if err := from.Await(); err != nil {
			return err
		}
		switch err := from.Fill(); err {
		case nil:
		case io.EOF:
			return to.CloseWrite()
		default:
			return err
		}
	}
}
