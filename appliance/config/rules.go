package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones of rules, on machines that have none

	"github.com/clearspan/clearspan/decrypt/policy"
)

// List is a category: a file with a name, or a URL, a line.
type List struct {
	Name string
	File string
	Kind ListKind
}

// ListKind is what the lines of a list are. Default host.
type ListKind string

const (
	HostList ListKind = "host"
	URLList  ListKind = "url"
)

// PolicyMode is whether the policy is followed.
type PolicyMode string

const (
	Enforce PolicyMode = "enforce"
	Monitor PolicyMode = "monitor" // everything is tunneled, entries say what would have been done
)

// lists reads the categories.
func (r *reader) lists(n *node) (lists []List) {
	t := r.table(n, "lists")
	for _, p := range t.pairs {
		t.accept(p.key)
		if _, err := parseName(p.key); err != nil {
			r.fail(p.place, "list: %v", err)
			continue
		}
		of := r.table(p.value, p.key)
		lists = append(lists, List{p.key, required(of, "file", parseFile(r.dir)), value(of, "kind", HostList, oneOf(HostList, URLList))})
		of.close()
	}
	return lists
}

// events reads which actions events have; "log" is none. Names need not be looked
// up at all.
func (r *reader) events(n *node) (actions policy.EventActions, noLookup bool) {
	t := r.table(n, "events")
	actions = make(policy.EventActions)
	for _, p := range t.pairs {
		t.accept(p.key)
		e, err := policy.ParseEvent(p.key)
		if err != nil {
			r.fail(p.place, "%v", err)
			continue
		}
		const unset = policy.Action(0xff)
		a := required(t, p.key, func(s string) (policy.Action, error) {
			if s == "log" {
				return unset, nil
			}
			if s == "off" && e == policy.SNIUnresolved {
				noLookup = true
				return unset, nil
			}
			a, err := policy.ParseAction(s)
			if err != nil {
				err = fmt.Errorf("unknown action %q, want log, bump, tunnel, tunnel-check or terminate", s)
			}
			return a, err
		})
		if a != unset {
			actions[e] = a
		}
	}
	if len(actions) == 0 {
		actions = nil
	}
	return actions, noLookup
}

// conditions reads those of a rule that name other parts of the configuration,
// the hour, the hello or the origin's certificate.
func (r *reader) conditions(t *table, rule *Rule, known vocabulary) {
	rule.Category = values(t, "category", nil, among("list", known.lists))
	rule.Intake = values(t, "intake", nil, among("intake", known.intakes))
	rule.JA4 = values(t, "ja4", nil, func(s string) (string, error) { return s, policy.CheckJA4(s) })
	rule.OriginName = values(t, "origin_name", nil, parsePattern)
	rule.Issuer = values(t, "issuer", nil, func(s string) (string, error) {
		if s == "" || len(s) > 1024 {
			return "", fmt.Errorf("want the name of an issuer")
		}
		return s, nil
	})
	rule.Time = r.periods(t)
	rule.Path = values(t, "path", nil, func(s string) (string, error) { return s, policy.CheckPath(s) })
	rule.Method = values(t, "method", nil, parseMethod)
}

// parseMethod accepts the name of a method (RFC 9110, Section 9.1).
func parseMethod(s string) (string, error) {
	if s == "" || len(s) > 64 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") != "" {
		return "", fmt.Errorf("%q is not the name of a method", s)
	}
	return s, nil
}

// byRequest refuses what a rule that is asked about each request cannot have: it is known
// when the session runs.
func (r *reader) byRequest(t *table, rule *Rule, known vocabulary) {
	key := ""
	switch {
	case len(rule.Path) > 0:
		key = "path"
	case len(rule.Method) > 0:
		key = "method"
	case slices.ContainsFunc(rule.Category, func(name string) bool { return slices.Contains(known.urls, name) }):
		key = "category"
	default:
		return
	}
	if rule.Action != policy.Bump && rule.Action != policy.Terminate {
		r.fail(t.place(key), "%s: needs action bump or terminate, a request is known within a session only", key)
	}
	if tr := &rule.Treatment; tr.Mirrors != nil || tr.Content != nil || tr.ALPNOffer != nil || tr.Learn != "" || tr.Services != nil || tr.Upstream != "" {
		r.fail(t.place(key), "%s: excludes mirror, content, alpn_offer, learn, services and proxy, which hold for a session", key)
	}
}

