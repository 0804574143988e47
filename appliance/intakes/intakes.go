// Package intakes opens the intakes that the configuration names. It gives them what the
// rules say: sessions to the engine, verdicts about held connections and QUIC flows, and
// addresses that are left alone.
package intakes

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/nameserver"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/appliance/keeper/role"
	"github.com/clearspan/clearspan/appliance/sessions"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/quic"
)

// Engine is what sessions begin in.
type Engine struct {
	*decrypt.Engine
	Policy *policy.Table
	// Early has proxy requests refused that the policy terminates whatever follows; nil
	// if what follows them is refused.
	Early func(s *decrypt.Session) (page []byte)
	// StandIn is asked by explicit intakes, see [intake.Options].
	StandIn func(ctx context.Context, name string) netip.Addr
}

// Config is what intakes are opened with.
type Config struct {
	Configuration *config.Config
	Engine        func() *Engine // the one in force
	Limiter       *intake.Limiter
	Resolver      intake.Resolver
	Pages         map[string]http.Handler          // see [intake.Options]
	SecurePage    func(conn net.Conn, host string) // the same
	Book          *sessions.Book
	Metrics       *admin.Metrics
	Opened        func(part string, close func() error) // told of each that is open
	Holder        *role.Holder                          // of listeners that are open already; may be nil
	Pulse         *intake.Pulse                         // see [intake.Options]
	Logger        *slog.Logger
}

// Set is the intakes that are open, in the order of the configuration. It is safe for
// concurrent use.
type Set struct {
	cfg    Config
	log    *slog.Logger
	own    guard
	all    []intake.Intake
	ended  []atomic.Pointer[error] // why Serve of all ended early
	wires  []*wire.Intake          // of all
	routed []intake.Routed         // of all
	names  []*nameserver.Server    // of all
	peeks  []*quic.Peek
}

// Open opens every configured intake, in order. On error, those that Opened was told of
// are open.
func Open(cfg Config) (*Set, error) {
	s := &Set{cfg: cfg, log: cfg.Logger}
	s.own.add(cfg.Configuration)
	for _, c := range cfg.Configuration.Intakes {
		in, err := s.open(c)
		if err != nil {
			return nil, fmt.Errorf("open intake %s: %w", c.Name, err)
		}
		s.all = append(s.all, in)
		cfg.Opened("intake "+c.Name, in.Close)
	}
	s.ended = make([]atomic.Pointer[error], len(s.all))
	return s, cfg.Metrics.QUICLost(cfg.Book.Unwritten, s.forgotten)
}

func (s *Set) open(c config.Intake) (intake.Intake, error) {
	o := intake.Options{
		Name:           c.Name,
		Handler:        s.serve,
		Limiter:        s.cfg.Limiter,
		Guard:          s.own.permit,
		Unreached:      s.unreached,
		Resolver:       s.cfg.Resolver,
		ConnectTimeout: s.cfg.Configuration.Origin.ConnectTimeout,
		Count:          func(e intake.Event) { s.cfg.Metrics.Refused(c.Name, e.String()) },
		Pulse:          s.cfg.Pulse,
		Logger:         s.log,
	}
	var err error
	if c.Mode == config.DNS { // of which no session comes
		return s.openDNS(c)
	}
	if o.Listeners, err = s.cfg.Holder.Listeners(ResourceName(c)); err != nil {
		return nil, err
	}
	if q := c.QUIC(); q != "" {
		o.QUIC = s.peekQUIC(c.Name, q)
	}
	s.cfg.Metrics.Intake(c.Name, intake.Words())
	certificates, err := ownCertificates(c)
	if err != nil {
		return nil, err
	}
	switch c.Mode {
	case config.Explicit:
		o.Forbid, o.DialsEarly, o.Pages, o.SecurePage = s.forbid, s.dialsEarly, s.cfg.Pages, s.cfg.SecurePage
		o.StandIn = func(ctx context.Context, name string) netip.Addr { return s.cfg.Engine().StandIn(ctx, name) }
		c.Proxy.Certificates = certificates
		return intake.NewExplicit(c.Proxy, o)
	case config.Static:
		c.Static.Certificates = certificates
		return intake.NewStatic(c.Static, o)
	case config.TProxy:
		c.TProxy.Certificates, c.TProxy.Forwarded.Exempt = certificates, s.exemptRouted()
		in, err := intake.NewTProxy(c.TProxy, o)
		return s.addRouted(c.Name, in, err)
	case config.Redirect:
		c.Redirect.Forwarded.Exempt = s.exemptRouted()
		in, err := intake.NewRedirect(c.Redirect, o)
		return s.addRouted(c.Name, in, err)
	case config.Wire:
		return s.openWire(c, o)
	}
	return nil, fmt.Errorf("mode %s is not available in this version", c.Mode)
}

