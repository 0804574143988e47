package appliance

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/feed"
	"github.com/clearspan/clearspan/appliance/service"
	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/appliance/service/inline"
	"github.com/clearspan/clearspan/appliance/service/mail"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
)

// openServices opens what sessions may be sent through.
func (a *Appliance) openServices() error {
	if os.Geteuid() == 0 { // nobody else has made any
		if err := inline.Sweep(); err != nil {
			a.log.Warn("legs of crashed inline devices not returned", "err", err)
		}
	}
	var members []service.Member
	for _, s := range a.cfg.Services {
		m, err := a.openService(s)
		if err != nil {
			return fmt.Errorf("open service %s: %w", s.Name, err)
		}
		members = append(members, m)
	}
	chain, err := service.NewChain(members, service.Options{Observe: a.metrics.Served})
	a.chain = chain
	return err
}

func (a *Appliance) openService(s config.Service) (m service.Member, err error) {
	m = service.Member{Name: s.Name, FailOpen: s.OnFailure == config.FailOpen}
	switch s.Kind {
	case config.ICAP:
		client, err := a.openICAP(s)
		if err != nil {
			return m, err
		}
		a.closers.push("service "+s.Name, client.Close)
		a.metrics.Service(s.Name, adapt.Words)
		m.Foreign, m.Upgrade, m.Whole = passages[s.Foreign], passages[s.Upgrade], s.Ranges == config.WholeRanges
		m.Web = &adapt.Service{
			Adapter: service.Scan{Client: client}, MaxBody: int64(s.MaxBody),
			Streams:  s.Streams,
			Requests: slices.Contains(s.Modes, config.REQMOD), Responses: slices.Contains(s.Modes, config.RESPMOD),
		}
		if s.Oversize == config.FailClosed {
			m.Web.MaxBody = 0 // the client refuses it
		}
		if !m.Web.Responses {
			return m, nil // mail is shown as responses
		}
		m.Mail, err = mail.New(mail.Config{
			Name: s.Name, Adapter: client, FailOpen: m.FailOpen, Dir: a.cfg.State, Observe: a.metrics.Served,
		})
		return m, err
	case config.Inline:
		m.Session, err = a.openInline(s)
		return m, err
	}
	return m, fmt.Errorf("unknown kind %q", s.Kind)
}

// passages are the words of the configuration.
var passages = map[config.Passage]adapt.Passage{config.PassForeign: adapt.Pass, config.KnownForeign: adapt.Known, config.BlockForeign: adapt.Block}

// openInline takes the interfaces of a device.
func (a *Appliance) openInline(s config.Service) (*inline.Device, error) {
	port := feed.ClearPort
	if s.Port != 0 {
		port = func(*decrypt.Session) uint16 { return s.Port }
	}
	probe := inline.Probe{Interval: s.Probe}
	if s.Probe == 0 {
		probe.Interval = -1
	}
	d, err := inline.New(inline.Config{
		Name: s.Name, Legs: s.Legs, VLAN: s.VLAN, Port: port, Timeout: s.Timeout, FailOpen: s.OnFailure == config.FailOpen,
		Hops: s.Hops, Probe: probe, Logger: a.log.With("service", s.Name),
	})
	if err != nil {
		return nil, err
	}
	a.closers.push("service "+s.Name, d.Close)
	return d, a.metrics.DeviceCounters(s.Name, d.Counters)
}

func (a *Appliance) openICAP(s config.Service) (*icap.Client, error) {
	roots, skipped, err := certs.LoadRoots(s.Roots)
	if err := errors.Join(append(skipped, err)...); err != nil {
		return nil, err
	}
	return icap.New(icap.Config{
		URLs: s.URLs, Timeout: s.Timeout, MaxBody: int64(s.MaxBody), Oversize: s.Oversize == config.FailClosed,
		Replay: int(s.Replay), Preview: max(s.Preview, 0), NoPreview: s.Preview == config.NoPreview, PassPaused: s.Paused == config.PassPaused, Connections: s.Connections,
		Tell: icap.Facts{
			ClientIP: slices.Contains(s.Tell, config.TellClientIP), ClientPort: slices.Contains(s.Tell, config.TellClientPort),
			ServerIP: slices.Contains(s.Tell, config.TellServerIP), User: slices.Contains(s.Tell, config.TellUser),
			PlainUser: s.User == config.UserPlain,
		},
		TLS: &tls.Config{RootCAs: roots}, Logger: a.log.With("service", s.Name),
	})
}

// hasServices returns an error if rules of cfg name services that are not open.
func (a *Appliance) hasServices(cfg *config.Config) error {
	has := func(name string) bool {
		return slices.ContainsFunc(a.cfg.Services, func(s config.Service) bool { return s.Name == name })
	}
	for _, r := range cfg.Policy.Rules {
		for _, name := range r.Services {
			if !has(name) {
				return fmt.Errorf("rule %s: service %s needs a restart", r.Name, name)
			}
		}
	}
	for _, name := range cfg.Policy.Services {
		if !has(name) {
			return fmt.Errorf("policy: service %s needs a restart", name)
		}
	}
	return nil
}

// services returns what stands between the legs of a session.
func (a *Appliance) services(s *decrypt.Session) []decrypt.Service {
	t := s.Decision.Treatment
	if t == nil || len(t.Services) == 0 {
		return nil
	}
	return a.chain.Services(s, t.Services)
}
