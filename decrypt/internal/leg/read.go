package leg

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Unread returns what is buffered, valid until the next call that reads.
func (l *Leg) Unread() []byte { return l.in[l.r:l.w] }

// Consume drops n octets of Unread.
func (l *Leg) Consume(n int) {
	l.r += n
	if l.r == l.w {
		l.drop()
	}
}

// Return puts p, of which it takes a copy, before what is unread.
func (l *Leg) Return(p []byte) {
	n := len(p) + len(l.Unread())
	b := make([]byte, n, n|1) // of no pool's capacity
	copy(b[copy(b, p):], l.Unread())
	l.drop()
	l.in, l.r, l.w = b, 0, n
}

// drop gives an empty buffer back.
func (l *Leg) drop() {
	Release(l.in)
	l.in, l.r, l.w = nil, 0, 0
}

// shrink keeps what is unread in no more than that takes: whoever sends a piece
// of a hello and no more shall not hold a buffer.
func (l *Leg) shrink() {
	n := l.w - l.r
	if n > smallBuffer/4 || cap(l.in) < smallBuffer {
		return
	}
	b := make([]byte, n) // of no pool's capacity
	copy(b, l.Unread())
	Release(l.in)
	l.in, l.r, l.w = b, 0, n
}

// room makes space behind in[:w], moving or growing what is unread up to limit
// octets.
func (l *Leg) room(limit int) error {
	if cap(l.in) == 0 {
		if l.large {
			l.in = takeLarge()
		} else {
			l.in = takeSmall()
		}
		l.r, l.w = 0, 0
		return nil
	}
	if l.w < cap(l.in) {
		l.in = l.in[:cap(l.in)]
		return nil
	}
	n := l.w - l.r
	if n >= limit {
		return ErrTooMuch
	}
	switch {
	case l.r > 0 && n <= cap(l.in)/2:
		copy(l.in, l.in[l.r:l.w])
	case n < smallBuffer/2: // it was shrunk
		b := takeSmall()
		copy(b, l.in[l.r:l.w])
		l.in = b
	default:
		b := make([]byte, min(2*n, limit)+smallBuffer|1) // of no pool's capacity
		copy(b, l.in[l.r:l.w])
		Release(l.in)
		l.in = b
	}
	l.r, l.w = 0, n
	return nil
}

// tryRead is the callback of RawConn.Read: one read that never blocks. It takes
// a buffer only for the moment of the call.
func (l *Leg) tryRead(fd uintptr) bool {
	if err := l.room(MaxPeek); err != nil {
		l.rerr = err
		return true
	}
	n, errno := readNow(fd, l.in[l.w:])
	switch {
	case errno == unix.EAGAIN:
		if l.r == l.w {
			l.drop()
		} else if l.wait {
			l.shrink()
		}
		l.again = true
		return !l.wait
	case errno != 0:
		l.rerr = os.NewSyscallError("read", errno)
	case n == 0:
		l.rerr = io.EOF
	default:
		l.drained = n < len(l.in)-l.w
		l.w += n
	}
	if l.r == l.w {
		l.drop()
	}
	l.again = false
	return true
}

// MaxPeek bounds what a leg buffers while a first flight is examined, in octets.
const MaxPeek = 80 << 10

// Fill reads more octets behind what is unread. Without wait it returns ErrAgain
// where the socket is empty. A deadline's error is not sticky.
func (l *Leg) Fill(wait bool) error {
	if l.rerr != nil {
		return l.rerr
	}
	if l.raw == nil {
		if !wait {
			return ErrAgain
		}
		if err := l.room(MaxPeek); err != nil {
			l.rerr = err
			return err
		}
		n, err := l.conn.Read(l.in[l.w:])
		l.w += n
		if l.r == l.w {
			l.drop()
		}
		if n > 0 {
			err = nil
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			l.rerr = err
		}
		return err
	}
	l.wait, l.again = wait, false
	if err := l.raw.Read(l.tryFn); err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			l.rerr = err
		}
		return err
	}
	if l.again {
		return ErrAgain
	}
	if l.r < l.w {
		return nil
	}
	return l.rerr
}

// Read implements net.Conn for crypto/tls.
func (l *Leg) Read(p []byte) (int, error) {
	if l.r == l.w {
		event := l.event && !l.patient
		if event && l.drained {
			l.drained = false
			return 0, ErrAgain
		}
		if err := l.Fill(!event); err != nil {
			return 0, err
		}
	}
	n := copy(p, l.in[l.r:l.w])
	if !l.event {
		l.tail.add(p[:n])
	}
	l.Consume(n)
	return n, nil
}

// Await returns when at least one octet is unread, or the error that keeps it
// from coming.
func (l *Leg) Await() error {
	if l.r < l.w {
		return nil
	}
	return l.Fill(true)
}

// Err is why no more can be read, io.EOF for an orderly end; nil if more may come.
func (l *Leg) Err() error { return l.rerr }

// Poke has Poked report true once, and ends a wait for octets, now or at the next
// call. It may be called from any goroutine.
func (l *Leg) Poke() {
	l.poked.Store(true)
	l.conn.SetReadDeadline(time.Unix(1, 0))
}

// Poked reports whether the leg was poked since it was asked last. The deadline of
// reading stays.
func (l *Leg) Poked() bool { return l.poked.Swap(false) }

// Tail holds the last octets that Read gave before the relay: as many as a TLS alert
// takes that is not encrypted, with its header.
type Tail [7]byte

// Tail returns what Read gave last.
func (l *Leg) Tail() Tail { return l.tail }

func (t *Tail) add(p []byte) {
	if n := len(p); n < len(t) {
		copy(t[:], t[n:])
		copy(t[len(t)-n:], p)
	} else {
		copy(t[:], p[n-len(t):])
	}
}