// ownCertificates loads the certificates that an intake shows in place of forged
// ones.
func ownCertificates(c config.Intake) (list []tls.Certificate, err error) {
	for _, files := range c.Certificates {
		pair, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
		if err != nil {
			return nil, fmt.Errorf("load certificate: %w", err)
		}
		list = append(list, pair)
	}
	return list, nil
}

// serve is the handler of every intake.
func (s *Set) serve(ctx context.Context, in *decrypt.Incoming) {
	s.cfg.Book.Opened(in.Intake)
	s.cfg.Engine().Serve(ctx, in)
}

// forbid is asked by intakes before they accept a proxy request: it refuses with
// a page what policy terminates whatever follows.
func (s *Set) forbid(in *decrypt.Incoming) (page []byte, forbidden bool) {
	e := s.cfg.Engine()
	if e.Early == nil {
		return nil, false
	}
	denied := e.DenyEarly(in)
	if denied == nil {
		return nil, false
	}
	s.cfg.Book.Opened(in.Intake)
	s.cfg.Book.Ended(denied, nil)
	return e.Early(denied), true
}

// dialsEarly is asked by intakes whether a proxy request is answered when the origin
// has answered.
func (s *Set) dialsEarly(in *decrypt.Incoming) bool { return s.cfg.Engine().DialsEarly(in) }

// unreached accounts for a session that ended in its intake.
func (s *Set) unreached(in *decrypt.Incoming, err error, told bool) {
	s.cfg.Book.Opened(in.Intake)
	s.cfg.Book.Ended(s.cfg.Engine().Unreached(in, err, told), nil)
}

// Admit tells whether there is room for one more session, see [intake.Admission]. overload
// says what is done with sessions for which there is little.
func Admit(c *admission.Controller, overload admission.Overload) (refused intake.Event, ok bool) {
	switch short, ok := c.Take(overload); {
	case ok:
		return 0, true
	case short == "descriptors":
		return intake.DescriptorsShort, false
	}
	return intake.MemoryShort, false
}

// Serve accepts sessions, and judges QUIC flows, until Stop is called. When ctx ends, so do
// sessions. Call it once.
func (s *Set) Serve(ctx context.Context) {
	var serving sync.WaitGroup
	for i, in := range s.all {
		serving.Go(func() {
			if err := in.Serve(ctx); err != nil {
				s.ended[i].Store(&err)
				s.log.Error("intake ended", "err", err)
			}
		})
	}
	serving.Go(func() { s.sweepQUIC(ctx) })
	serving.Wait()
}

// Addrs returns the addresses of the (first) listeners, by intake.
func (s *Set) Addrs() (addrs []net.Addr) {
	for _, in := range s.all {
		addrs = append(addrs, in.Addr())
	}
	return addrs
}

// Stop stops accepting. Open sessions go on.
func (s *Set) Stop() {
	for i, in := range s.all {
		if err := in.Close(); err != nil {
			s.log.Error("close intake", "intake", s.cfg.Configuration.Intakes[i].Name, "err", err)
		}
	}
}

// Wait blocks until Stop was called, and the last session has ended.
func (s *Set) Wait() {
	for _, in := range s.all {
		in.Wait()
	}
}

// Renew tells intakes what the rules of the engine in force leave alone.
func (s *Set) Renew() {
	for _, w := range s.wires {
		if err := w.SetExempt(s.exemptWire()); err != nil { // what it exempts is asked about as before
			s.log.Error("exempt addresses of a wire not replaced", "err", err)
		}
	}
	for _, in := range s.routed {
		if err := in.SetExempt(s.exemptRouted()); err != nil { // as before
			s.log.Error("exempt addresses of an intake not replaced", "err", err)
		}
	}
}
