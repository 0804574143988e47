package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Policy is the rule table.
type Policy struct {
	// Default is the action when no rule matches. Default bump.
	Default policy.Action
	// Treatment is that of sessions whose rule does not say, but for what [Origin] says.
	// Default: all mirrors, no services.
	Treatment policy.Treatment
	// Mode is whether the policy is followed. Default enforce.
	Mode PolicyMode
	// Lists are the categories that rules may name.
	Lists []List
	// Events are the events that have an action, instead of being logged only.
	Events policy.EventActions
	// NoLookup has no names looked up to find out whether they resolve to the
	// destination: the event sni-unresolved is off.
	NoLookup bool
	// Learn is what is learned of sessions.
	Learn learn.Options
	// Rules are asked in order; the first that matches decides.
	Rules []Rule
}

// Rule is a rule whose lists are not read yet. It holds the treatment that the rule asks
// for, with the words of the file.
type Rule struct {
	policy.Rule
	Category []string   // names of lists; with Host one condition, which either meets
	Proxy    *RuleProxy // of Treatment.Upstream; nil: as [Origin] says
}

// Protocols returns the words that a rule's protocol may hold.
func Protocols() []string { return slices.Clone(protocols) }

var protocols = []string{
	"tls", "quic", "http", "http2", "smtp", "imap", "pop3", "ftp", "ftp-data", "ssh", "mysql", "postgresql", "ldap", "xmpp", "rdp", "socks",
	"mqtt", "amqp", "redis", "tds", "smb", "vnc", "irc", "nntp", "managesieve", "syslog", "stomp", "sip", "rtsp", "git", "rsync",
}

// What rules choose from, of which there may be many.
var (
	parseKnownProtocol = oneOf(protocols...)
	parseContent       = oneOf(classes(decrypt.Decrypted, decrypt.Plain, decrypt.Tunneled)...)
	parseLearn         = oneOf(string(learn.Off), string(learn.Alert), string(learn.Tunnel))
)

// parseAction accepts an action, or one of its synonyms.
func parseAction(s string) (policy.Action, error) {
	a, err := policy.ParseAction(s)
	near := cmp.Or(otherActions[strings.ToLower(s)], nearest(s, actionWords))
	if err != nil && near != "" {
		return a, fmt.Errorf("unknown action %q (did you mean %q?), want bump, tunnel, tunnel-check or terminate", s, near)
	}
	return a, err
}

var actionWords = []string{"bump", "decrypt", "tunnel", "splice", "bypass", "tunnel-check", "terminate"}

// otherActions are words that other products have for actions, and that are too wide to
// be taken for them.
var otherActions = map[string]string{
	"block": "terminate", "deny": "terminate", "drop": "terminate", "reject": "terminate",
	"allow": "tunnel", "pass": "tunnel", "permit": "tunnel", "ignore": "tunnel",
	"inspect": "bump", "intercept": "bump", "mitm": "bump",
}

// parseProtocol accepts a protocol of rules.
func parseProtocol(s string) (string, error) {
	if other := map[string]string{"https": "tls", "ssl": "tls", "h2": "http2"}[strings.ToLower(s)]; other != "" {
		return "", fmt.Errorf("unknown value %q, did you mean %q?", s, other)
	}
	return parseKnownProtocol(s)
}

// policy reads the rule table; the others are what rules may name.
func (r *reader) policy(n *node, mirrors []Mirror, intakes []Intake, services []Service) (p Policy) {
	t := r.table(n, "policy")
	p.Default = value(t, "default", policy.Bump, parseAction)
	var known vocabulary
	for _, m := range mirrors {
		known.mirrors = append(known.mirrors, m.Name)
	}
	for _, in := range intakes {
		known.intakes = append(known.intakes, in.Name)
	}
	for _, s := range services {
		known.services = append(known.services, s.Name)
	}
	p.Treatment = policy.Treatment{Mirrors: choice(t, known.mirrors), Services: chain(t, known.services)}
	p.Mode = value(t, "mode", Enforce, oneOf(Enforce, Monitor))
	p.Lists = r.lists(t.get("lists"))
	p.Events, p.NoLookup = r.events(t.get("events"))
	for _, l := range p.Lists {
		known.lists = append(known.lists, l.Name)
		if l.Kind == URLList {
			known.urls = append(known.urls, l.Name)
		}
	}
	for _, check := range r.listed {
		check(known.lists)
	}
	items := r.list(t.get("rules"), "rules")
	names := make(map[string]int, len(items))
	p.Rules = slices.Grow(p.Rules, len(items))
	for _, item := range items {
		p.Rules = append(p.Rules, r.rule(item, names, known))
	}
	p.Learn = r.learn(t.get("learn"))
	t.fill("policy", "", &p, &p.Treatment)
	t.close()
	return p
}

func (r *reader) rule(n *node, names map[string]int, known vocabulary) (rule Rule) {
	t := r.table(n, "rules")
	rule.Name = unique(t, "rule", names)
	if rule.Name == "default" {
		r.fail(t.place("name"), "name: default stands for the action when no rule matches")
	}
	rule.Host = values(t, "host", nil, parsePattern)
	rule.Client = values(t, "client", nil, parsePrefix)
	rule.Origin = values(t, "origin", nil, parsePrefix)
	rule.Port = values(t, "port", nil, parsePorts)
	rule.Protocol = values(t, "protocol", nil, parseProtocol)
	rule.ALPN = values(t, "alpn", nil, parseALPN)
	rule.Action = required(t, "action", parseAction)
	r.conditions(t, &rule, known)
	rule.Proxy = ruleProxy(t)
	rule.Treatment = policy.Treatment{
		Mirrors:   choice(t, known.mirrors),
		Content:   values(t, "content", nil, parseContent),
		ALPNOffer: values(t, "alpn_offer", nil, parseALPN),
		Learn:     value(t, "learn", "", parseLearn),
		Services:  chain(t, known.services),
		Upstream:  rule.Proxy.Word(),
	}
	if len(rule.Treatment.Services) > 0 && rule.Action != policy.Bump {
		r.fail(t.place("services"), "services: need action bump, tunneled and terminated sessions bypass all services")
	}
	t.fill("policy.rules[]", "", &rule.Rule, &rule.Treatment)
	r.byRequest(t, &rule, known)
	t.close()
	return rule
}

// Words that stand for mirrors in place of a list of names.
const (
	allMirrors = "all"
	noMirror   = "none"
)

// choice reads the key mirror: a list of names, which may be empty, one name,
// "all" or "none". Nil if it is absent.
func choice(t *table, mirrors []string) *policy.Mirrors {
	n := t.get("mirror")
	switch {
	case n == nil:
		return nil
	case n.kind() == list && len(n.items()) == 0, n.kind() == scalar && n.text() == noMirror:
		return &policy.Mirrors{}
	case n.kind() == scalar && n.text() == allMirrors:
		return &policy.Mirrors{All: true}
	}
	return &policy.Mirrors{Names: values(t, "mirror", nil, among("mirror", mirrors))}
}

// parseALPN accepts a protocol identifier (RFC 7301, Section 3.1).
func parseALPN(s string) (string, error) {
	if s == "" || len(s) > 255 {
		return "", fmt.Errorf("want a protocol identifier of 1 to 255 octets")
	}
	return s, nil
}
