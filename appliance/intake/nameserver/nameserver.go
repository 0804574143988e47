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
)

// Config configures a [Server].
type Config struct {
	Listen   string           // ADDRESS:PORT, of UDP and TCP; the address must not be empty
	Upstream []netip.AddrPort // asked in order until one answers, at least one
	From     []netip.Prefix   // clients that are answered; nil: those with private, link-local and loopback addresses
	Strip    []Strip          // nil: Keys
	Timeout  time.Duration    // for each server; 0: 2 s
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
	udp      *net.UDPConn
	tcp      *net.TCPListener
	slots    chan struct{}
	counts   [5]atomic.Uint64 // in the order of Stats
	closing  chan struct{}
	once     sync.Once
	sessions sync.WaitGroup

	mu    sync.Mutex
	conns map[netip.Addr]int // open by TCP
	open  int
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

// New opens the listeners.
func New(cfg Config) (*Server, error) {
	if len(cfg.Upstream) == 0 {
		return nil, errors.New("create name server: no upstream server")
	}
	if host, _, err := net.SplitHostPort(cfg.Listen); err != nil || host == "" {
		return nil, fmt.Errorf("create name server: want an address and port to listen on, not %q", cfg.Listen)
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
	tcp, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, err
	}
	at := tcp.Addr().(*net.TCPAddr)
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port, Zone: at.Zone})
	if err != nil {
		tcp.Close()
		return nil, err
	}
	return &Server{
		cfg: cfg, log: cfg.Logger, udp: udp, tcp: tcp.(*net.TCPListener),
		slots: make(chan struct{}, maxQueries), closing: make(chan struct{}), conns: make(map[netip.Addr]int),
	}, nil
}

// Addr is the address of both listeners.
func (s *Server) Addr() net.Addr { return s.tcp.Addr() }

// Stats returns how many queries there were so far.
func (s *Server) Stats() Stats {
	n := func(r result) uint64 { return s.counts[r].Load() }
	return Stats{n(passed), n(stripped), n(failed), n(refused), n(dropped)}
}

func (s *Server) count(r result) { s.counts[r].Add(1) }

// Serve answers until Close is called or ctx ends. Call it once.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	s.sessions.Add(1) // while there may be more
	var listeners sync.WaitGroup
	listeners.Go(func() { s.serveTCP(ctx) })
	s.serveUDP(ctx)
	listeners.Wait()
	s.sessions.Done()
	cancel() // queries that are being asked have no client to wait for
	s.sessions.Wait()
	return nil
}

// Close stops answering.
func (s *Server) Close() (err error) {
	s.once.Do(func() {
		close(s.closing)
		err = errors.Join(s.udp.Close(), s.tcp.Close())
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
