package rules

import (
	"context"
	"net"
	"slices"

	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/upstream"
	"github.com/clearspan/clearspan/decrypt"
)

// Router makes what chooses the upstream proxy of an origin.
func Router(cfg *config.Config) (*upstream.Router, error) {
	var named []*upstream.Proxy
	for _, r := range cfg.Policy.Rules {
		if r.Proxy != nil && r.Proxy.Proxy != nil {
			named = append(named, r.Proxy.Proxy)
		}
	}
	var credentials string
	if file := cfg.Origin.Upstream.Credentials; file != "" {
		var err error
		if credentials, err = authority.ReadPassphrase(file); err != nil {
			return nil, err
		}
	}
	return upstream.NewRouter(cfg.Origin.Upstream, named, credentials)
}

// Upstreams returns the [decrypt.Config.Upstream] of a configuration; nil if it has no
// proxy. Sessions of a wire go where their frames do.
func Upstreams(cfg *config.Config, router *upstream.Router) func(*decrypt.Session) *decrypt.Upstream {
	if router == nil {
		return nil
	}
	byName := cfg.Origin.Resolve == decrypt.ResolveSNI
	var wires []string
	for _, in := range cfg.Intakes {
		if in.Mode == config.Wire {
			wires = append(wires, in.Name)
		}
	}
	return func(s *decrypt.Session) *decrypt.Upstream {
		if slices.Contains(wires, s.Intake) {
			return nil
		}
		to := upstream.Target{Name: s.Name, Addr: s.Origin}
		if to.Name == "" && byName {
			to.Name = s.SNI
		}
		rule := ""
		if t := s.Decision.Treatment; t != nil {
			rule = t.Upstream
		}
		p := router.Proxy(rule, to)
		if p == nil {
			return nil
		}
		return &decrypt.Upstream{Name: p.String(), Dial: func(ctx context.Context) (net.Conn, error) { return p.Dial(ctx, to) }}
	}
}
