// Package services opens the services that the configuration names, and chooses those
// that a session goes through.
package services

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/feed"
	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/keeper/role"
	"github.com/clearspan/clearspan/appliance/service"
	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/appliance/service/inline"
	"github.com/clearspan/clearspan/appliance/service/mail"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
)

// Config is what services are opened with.
type Config struct {
	Services []config.Service
	State    string // directory of the files that hold long mail
	Metrics  *admin.Metrics
	Opened   func(part string, close func() error) // told of each that is open
	Holder   *role.Holder                          // of what is open already; may be nil
	Logger   *slog.Logger
}

// Set is the services that are open. It is safe for concurrent use.
type Set struct {
	chain *service.Chain
	names []string
	state []func() health.Reading // by names
}

// Open opens what sessions may be sent through. On error, those that Opened was told of
// are open.
func Open(cfg Config) (*Set, error) {
	if os.Geteuid() == 0 { // nobody else has made any
		if err := inline.Sweep(); err != nil {
			cfg.Logger.Warn("legs of crashed inline devices not returned", "err", err)
		}
	}
	set := new(Set)
	var members []service.Member
	for _, s := range cfg.Services {
		m, state, err := cfg.open(s)
		if err != nil {
			return nil, fmt.Errorf("open service %s: %w", s.Name, err)
		}
		members = append(members, m)
		set.names, set.state = append(set.names, s.Name), append(set.state, state)
	}
	var err error
	set.chain, err = service.NewChain(members, service.Options{Observe: cfg.Metrics.Served})
	return set, err
}

func (cfg *Config) open(s config.Service) (m service.Member, state func() health.Reading, err error) {
	m = service.Member{Name: s.Name, FailOpen: s.FailOpen}
	switch s.Kind {
	case config.ICAP:
		client, err := cfg.openICAP(s, &m)
		return m, func() health.Reading { return icapHealth(client.Servers()) }, err
	case config.Inline:
		device, err := cfg.openInline(s)
		m.Session = device
		return m, func() health.Reading { return deviceHealth(device.Failing()) }, err
	}
	return m, nil, fmt.Errorf("unknown kind %q", s.Kind)
}

// openInline takes the interfaces of a device.
func (cfg *Config) openInline(s config.Service) (*inline.Device, error) {
	s.Inline.Name, s.Inline.ClearPort, s.Inline.Logger = s.Name, feed.ClearPort, cfg.Logger.With("service", s.Name)
	open := inline.New
	if files := cfg.Holder.Take(resourceName(s)); files != nil {
		open = func(c inline.Config) (*inline.Device, error) { return inline.Join(c, files) }
	}
	d, err := open(s.Inline)
	if err != nil {
		return nil, err
	}
	cfg.Opened("service "+s.Name, d.Close)
	return d, cfg.Metrics.DeviceCounters(s.Name, d.Counters)
}

// openICAP makes the client of a service that sees web messages and mail.
func (cfg *Config) openICAP(s config.Service, m *service.Member) (*icap.Client, error) {
	roots, skipped, err := certs.LoadRoots(s.Roots)
	if err := errors.Join(append(skipped, err)...); err != nil {
		return nil, err
	}
	s.ICAP.TLS, s.ICAP.Logger = &tls.Config{RootCAs: roots}, cfg.Logger.With("service", s.Name)
	client, err := icap.New(s.ICAP)
	if err != nil {
		return nil, err
	}
	cfg.Opened("service "+s.Name, client.Close)
	client.Check(checkInterval)
	cfg.Metrics.Service(s.Name, adapt.Words)
	m.Foreign, m.Upgrade, m.Whole = s.Foreign, s.Upgrade, s.Whole
	m.Web = &s.Web
	m.Web.Adapter = service.Scan{Client: client}
	if s.ICAP.Oversize {
		m.Web.MaxBody = 0 // the client refuses it
	}
	if m.Web.Responses { // mail is shown as responses
		m.Mail, err = mail.New(mail.Config{
			Name: s.Name, Adapter: client, FailOpen: m.FailOpen, Dir: cfg.State, Observe: cfg.Metrics.Served,
		})
	}
	return client, err
}

// Has returns an error if rules of p name services that are not open.
func (set *Set) Has(p config.Policy) error {
	for _, r := range p.Rules {
		for _, name := range r.Treatment.Services {
			if !slices.Contains(set.names, name) {
				return fmt.Errorf("rule %s: service %s needs a restart", r.Name, name)
			}
		}
	}
	for _, name := range p.Treatment.Services {
		if !slices.Contains(set.names, name) {
			return fmt.Errorf("policy: service %s needs a restart", name)
		}
	}
	return nil
}

// Of returns what stands between the legs of a session.
func (set *Set) Of(s *decrypt.Session) []decrypt.Service {
	t := s.Decision.Treatment
	if t == nil || len(t.Services) == 0 {
		return nil
	}
	return set.chain.Services(s, t.Services)
}
