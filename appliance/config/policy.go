package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// Policy is the rule table.
type Policy struct {
	// Default is the action when no rule matches. Default bump.
	Default policy.Action
	// Rules are asked in order; the first that matches decides.
	Rules []Rule
}

// Rule gives an action to sessions that meet all of its conditions. A condition
// is met by any of its values; an absent one always.
type Rule struct {
	Name     string         // unique among rules
	Host     []string       // names, "*." for any depth of subdomains
	Client   []netip.Prefix // client's address
	Origin   []netip.Prefix // original destination's address
	Port     []PortRange    // original destination's port
	Protocol []string       // words of [Protocols]
	ALPN     []string       // protocols that the client offers
	Action   policy.Action
}

// Protocols returns the words that a rule's protocol may hold.
func Protocols() []string { return slices.Clone(protocols) }

var protocols = []string{
	"tls", "http", "http2", "smtp", "imap", "pop3", "ftp", "ssh", "mysql", "postgresql", "ldap", "xmpp", "rdp", "socks",
}

func (r *reader) policy(n *node, p Policy) Policy {
	t := r.table(n, "policy")
	p.Default = value(t, "default", p.Default, policy.ParseAction)
	items := r.list(t.get("rules"), "rules")
	names := make(map[string]int, len(items))
	for _, item := range items {
		p.Rules = append(p.Rules, r.rule(item, names))
	}
	t.unavailable("lists", "learn")
	t.close()
	return p
}

func (r *reader) rule(n *node, names map[string]int) (rule Rule) {
	t := r.table(n, "rules")
	rule.Name = unique(t, "rule", names)
	if rule.Name == "default" {
		r.fail(t.place("name"), "name: default stands for the action when no rule matches")
	}
	rule.Host = values(t, "host", nil, parsePattern)
	rule.Client = values(t, "client", nil, parsePrefix)
	rule.Origin = values(t, "origin", nil, parsePrefix)
	rule.Port = values(t, "port", nil, parsePorts)
	rule.Protocol = values(t, "protocol", nil, oneOf(protocols...))
	rule.ALPN = values(t, "alpn", nil, parseALPN)
	rule.Action = required(t, "action", policy.ParseAction)
	t.unavailable("category", "lists", "services", "time", "ja4", "issuer", "intake")
	t.close()
	return rule
}

// parseALPN accepts a protocol identifier (RFC 7301, Section 3.1).
func parseALPN(s string) (string, error) {
	if s == "" || len(s) > 255 {
		return "", fmt.Errorf("want a protocol identifier of 1 to 255 octets")
	}
	return s, nil
}
