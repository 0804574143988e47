package control

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/clearspan/clearspan/appliance/orderly"
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
	http       *orderly.Server
	streams    chan struct{} // holds one for each that is open

	ending context.Context // done when the server closes: streams end
	end    context.CancelFunc
}

// NewServer returns a server that answers with o on l, which must be a listener of the
// kernel's unix sockets: others may do nothing. It takes l. A nil logger discards.
func NewServer(o Operations, l net.Listener, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{operations: o, log: log, streams: make(chan struct{}, maxStreams)}
	s.ending, s.end = context.WithCancel(context.Background())
	s.http = orderly.New(&http.Server{
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
	}, l)
	return s
}

// peerKey is the key of a connection's peer in contexts.
type peerKey struct{}

// Serve answers until Close is called, and then returns nil.
func (s *Server) Serve() error {
	return s.serve(func(l net.Listener) net.Listener { return newListener(l, s.log) })
}

// serve is Serve with what connections are accepted by.
func (s *Server) serve(wrap func(net.Listener) net.Listener) error {
	if err := s.http.Serve(wrap); err != nil {
		return fmt.Errorf("serve control socket: %w", err)
	}
	return nil
}

// Close ends the server: streams end, other requests have three seconds to finish. It
// may be called more than once, and without Serve.
func (s *Server) Close() error {
	s.end()
	return s.http.Close(closeTimeout)
}
