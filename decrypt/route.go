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
func (j *joint) reroute(ctx context.Context, hello *clienthello.Hello, action policy.Action) (policy.Action, error) {
	name := j.s.SNI
	switch {
	case !j.e.cfg.ByName || j.in.Route == nil || name == "" || action == policy.Terminate:
		return action, nil
	case j.s.Decision.Monitored, j.origin != nil: // nothing is changed; it is too late
		return action, nil
	case j.s.Name != "" && !policy.Differ(j.s.Name, name):
		return action, nil
	}
	ctx, stop := context.WithTimeout(ctx, j.e.cfg.ConnectTimeout)
	defer stop()
	route, err := j.in.Route(ctx, name)
	if err != nil || len(route.Addrs) == 0 {
		return action, fail(reasonUnresolved, err, alertAccessDenied)
	}
	j.s.Resolved()
	if slices.Contains(route.Addrs, j.s.Origin) {
		return action, nil
	}
	in := *j.in
	in.Dial = route.Dial
	j.in = &in
	j.s.Destination, j.s.Origin = j.s.Origin, route.Addrs[0]
	return j.decide(j.helloFacts(hello)), nil
}
