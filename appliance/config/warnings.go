package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/clearspan/clearspan/decrypt/learn"
)

// Warning is something that a configuration may say, and that an operator may not have
// meant.
type Warning struct {
	Message string
	Keys    []string // that lead to the value, see [Locator]
}

// Warnings tells of what is allowed and dangerous. It opens no file.
func (c *Config) Warnings() (list []Warning) {
	warn := func(message string, keys ...string) { list = append(list, Warning{message, keys}) }
	for i := range c.Intakes {
		if in := &c.Intakes[i]; in.Mode == Explicit {
			if message := openProxy(in); message != "" {
				warn(message, "intake", strconv.Itoa(i), "listen")
			}
		}
	}
	for i := range c.Mirrors {
		m, at := &c.Mirrors[i], strconv.Itoa(i)
		if m.Secrets {
			warn("secrets: true: the capture files of mirror "+m.Name+" hold the TLS secrets of all sessions: they also decrypt captures of the wire", "mirror", at, "secrets")
		}
		if m.Kind == PCAPOverIP && !loopback(m.Live.Addr) && (m.From == nil || slices.ContainsFunc(m.From, everybody)) {
			warn("mirror "+m.Name+": other machines read the cleartext without a password: name the recorders in from", "mirror", at, "listen")
		}
	}
	if c.Policy.Learn.Pinned == learn.Tunnel {
		warn("pinned: tunnel: clients that do not trust the authority pass undecrypted after some attempts, too: alert only tells of them", "policy", "learn", "pinned", "action")
	}
	if c.Audit.Content.Queries {
		warn("queries: true: the audit log holds the queries of requests, and with them tokens and passwords", "audit", "queries")
	}
	if c.Recorder != nil && c.Recorder.Inspect.Passwords {
		warn("passwords: true: the recorder opens encrypted archives with what mail messages say: see whether the law and your rules allow that", "recorder", "inspect", "passwords")
	}
	if c.Admin.Listen != "" && !loopback(c.Admin.Listen) {
		warn("admin: other machines read metrics and learned entries without a password", "admin", "listen")
	}
	return list
}

// openProxy says who may use a proxy that more machines reach than its operator may have
// thought; "" if that is nobody.
func openProxy(in *Intake) string {
	switch from := in.Proxy.From; {
	case loopback(in.Proxy.Listen):
	case slices.ContainsFunc(from, everybody):
		return fmt.Sprintf("intake %s: everybody who reaches %s may use the proxy: name the networks of clients in from", in.Name, in.Proxy.Listen)
	case from == nil && unspecified(in.Proxy.Listen):
		return fmt.Sprintf("intake %s: every machine of a private network that reaches it may use the proxy: name the networks of clients in from", in.Name)
	}
	return ""
}

// everybody reports whether a network is all of IPv4 or IPv6, or a half of it.
func everybody(p netip.Prefix) bool { return p.Bits() <= 1 }

// loopback reports whether only this machine reaches a listener.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// unspecified reports whether a listener has every address of the machine.
func unspecified(listen string) bool {
	host, _, _ := net.SplitHostPort(listen)
	a, err := netip.ParseAddr(host)
	return host == "" || err == nil && a.IsUnspecified()
}