// vocabulary are the names that rules may choose from.
type vocabulary struct{ mirrors, lists, urls, intakes, services []string }

// among accepts the known names of what.
func among(what string, known []string) func(string) (string, error) {
	return func(s string) (string, error) {
		if s != "" {
			if slices.Contains(known, s) {
				return s, nil
			}
			if near := nearest(s, known); near != "" {
				return "", fmt.Errorf("there is no %s %q, did you mean %q?", what, s, near)
			}
		}
		return "", fmt.Errorf("there is no %s %q", what, s)
	}
}

// periods reads the key time: texts such as "22:00-06:00 mon-fri Europe/Berlin",
// or tables with from, to, days and zone.
func (r *reader) periods(t *table) (periods []policy.Period) {
	n := t.get("time")
	if n == nil {
		return nil
	}
	items := []*node{n}
	if n.kind() == list {
		if items = n.items(); len(items) == 0 {
			r.fail(n.place(), "time: list is empty")
		}
	}
	for _, item := range items {
		if item.kind() == dict {
			periods = append(periods, r.period(item))
			continue
		}
		if item.kind() != scalar {
			r.fail(item.place(), "time: want a text or a table")
			continue
		}
		p, err := parsePeriod(item.text())
		if err != nil {
			r.fail(item.place(), "time: %v", err)
			continue
		}
		periods = append(periods, p)
	}
	return periods
}

func (r *reader) period(n *node) (p policy.Period) {
	t := r.table(n, "time")
	p.From = value(t, "from", 0, parseClock)
	p.To = value(t, "to", 0, parseClock)
	if t.has("from") && !t.has("to") {
		p.To = 24 * 60
	}
	for _, days := range values(t, "days", nil, parseDays) {
		p.Days |= days
	}
	p.Zone = value(t, "zone", nil, parseZone)
	if !t.has("from") && !t.has("to") && !t.has("days") {
		t.missing("from", ", or to, or days")
	}
	t.close()
	return p
}

// parsePeriod accepts "22:00-06:00", then days and a zone, each of the three
// optional, but not all.
func parsePeriod(s string) (p policy.Period, err error) {
	fields := strings.Fields(s)
	if len(fields) == 0 {
		return p, fmt.Errorf("want a time such as 22:00-06:00, not %q", s)
	}
	if from, to, ok := strings.Cut(fields[0], "-"); ok && strings.Contains(from, ":") {
		if p.From, err = parseClock(from); err != nil {
			return p, err
		}
		if p.To, err = parseClock(to); err != nil {
			return p, err
		}
		fields = fields[1:]
	}
	if len(fields) > 0 {
		for days := range strings.SplitSeq(fields[0], ",") {
			d, err := parseDays(days)
			if err != nil && p == (policy.Period{}) {
				return p, err
			}
			if err != nil {
				break // a zone
			}
			p.Days |= d
		}
		if p.Days != 0 {
			fields = fields[1:]
		}
	}
	if len(fields) > 0 {
		if p.Zone, err = parseZone(strings.Join(fields, " ")); err != nil {
			return p, err
		}
	}
	return p, nil
}

// parseClock accepts "08:00" to "24:00" and returns minutes.
func parseClock(s string) (int, error) {
	if len(s) == 5 {
		if t, err := time.Parse("15:04", s); err == nil {
			return t.Hour()*60 + t.Minute(), nil
		}
		if s == "24:00" {
			return 24 * 60, nil
		}
	}
	return 0, fmt.Errorf("want a time of day from 00:00 to 24:00, not %q", s)
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// parseDays accepts a day, or a range such as mon-fri.
func parseDays(s string) (days policy.Days, err error) {
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	a, b := -1, -1
	for i, name := range weekdays {
		if name == first {
			a = i
		}
		if name == last {
			b = i
		}
	}
	if a < 0 || b < 0 {
		return 0, fmt.Errorf("want days such as mon or mon-fri, not %q", s)
	}
	for i := a; ; i = (i + 1) % 7 {
		days = days.Add(time.Weekday(i))
		if i == b {
			return days, nil
		}
	}
}

// parseZone accepts a name of the IANA time zone database.
func parseZone(s string) (*time.Location, error) {
	if s == "" || s == "Local" {
		return nil, fmt.Errorf("want a time zone such as Europe/Berlin, not %q", s)
	}
	zone, err := time.LoadLocation(s)
	if err != nil {
		return nil, fmt.Errorf("there is no time zone %q", s)
	}
	return zone, nil
}
