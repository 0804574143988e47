// Package nameserver is a small forwarder of DNS queries. It keeps clients from
// hiding server names. It removes the keys of Encrypted Client Hello from SVCB and
// HTTPS records in answers (RFC 9848), the offer of HTTP/3, or these records. It
// passes all other octets unchanged.
//
// The package is not a resolver. It asks the configured servers, keeps nothing, and
// answers only clients of the configured networks. A client that validates
// signatures notices the change: the package also removes the signatures of changed
// records.
package nameserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Strip is what answers lose of SVCB and HTTPS records.
type Strip string

const (
	Keys    Strip = "ech"     // the keys of Encrypted Client Hello
	HTTP3   Strip = "h3"      // the offer of HTTP/3
	Records Strip = "records" // all of them
)

// Bounds of what is done at a time. What is beyond is dropped and counted; clients
// ask again.
const (
	maxQueries   = 1024             // by UDP
	maxConns     = 256              // by TCP
	maxPerClient = 16               // of these, of one address
	idle         = 10 * time.Second // of a TCP connection between two queries (RFC 7766, Section 6.2.3)
	lastIdle     = 2 * time.Second  // the same after Close
)

// Config configures a [Server].
type Config struct {
	Listen   string           // ADDRESS:PORT, of UDP and TCP; the address must not be empty
	Upstream []netip.AddrPort // asked in order until one answers, at least one
	From     []netip.Prefix   // clients that are answered; nil: those with private, link-local and loopback addresses
	Strip    []Strip          // nil: Keys
	Timeout  time.Duration    // for each server; 0: 2 s
	Sockets  Sockets          // open already, the server's; zero: opened at Listen
	Logger   *slog.Logger     // nil discards
}

// Stats counts queries. Every one is in one of them.
type Stats struct {
	Passed   uint64 // answered as the server did
	Stripped uint64 // answered with less
	Failed   uint64 // no server answered, or not understandably
	Refused  uint64 // malformed, or of a client that is not answered
	Dropped  uint64 // too many at a time
}

// Server answers queries. It is an intake like others, from which no session comes.
// Safe for concurrent use.
type Server struct {
	cfg      Config
	log      *slog.Logger
	sockets  Sockets
	slots    chan struct{}
	counts   [5]atomic.Uint64 // in the order of Stats
	closing  chan struct{}
	once     sync.Once
	sessions sync.WaitGroup

	mu      sync.Mutex
	serving bool
	conns   map[netip.Addr]int // open by TCP
	open    int
	waiting map[net.Conn]bool // of these, for a query
}

// result is a place in Server.counts.
type result int

const (
	passed result = iota
	stripped
	failed
	refused
	dropped
)

// New opens the sockets, or takes those of the configuration.
func New(cfg Config) (*Server, error) {
	if len(cfg.Upstream) == 0 {
		return nil, errors.New("create name server: no upstream server")
	}
	if cfg.Strip == nil {
		cfg.Strip = []Strip{Keys}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 2 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	sockets := cfg.Sockets
	if sockets == (Sockets{}) {
		var err error
		if sockets, err = Listen(cfg.Listen); err != nil {
			return nil, fmt.Errorf("create name server: %w", err)
		}
	}
	return &Server{
		cfg: cfg, log: cfg.Logger, sockets: sockets,
		slots: make(chan struct{}, maxQueries), closing: make(chan struct{}),
		conns: make(map[netip.Addr]int), waiting: make(map[net.Conn]bool),
	}, nil
}

// Addr is the address of both listeners.
func (s *Server) Addr() net.Addr { return s.sockets.TCP.Addr() }

// Stats returns how many queries there were so far.
func (s *Server) Stats() Stats {
	n := func(r result) uint64 { return s.counts[r].Load() }
	return Stats{n(passed), n(stripped), n(failed), n(refused), n(dropped)}
}

func (s *Server) count(r result) { s.counts[r].Add(1) }

// Serve answers until Close is called and what was asked before is answered, or ctx ends.
// Call it once.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if !s.begin() {
		return nil
	}
	var listeners sync.WaitGroup
	listeners.Go(func() { s.serveTCP(ctx) })
	s.serveUDP(ctx)
	listeners.Wait()
	s.sessions.Done()
	s.sessions.Wait()
	s.sockets.UDP.Close()
	return nil
}

// begin notes that there may be sessions, unless the server is closed.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed() {
		return false
	}
	s.serving = true
	s.sessions.Add(1)
	return true
}

// Close stops taking queries from new clients. What was asked before is answered, and a
// connection by TCP may ask until it is silent for 2 s.
func (s *Server) Close() (err error) {
	s.once.Do(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.closing)
		if !s.serving {
			err = s.sockets.Close()
			return
		}
		for conn := range s.waiting {
			conn.SetReadDeadline(time.Now().Add(lastIdle))
		}
		err = errors.Join(s.sockets.UDP.SetReadDeadline(time.Unix(1, 0)), s.sockets.TCP.Close())
	})
	return err
}

// Wait blocks until Close was called and the last query is done with.
func (s *Server) Wait() {
	<-s.closing
	s.sessions.Wait()
}

func (s *Server) closed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// permits reports whether a client is answered.
func (s *Server) permits(client netip.Addr) bool {
	a := client.Unmap().WithZone("")
	if s.cfg.From == nil {
		return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
	}
	return slices.ContainsFunc(s.cfg.From, func(p netip.Prefix) bool { return p.Contains(a) })
}
