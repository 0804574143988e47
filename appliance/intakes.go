package appliance

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/publish"
)

// resolver is the system's.
var resolver = net.DefaultResolver

// openIntakes opens every configured intake, in order.
func (a *Appliance) openIntakes() error {
	a.limiter = intake.NewLimiter(a.cfg.Limits.Sessions, a.admit)
	a.own.add(a.cfg)
	for _, c := range a.cfg.Intakes {
		in, err := a.openIntake(c)
		if err != nil {
			return fmt.Errorf("open intake %s: %w", c.Name, err)
		}
		a.intakes = append(a.intakes, in)
		a.closers.push("intake "+c.Name, in.Close)
	}
	return nil
}

func (a *Appliance) openIntake(c config.Intake) (intake.Intake, error) {
	o := intake.Options{
		Name:           c.Name,
		Handler:        a.serve,
		Limiter:        a.limiter,
		Guard:          a.own.permit,
		Resolver:       resolver,
		ConnectTimeout: a.cfg.Origin.ConnectTimeout,
		Count:          func(e intake.Event) { a.metrics.Refused(c.Name, e.String()) },
		Logger:         a.log,
	}
	if c.QUIC != "" {
		o.QUIC = a.peekQUIC(c)
	}
	if c.Mode != config.DNS { // of which no session comes
		a.metrics.Intake(c.Name, intake.Words())
	}
	switch c.Mode {
	case config.Explicit:
		o.Forbid = a.forbid
		o.Pages = map[string]http.Handler{publish.Host: publish.Handler(a.material)}
		return intake.NewExplicit(intake.Explicit{Listen: c.Listen, From: c.Clients, Reach: c.Reach, Ports: c.ConnectPorts}, o)
	case config.Static:
		s := intake.Static{Listen: c.Listen, Origin: c.Origin, SNI: c.SNI}
		s.ProxyFrom, s.ProxySend = c.ProxyFrom, intake.ProxyVersion(slices.Index(config.ProxyVersions, c.ProxySend)+1)
		var err error
		if s.Certificates, err = ownCertificates(c); err != nil {
			return nil, err
		}
		return intake.NewStatic(s, o)
	case config.TProxy:
		certificates, err := ownCertificates(c)
		if err != nil {
			return nil, err
		}
		return a.openTProxy(c, certificates, o)
	case config.Redirect:
		return a.openRedirect(c, o)
	case config.Wire:
		return a.openWire(c, o)
	case config.DNS:
		return a.openNames(c)
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

// stopIntakes stops accepting. Open sessions go on.
func (a *Appliance) stopIntakes() {
	for i, in := range a.intakes {
		if err := in.Close(); err != nil {
			a.log.Error("close intake", "intake", a.cfg.Intakes[i].Name, "err", err)
		}
	}
}

// guard keeps sessions from reaching the appliance's own listeners through the
// appliance: the administration is not for clients, and a proxy that connects to
// itself never ends.
type guard struct {
	mu    sync.Mutex
	ports map[uint16]bool
}

func (g *guard) add(cfg *config.Config) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ports = make(map[uint16]bool)
	for _, l := range listeners(cfg) {
		if _, port, err := net.SplitHostPort(l); err == nil {
			if n, err := net.LookupPort("tcp", port); err == nil && n != 0 {
				g.ports[uint16(n)] = true
			}
		}
	}
}

func listeners(cfg *config.Config) []string {
	all := []string{cfg.Admin.Listen}
	for _, in := range cfg.Intakes {
		all = append(all, in.Listen)
	}
	for _, m := range cfg.Mirrors {
		all = append(all, m.Live.Addr)
	}
	return all
}

// permit is called for every destination.
func (g *guard) permit(to netip.AddrPort) error {
	g.mu.Lock()
	own := g.ports[to.Port()]
	g.mu.Unlock()
	if !own || !isLocal(to.Addr()) {
		return nil
	}
	return fmt.Errorf("destination %s is a listener of the appliance itself", to)
}

// isLocal reports whether addr is one of this host's.
func isLocal(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true // better refuse a destination than open the administration
	}
	for _, a := range addrs {
		if s, _, _ := strings.Cut(a.String(), "/"); s == addr.String() {
			return true
		}
	}
	return false
}
