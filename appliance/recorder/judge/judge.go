package judge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Config is what a judge needs to know.
type Config struct {
	Inside    []string // networks, addresses, and domains of mail such as @example.co.jp or @*.example.co.jp
	Rules     []Rule   // empty: see [Judge.Judge]
	Detectors []string // that rules may name, see [inspect.Options.Detectors]
	Receivers []string // that rules may name
}

// Judge judges findings. It does not change; any number of goroutines may use it.
type Judge struct {
	networks []netip.Prefix
	domains  []string
	rules    []rule
}

// New returns a judge. A destination of a rule is "outside" or "inside", by the list Inside;
// a network or an address of a server; a host such as *.example.com; or recipients of mail,
// such as @example.com. One that holds is enough. Mail goes outside if one recipient is in no
// domain of the list.
func New(c Config) (*Judge, error) {
	j := &Judge{}
	for _, text := range c.Inside {
		if domain, ok := strings.CutPrefix(text, "@"); ok && domain != "" {
			j.domains = append(j.domains, strings.ToLower(domain))
			continue
		}
		p, err := network(text)
		if err != nil {
			return nil, fmt.Errorf("inside: %q is no network, and no domain of mail such as @example.com", text)
		}
		j.networks = append(j.networks, p)
	}
	if len(c.Rules) > maxRules {
		return nil, fmt.Errorf("%d rules, at most %d are taken", len(c.Rules), maxRules)
	}
	names := make(map[string]bool)
	for _, r := range c.Rules {
		x, err := j.read(r, c.Detectors, c.Receivers)
		if err == nil && names[r.Name] {
			err = fmt.Errorf("there are two of that name")
		}
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", r.Name, err)
		}
		names[r.Name] = true
		j.rules = append(j.rules, x)
	}
	return j, nil
}

// Told is a finding that a rule names.
type Told struct {
	Finding *trail.Finding
	Rule    string   // "": there are no rules
	Alert   []string // receivers; empty without rules: all of them
}

// leastPeople is how many people are told of without rules.
const leastPeople = 10

// worth reports whether a finding is told without rules.
func worth(f *trail.Finding) bool {
	return f.Score >= inspect.Told && !slices.Contains(contact, f.Detector) && (f.Detector != "person" || f.Count >= leastPeople)
}

// Judge notes in the findings of a batch the first rule that names each, and returns what is
// to be told: a finding once for each rule that has receivers. Without rules, all findings
// of 70 points that are sent are told to all, but less than ten people, and data of contact.
// Users learns from the batch.
func (j *Judge) Judge(b *trail.Batch, users *Users) (list []Told) {
	users.note(b.Who)
	if len(b.Findings) == 0 {
		return nil
	}
	for _, d := range deeds(b, users) {
		if len(j.rules) == 0 {
			for _, f := range d.findings {
				if d.direction == trail.Sent && worth(f) {
					list = append(list, Told{Finding: f})
				}
			}
			continue
		}
		for i := range j.rules {
			list = j.apply(&j.rules[i], d, list)
		}
	}
	return list
}

// apply judges by one rule.
func (j *Judge) apply(r *rule, d *deed, list []Told) []Told {
	if !j.applies(r, d) {
		return list
	}
	have := make(map[string]uint64)
	for _, f := range d.findings {
		if r.counts(f.Detector, f.Score) {
			have[f.Detector] += f.Count
		}
	}
	when, or := reached(r.When, have), reached(r.Or, have)
	any := len(r.When)+len(r.Or) == 0
	for _, f := range d.findings {
		_, inWhen := r.When[f.Detector]
		_, inOr := r.Or[f.Detector]
		if !r.counts(f.Detector, f.Score) || !(any || when && inWhen || or && inOr) {
			continue
		}
		if f.Rule == "" {
			f.Rule = r.Name
		}
		if len(r.Alert) > 0 {
			list = append(list, Told{f, r.Name, r.Alert})
		}
	}
	return list
}

// applies reports whether a rule is about such data, whatever was found in them.
func (j *Judge) applies(r *rule, d *deed) bool {
	if r.Sent != r.Received && r.Sent != (d.direction == trail.Sent) || d.size < r.Size {
		return false
	}
	if len(r.clients) > 0 && !holds(r.clients, d.event.Client.Addr()) {
		return false
	}
	if len(r.User) > 0 && !slices.ContainsFunc(r.User, d.by) {
		return false
	}
	t := targetOf(d.event, d.direction)
	return len(r.to) == 0 || slices.ContainsFunc(r.to, func(p place) bool { return j.goesTo(t, p) })
}
