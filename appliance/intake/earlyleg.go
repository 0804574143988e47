package intake

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// earlyLeg is an origin leg that was opened before the client was told that it is
// connected.
type earlyLeg struct {
	mu   sync.Mutex
	conn net.Conn // nil: it was taken, or never opened
}

// dialEarly opens the origin leg of a session where that tells more than an answer
// without it: the client learns that the origin refuses. It returns nil where the
// client has to speak first. The error is that of the dial; the session was accounted
// for.
func (e *explicit) dialEarly(ctx context.Context, conn clientConn, in *decrypt.Incoming) (*earlyLeg, error) {
	if !e.DialsEarly(in) {
		return nil, nil
	}
	conn.SetDeadline(time.Now().Add(e.ConnectTimeout + headTimeout))
	ctx, cancel := context.WithTimeout(ctx, e.ConnectTimeout)
	defer cancel()
	origin, err := in.Dial(ctx)
	if err != nil {
		e.Logger.Debug("destination not reached", "client", in.Client, "origin", in.Origin, "err", err)
		e.Unreached(in, err, true)
		return nil, err
	}
	return &earlyLeg{conn: origin}, nil
}

// dialer returns a function that returns the leg once, and then dials.
func (l *earlyLeg) dialer(dial func(context.Context) (net.Conn, error)) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		if conn := l.take(); conn != nil {
			return conn, nil
		}
		return dial(ctx)
	}
}

// take returns the leg, which is the caller's; nil if there is none any more, or l is
// nil.
func (l *earlyLeg) take() net.Conn {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	conn := l.conn
	l.conn = nil
	return conn
}

// close closes a leg that nobody took.
func (l *earlyLeg) close() {
	if conn := l.take(); conn != nil {
		conn.Close()
	}
}
