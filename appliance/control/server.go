package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of a server. See also maxConnections.
const (
	maxStreams   = 64
	maxBody      = 64 << 10 // of a request, in octets
	maxHeader    = 16 << 10
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second // of an answer, and of each write of a stream
	slowTimeout  = 5 * time.Minute  // of a reload
	closeTimeout = 3 * time.Second
)

// Server answers operators. Make one with [NewServer], run it with Serve, end it with
// Close.
type Server struct {
	operations Operations
	log        *slog.Logger
	http       *http.Server
	streams    chan struct{} // holds one for each that is open

	ending context.Context // done when the server closes: streams end
	end    context.CancelFunc
	close  sync.Once
	err    error
}

// NewServer returns a server that answers with o. A nil logger discards.
func NewServer(o Operations, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{operations: o, log: log, streams: make(chan struct{}, maxStreams)}
	s.ending, s.end = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       readTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if c, ok := c.(*conn); ok {
				return context.WithValue(ctx, peerKey{}, c.peer)
			}
			return ctx
		},
	}
	return s
}

// peerKey is the key of a connection's peer in contexts.
type peerKey struct{}

// Serve answers on l, which must be a listener of the kernel's unix sockets: others may
// do nothing. It takes l. It returns nil after Close.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(newListener(l, s.log))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve control socket: %w", err)
}

// Close ends the server: streams end, other requests have three seconds to finish. It
// may be called more than once, and without Serve.
func (s *Server) Close() error {
	s.close.Do(func() {
		s.end()
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err := s.http.Shutdown(ctx); err != nil {
			s.err = s.http.Close()
		}
	})
	return s.err
}
