package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/nameserver"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Mode is how client connections reach an intake.
type Mode string

const (
	// Explicit is a proxy that clients are configured to use: HTTP CONNECT,
	// absolute-form HTTP and SOCKS5 on one port.
	Explicit Mode = "explicit"
	// Static sends every connection to one origin.
	Static Mode = "static"
	// TProxy takes connections that are routed through this machine; the origin
	// sees the client's address.
	TProxy Mode = "tproxy"
	// Redirect takes connections that are routed through this machine by address
	// translation; the origin sees this machine's address.
	Redirect Mode = "redirect"
	// Wire is a bump in the wire: two interfaces without addresses, between which
	// everything passes that is not selected.
	Wire Mode = "wire"
	// DNS forwards queries and takes out of answers what lets clients hide server
	// names. No session comes of it.
	DNS Mode = "dns"
)

// KeyFiles are the files of a certificate and its key.
type KeyFiles struct{ Certificate, Key string }

// Intake is one way into the appliance. Of the options by mode, those of its own mode
// count. They lack what is not configured: loggers, who decides, certificates that are
// loaded.
type Intake struct {
	Name string // unique among intakes
	Mode Mode

	Proxy    intake.Explicit
	Static   intake.Static
	TProxy   intake.TProxy
	Redirect intake.Redirect
	Wire     wire.Config
	DNS      nameserver.Config

	// Certificates are PEM files of origins' own certificates and their keys, shown
	// in place of forged ones: inbound inspection. Static shows the one that suits
	// the hello, else the first; TProxy the one for the server name of an origin
	// that has proven it. Explicit: its own, by which clients connect to it.
	Certificates []KeyFiles
}

// options returns the options of the mode.
func (in *Intake) options() []any {
	switch in.Mode {
	case Explicit:
		return []any{&in.Proxy}
	case Static:
		return []any{&in.Static}
	case TProxy:
		return []any{&in.TProxy, &in.TProxy.Forwarded}
	case Redirect:
		return []any{&in.Redirect, &in.Redirect.Forwarded}
	case Wire:
		return []any{&in.Wire}
	}
	return []any{&in.DNS}
}

// Listen returns "ADDRESS:PORT"; an empty address means every address. It is empty for a
// wire.
func (in *Intake) Listen() string {
	switch in.Mode {
	case Explicit:
		return in.Proxy.Listen
	case Static:
		return in.Static.Listen
	case TProxy:
		return in.TProxy.Listen
	case Redirect:
		return in.Redirect.Listen
	case DNS:
		return in.DNS.Listen
	}
	return ""
}

// Forwarded returns what becomes of packets that the intake does not take, if the machine
// routes its traffic.
func (in *Intake) Forwarded() intake.Forwarded {
	switch in.Mode {
	case TProxy:
		return in.TProxy.Forwarded
	case Redirect:
		return in.Redirect.Forwarded
	}
	return intake.Forwarded{}
}

// QUIC returns what becomes of QUIC, "" in modes that see none.
func (in *Intake) QUIC() intake.QUIC {
	if in.Mode == Wire {
		return in.Wire.QUIC
	}
	return in.Forwarded().QUIC
}

// ports returns the ports that the intake takes of all traffic that it sees.
func (in *Intake) ports() []policy.PortRange {
	switch in.Mode {
	case TProxy:
		return in.TProxy.Ports
	case Redirect:
		return in.Redirect.Ports
	}
	return in.Wire.Ports
}

func (r *reader) intakes(t *table) []Intake {
	n := t.get("intake")
	if n == nil {
		t.missing("intake", ": no connection could reach the appliance; base: default has a proxy")
		return nil
	}
	items := r.list(n, "intake")
	if n.kind() == list && len(items) == 0 {
		r.fail(n.place(), "intake: list is empty: no connection could reach the appliance")
	}
	names := make(map[string]int, len(items))
	intakes := make([]Intake, 0, len(items))
	for _, item := range items {
		intakes = append(intakes, r.intake(item, names))
	}
	return intakes
}

func (r *reader) intake(n *node, names map[string]int) (in Intake) {
	t := r.table(n, "intake")
	in.Name = unique(t, "intake", names)
	in.Mode = required(t, "mode", oneOf(Explicit, Static, TProxy, Redirect, Wire, DNS))
	if in.Mode == "" {
		t.accept(keysOf("intake[]", "", false)...)
		t.close()
		return in
	}
	switch in.Mode {
	case Explicit:
		r.ownCertificate(t, &in)
	case Static:
		r.proxyProtocol(t, &in)
		r.ownCertificates(t, &in)
	case TProxy:
		r.ownCertificates(t, &in)
	case Wire:
		in.Wire.Legs = r.legs(t)
	}
	t.fill("intake[]", string(in.Mode), in.options()...)
	if l := in.Listen(); l != "" {
		r.listens(t, "listen", "intake "+in.Name, l)
	}
	r.together(t, &in)
	t.foreign("mode "+string(in.Mode), keysOf("intake[]", string(in.Mode), false)...)
	t.close()
	return in
}

// together checks keys that depend on each other.
func (r *reader) together(t *table, in *Intake) {
	if in.Forwarded().Strays == intake.ResetStrays && !t.has("ports") {
		r.fail(t.place("strays"), "strays: reset needs ports: without them, answers of servers behind the interfaces of from would be reset")
	}
	if host, _, err := net.SplitHostPort(in.DNS.Listen); err == nil && host == "" {
		r.fail(t.place("listen"), "listen: want the address at which clients ask, so that answers come from it")
	}
	for _, u := range in.DNS.Upstream {
		if u.String() == in.DNS.Listen {
			r.fail(t.place("upstream"), "upstream: %s is this intake itself", u)
		}
	}
	if len(in.DNS.Strip) > 1 && slices.Contains(in.DNS.Strip, nameserver.Records) {
		r.fail(t.place("strip"), "strip: records takes away what the others name: write it alone")
	}
}

// ownCertificates reads one pair of files, and a list of more.
func (r *reader) ownCertificates(t *table, in *Intake) {
	r.ownCertificate(t, in)
	for _, item := range r.list(t.get("certificates"), "certificates") {
		one := r.table(item, "certificates")
		if !one.has("certificate") && !one.has("key") {
			one.missing("certificate", "")
		}
		r.ownCertificate(one, in)
		one.close()
	}
}

// ownCertificate reads one pair of files.
func (r *reader) ownCertificate(t *table, in *Intake) {
	if cert, key := r.keyPair(t, "certificate", "key", false); cert != "" && key != "" {
		in.Certificates = append(in.Certificates, KeyFiles{cert, key})
	}
}

// proxyProtocol reads whose headers are taken and which are sent.
func (r *reader) proxyProtocol(t *table, in *Intake) {
	p := r.table(t.get("proxy_protocol"), "proxy_protocol")
	p.fill("intake[].proxy_protocol", "", &in.Static)
	p.close()
}

// parseServer accepts the address of a name server, with a port or without.
func parseServer(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(a, 53), nil
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Port() == 0 {
		return netip.AddrPort{}, fmt.Errorf("want the address of a name server such as 192.0.2.53 or [2001:db8::53]:53, not %q", s)
	}
	return a, nil
}

// legs reads two interfaces, the clients' first.
func (r *reader) legs(t *table) (two [2]string) {
	legs := values(t, "legs", nil, parseInterface)
	switch {
	case !t.has("legs"):
		t.missing("legs", "")
	case len(legs) != 2 || legs[0] == legs[1]:
		r.fail(t.place("legs"), "legs: want two different interfaces, the one toward clients first")
	default:
		two = [2]string(legs)
	}
	return two
}
