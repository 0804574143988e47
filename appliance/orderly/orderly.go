// Package orderly serves HTTP with the server of net/http, and ends it in order: a
// connection that was accepted is answered. [http.Server.Shutdown] closes connections whose
// first request it has not read yet, so that a client that has just connected gets no
// answer.
package orderly

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server is a server with its listeners. It is safe for concurrent use.
type Server struct {
	http      *http.Server
	listeners []net.Listener
	open      atomic.Int64 // connections
	once      sync.Once
	err       error

	mu        sync.Mutex
	closing   bool
	accepting sync.WaitGroup // loops
}

// New returns a server that owns the listeners, at least one. It takes the ConnState of
// server for itself.
func New(server *http.Server, listeners ...net.Listener) *Server {
	s := &Server{http: server, listeners: listeners}
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.open.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.open.Add(-1)
		}
	}
	return s
}

// Addr is the address of the first listener.
func (s *Server) Addr() net.Addr { return s.listeners[0].Addr() }

// Serve answers on every listener until Close is called and then returns nil. wrap is what
// connections are accepted by.
func (s *Server) Serve(wrap func(net.Listener) net.Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	ends := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		s.accepting.Go(func() { ends <- s.http.Serve(wrap(l)) })
	}
	s.mu.Unlock()
	for range s.listeners {
		if err := <-ends; !s.ends() && !errors.Is(err, http.ErrServerClosed) {
			return err
		}
	}
	return nil
}

// ends reports whether Close was called.
func (s *Server) ends() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// look is how often Close looks whether connections have ended.
const look = 2 * time.Millisecond

// Close ends the server: nothing more is accepted, connections without a request end, the
// others have that time to be answered, then they are closed. It may be called more than
// once, and without Serve.
func (s *Server) Close(within time.Duration) error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closing = true
		s.mu.Unlock()
		for _, l := range s.listeners {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				s.err = errors.Join(s.err, err)
			}
		}
		s.accepting.Wait() // what was accepted is counted
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		s.http.SetKeepAlivesEnabled(false) // an idle connection ends, others do after their answer
		tick := time.NewTicker(look)
		defer tick.Stop()
		for s.open.Load() > 0 && ctx.Err() == nil {
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		if s.http.Shutdown(ctx) != nil {
			s.err = errors.Join(s.err, s.http.Close())
		}
	})
	return s.err
}
