// Package admin is the operators' side of the appliance: an HTTP server with
// health checks and metrics. It decides nothing about sessions and shows no
// cleartext.
//
//	/livez    200 while the process runs
//	/readyz   200 if no part that must be ready is down, else 503; the parts that are not ok
//	/metrics  Prometheus text format, names start with clearspan_
//
//	/api/learned  what was learned of sessions, JSON; changes by POST and DELETE, see [Learned]
package admin

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/orderly"
)

const (
	maxConnections = 128 // open at once; others wait in the listen queue
	maxScrapes     = 4   // of /metrics at once; others get 503
	closeTimeout   = 3 * time.Second
)

// Options are what operators choose.
type Options struct {
	Listen string // "ADDRESS:PORT"; "": there is no server
	// ReadyMirrors and ReadyServices are parts without which the box is not ready.
	ReadyMirrors, ReadyServices []string
}

// Config is what a server needs.
type Config struct {
	Options
	Metrics *Metrics      // required
	Health  *health.Board // nil: always ready
	Learned Learned       // nil: nothing is learned
	Token   string        // that changes need, see [Token]; empty: nothing is changed
	Logger  *slog.Logger  // may be nil

	// Listeners are open already; none: one is opened at Listen. The server owns them.
	Listeners []net.Listener
}

// Server answers operators. Make one with [New], run it with Serve, end it with
// Close.
type Server struct {
	http *orderly.Server
}

// New listens on the address of c. Requests wait until Serve is called.
func New(c Config) (*Server, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Health == nil {
		c.Health = health.New()
	}
	if len(c.Listeners) == 0 {
		l, err := net.Listen("tcp", c.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen for admin on %s: %w", c.Listen, err)
		}
		c.Listeners = []net.Listener{l}
	}
	errorLog := slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { readiness(w, c.Health.Health()) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Metrics.registry, promhttp.HandlerOpts{
		ErrorLog: errorLog, MaxRequestsInFlight: maxScrapes, EnableOpenMetrics: true,
	}))
	if c.Learned != nil {
		learned{c.Learned, c.Token}.register(mux)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "clearspan: /livez /readyz /metrics /api/learned")
	})
	return &Server{orderly.New(&http.Server{
		Handler:           guardHost(mux),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          errorLog,
	}, c.Listeners...)}, nil
}

// answer sends one line of text.
func answer(w http.ResponseWriter, status int, line string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	fmt.Fprintln(w, line)
}

// Addr is the (first) address that the server listens on.
func (s *Server) Addr() net.Addr { return s.http.Addr() }

// Serve answers requests until Close is called and then returns nil.
func (s *Server) Serve() error {
	limit := func(l net.Listener) net.Listener { return netutil.LimitListener(l, maxConnections) }
	if err := s.http.Serve(limit); err != nil {
		return fmt.Errorf("serve admin: %w", err)
	}
	return nil
}

// Close ends the server: requests under way have three seconds to finish, then
// their connections are closed. It may be called more than once, and without
// Serve.
func (s *Server) Close() error { return s.http.Close(closeTimeout) }
