package decrypt

import (
	"context"
	"slices"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// reroute has the session go where its server name leads, unless it goes there
// already, and asks the policy again with that address. What the policy terminates is
// not looked up.
func (s *session) reroute(ctx context.Context) error {
	a := s.account
	switch {
	case s.engine.cfg.Origin.Resolve != ResolveSNI || s.in.Route == nil || a.SNI == "" || a.Decision.Action == policy.Terminate:
		return nil
	case s.upstream() != nil: // which is given the name
		a.Resolved()
		return nil
	case a.Decision.Monitored, s.origin != nil: // nothing is changed; it is too late
		return nil
	case a.Name != "" && !policy.Differ(a.Name, a.SNI):
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, s.engine.cfg.Origin.ConnectTimeout)
	defer stop()
	route, err := s.in.Route(ctx, a.SNI)
	if err != nil || len(route.Addrs) == 0 {
		return fail(reasonUnresolved, err, handshake.AlertAccessDenied)
	}
	a.Resolved()
	a.routed = true
	if slices.Contains(route.Addrs, a.Origin) {
		return nil
	}
	in := *s.in
	in.Dial = route.Dial
	s.in = &in
	a.Destination, a.Origin = a.Origin, route.Addrs[0]
	s.ask(s.facts())
	return nil
}
