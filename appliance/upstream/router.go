package upstream

import (
	"context"
	"net"
	"net/netip"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// Router chooses the proxy of an origin. It is immutable and safe for concurrent use. A
// nil one chooses none.
type Router struct {
	Default    *Proxy            // nil: origins are reached without one
	ByRule     map[string]*Proxy // those that rules name, by [Proxy.String]
	Exceptions Exceptions        // of Default; a rule that names a proxy means it
}

// Proxy returns the proxy for a target; nil: none. rule is what the rule says, see
// [policy.Treatment].
func (r *Router) Proxy(rule string, to Target) *Proxy {
	switch {
	case r == nil || rule == policy.Direct:
		return nil
	case rule != "":
		return r.ByRule[rule]
	case r.Default == nil || r.Exceptions.Has(to):
		return nil
	}
	return r.Default
}

// StandIn returns the address that stands for a name that has none here, but may have
// one for the default proxy: the address of that proxy. It is invalid if the proxy is not
// asked for the name.
func (r *Router) StandIn(ctx context.Context, name string) netip.Addr {
	p := r.Proxy("", Target{Name: name})
	if p == nil {
		return netip.Addr{}
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", p.name)
	if err != nil || len(addrs) == 0 {
		return netip.Addr{}
	}
	return addrs[0].Unmap()
}
