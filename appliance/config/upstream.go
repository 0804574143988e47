package config

import (
	"github.com/clearspan/clearspan/appliance/upstream"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// upstream reads the proxy by way of which origins are reached.
func (r *reader) upstream(t *table) (o upstream.Options) {
	o.Proxy = value(t, "proxy", nil, upstream.Parse)
	o.Credentials = value(t, "proxy_credentials", "", parseFile(r.dir))
	o.Exceptions = values(t, "no_proxy", nil, upstream.ParseException)
	for _, key := range []string{"proxy_credentials", "no_proxy"} {
		if t.has(key) && !t.has("proxy") {
			r.fail(t.place(key), "%s needs proxy beside it", key)
		}
	}
	if o.Credentials != "" && o.Proxy != nil && o.Proxy.HasCredentials() {
		r.fail(t.place("proxy_credentials"), "proxy_credentials: the address in proxy has a user name already")
	}
	return o
}

// ruleProxy reads what a rule says of that proxy.
func ruleProxy(t *table) *RuleProxy {
	return value(t, "proxy", nil, func(s string) (*RuleProxy, error) {
		if s == policy.Direct {
			return &RuleProxy{}, nil
		}
		p, err := upstream.Parse(s)
		if err != nil {
			return nil, err
		}
		return &RuleProxy{p}, nil
	})
}

// RuleProxy is what a rule says of the upstream proxy.
type RuleProxy struct{ *upstream.Proxy } // nil: none

// Word returns what [policy.Treatment] has for it.
func (p *RuleProxy) Word() string {
	switch {
	case p == nil:
		return ""
	case p.Proxy == nil:
		return policy.Direct
	}
	return p.String()
}
