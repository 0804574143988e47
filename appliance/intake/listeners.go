package intake

import (
	"context"
	"errors"
	"net"

	"github.com/clearspan/clearspan/decrypt"
)

// Describe tells what an accepted connection is: the session without its Intake
// and Conn, which are filled in, and a function that is called when the session
// has ended, or was refused, and may be nil. An error has the connection reset.
// Called concurrently.
type Describe func(conn *net.TCPConn) (in *decrypt.Incoming, ended func(), err error)

// NewFromListeners returns an intake over listeners that somebody else has opened, at
// least one. Their Accept, called by one goroutine each, returns *net.TCPConn.
// The intake closes them. undo is called once, when it is closed and its last
// session has ended; it may be nil.
func NewFromListeners(o Options, describe Describe, undo func() error, listeners ...net.Listener) (Intake, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	acceptors := make([]acceptor, len(listeners))
	for i, l := range listeners {
		acceptors[i] = l
	}
	s := newServer(o, acceptors...)
	s.undo = undo
	s.session = func(ctx context.Context, conn *net.TCPConn) { s.serveAccepted(ctx, conn, describe) }
	return s, nil
}

func (s *server) serveAccepted(ctx context.Context, conn *net.TCPConn, describe Describe) {
	in, ended, err := describe(conn)
	if ended != nil {
		defer ended()
	}
	if err == nil {
		err = s.permit(in.Origin)
	}
	if err != nil {
		s.Logger.Debug("connection refused", "client", addrPort(conn.RemoteAddr()), "origin", addrPort(conn.LocalAddr()), "err", err)
		s.Count(Forbidden)
		if in != nil && errors.Is(err, decrypt.ErrLoop) {
			s.looped(in.Client, destination{addr: in.Origin.Addr(), port: in.Origin.Port()}, false)
		}
		reset(conn)
		return
	}
	in.Intake, in.Conn = s.Name, conn
	s.Handler(ctx, in)
}
