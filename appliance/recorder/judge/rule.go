package judge

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/inspect"
)

// Rule says when findings are told. A condition that is not set holds always.
type Rule struct {
	Name     string
	Sent     bool              // only what clients send
	Received bool              // only what they receive
	Client   []string          // networks or addresses of clients
	User     []string          // names; a * stands for any characters
	To       []string          // see [New]
	Size     uint64            // octets of all files of the event together, at least
	When     map[string]uint64 // least counts by detector; all are needed
	Or       map[string]uint64 // the same, instead of When
	Score    int               // that a finding needs; default 70, for data of contact 50
	Alert    []string          // names of receivers; empty: it is only noted
}

// Where is a destination of data.
const (
	Outside = "outside"
	Inside  = "inside"
)

// contact are the detectors whose values are worth little alone.
var contact = []string{"phone", "e-mail", "address", "postal-code", "birth-date"}

const (
	contactScore = 50
	maxRules     = 1000
)

// rule is one that was read.
type rule struct {
	Rule
	clients []netip.Prefix
	to      []place
}

// read checks a rule.
func (j *Judge) read(r Rule, detectors, receivers []string) (x rule, err error) {
	x.Rule = r
	if r.Name == "" {
		return x, errors.New("it has no name")
	}
	if x.clients, err = networks(r.Client); err != nil {
		return x, err
	}
	for _, text := range r.To {
		p, err := parsePlace(text)
		if err != nil {
			return x, err
		}
		if p.side != "" && len(j.networks)+len(j.domains) == 0 {
			return x, fmt.Errorf("to: %s needs the list inside", text)
		}
		x.to = append(x.to, p)
	}
	for _, counts := range []map[string]uint64{r.When, r.Or} {
		for _, d := range slices.Sorted(maps.Keys(counts)) {
			if !slices.Contains(detectors, d) {
				return x, fmt.Errorf("unknown detector %q, want one of %s", d, strings.Join(detectors, ", "))
			}
		}
	}
	for _, name := range r.Alert {
		if !slices.Contains(receivers, name) {
			return x, fmt.Errorf("alert: there is no receiver %q", name)
		}
	}
	if r.Score < 0 || r.Score > 100 {
		return x, fmt.Errorf("score %d: want 1 to 100", r.Score)
	}
	return x, nil
}

// networks reads networks and addresses.
func networks(list []string) (out []netip.Prefix, err error) {
	for _, text := range list {
		p, err := network(text)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is no network", text)
	}
	return p.Masked(), nil
}

// holds reports whether an address lies in one of the networks.
func holds(list []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// counts reports whether a finding of that score counts for the rule.
func (r *rule) counts(detector string, score int) bool {
	least := inspect.Told
	if slices.Contains(contact, detector) {
		least = contactScore
	}
	return score >= cmp.Or(r.Score, least)
}

// reached reports whether there are so many of each.
func reached(least, have map[string]uint64) bool {
	for detector, n := range least {
		if have[detector] < max(n, 1) {
			return false
		}
	}
	return len(least) > 0
}
