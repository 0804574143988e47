package upstream

import (
	"fmt"
	"strings"
)

// Options are what the configuration says of proxies.
type Options struct {
	Proxy       *Proxy     // for origins without a rule that says otherwise; nil: none
	Credentials string     // file whose first line is USER:PASSWORD for Proxy; "": those in its address
	Exceptions  Exceptions // of Proxy
}

// NewRouter returns the router for o and the proxies that rules name. credentials are the
// first line of the file that o names, "" if it names none.
func NewRouter(o Options, rules []*Proxy, credentials string) (*Router, error) {
	if o.Proxy != nil && credentials != "" {
		user, password, _ := strings.Cut(credentials, ":")
		p, err := o.Proxy.WithCredentials(user, password)
		if err != nil {
			return nil, fmt.Errorf("read credentials of %s: %w", o.Proxy, err)
		}
		o.Proxy = p
	}
	if o.Proxy == nil && len(rules) == 0 {
		return nil, nil
	}
	r := &Router{Default: o.Proxy, ByRule: make(map[string]*Proxy, len(rules)), Exceptions: o.Exceptions}
	for _, p := range rules {
		if o.Proxy != nil && !p.HasCredentials() && p.String() == o.Proxy.String() {
			p = o.Proxy
		}
		r.ByRule[p.String()] = p
	}
	return r, nil
}
