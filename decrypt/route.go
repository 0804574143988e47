package decrypt

import (
	"context"
	"slices"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// reroute has the session go where its server name leads, unless it goes there
// already, and asks the policy again with that address. action is what the policy
// has said of the destination: what it terminates is not looked up.
func (s *session) reroute(ctx context.Context, hello *clienthello.Hello, action policy.Action) (policy.Action, error) {
	name := s.account.SNI
	switch {
	case !s.engine.cfg.ByName || s.in.Route == nil || name == "" || action == policy.Terminate:
		return action, nil
	case s.account.Decision.Monitored, s.origin != nil: // nothing is changed; it is too late
		return action, nil
	case s.account.Name != "" && !policy.Differ(s.account.Name, name):
		return action, nil
	}
	ctx, stop := context.WithTimeout(ctx, s.engine.cfg.ConnectTimeout)
	defer stop()
	route, err := s.in.Route(ctx, name)
	if err != nil || len(route.Addrs) == 0 {
		return action, fail(reasonUnresolved, err, alertAccessDenied)
	}
	s.account.Resolved()
	if slices.Contains(route.Addrs, s.account.Origin) {
		return action, nil
	}
	in := *s.in
	in.Dial = route.Dial
	s.in = &in
	s.account.Destination, s.account.Origin = s.account.Origin, route.Addrs[0]
	return s.ask(s.facts()), nil
}
