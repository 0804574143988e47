package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

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

// StripDNS is what answers lose of SVCB and HTTPS records.
type StripDNS string

const (
	StripECH    StripDNS = "ech"     // the keys of Encrypted Client Hello
	StripH3     StripDNS = "h3"      // the offer of HTTP/3
	StripRecord StripDNS = "records" // all of them
)

// Takeover is when a wire takes a connection.
type Takeover string

const (
	LateTakeover   Takeover = "late"   // at the client's first payload, after the real handshake
	AcceptTakeover Takeover = "accept" // at the SYN
)

// Down is what becomes of selected connections while the appliance is not
// there to take them.
type Down string

const (
	DownWire  Down = "wire"  // they pass; Wire only
	DownPass  Down = "pass"  // they are routed past; TProxy and Redirect only
	DownBlock Down = "block" // their frames are dropped
)

// Link is what becomes of a leg of a wire while the other one has no carrier.
type Link string

const (
	EachLink Link = "each" // it stays up
	BothLink Link = "both" // it is taken down
)

// Strays is what becomes of packets of connections that an intake does not have.
type Strays string

const (
	PassStrays  Strays = "pass"
	ResetStrays Strays = "reset" // answered with a reset, if they come from clients
)

// QUIC is what becomes of QUIC, which is never decrypted.
type QUIC string

const (
	BlockQUIC QUIC = "block" // answered with ICMP, so that clients turn to TCP at once
	PassQUIC  QUIC = "pass"  // unless the policy terminates it
)

// KeyFiles are the files of a certificate and its key.
type KeyFiles struct{ Certificate, Key string }

// ProxyVersion is a version of the PROXY protocol.
type ProxyVersion string

// ProxyVersions are those that are known, in order.
var ProxyVersions = []ProxyVersion{"v1", "v2"}

// Intake is one way into the appliance.
type Intake struct {
	Name string // unique among intakes
	Mode Mode
	// Listen is "ADDRESS:PORT"; an empty address means every address. Not for
	// Wire.
	Listen string

	// Origin is "HOST:PORT" of the only origin. Static only, required.
	Origin string
	// SNI is the server name for the origin when a client's hello has none.
	// Static only; may be empty.
	SNI string
	// Certificates are PEM files of origins' own certificates and their keys, shown
	// in place of forged ones: inbound inspection. Static shows the one that suits
	// the hello, else the first; TProxy the one for the server name of an origin
	// that has proven it.
	Certificates []KeyFiles
	// ProxyFrom are load balancers that begin connections with a header of the
	// PROXY protocol. Static only.
	ProxyFrom []netip.Prefix
	// ProxySend is the version of that header that origins get, "" for none. Static
	// only.
	ProxySend ProxyVersion

	// Clients are the networks whose clients are served; nil: those with private,
	// link-local and loopback addresses. Explicit and DNS only.
	Clients []netip.Prefix
	// Reach are addresses of this machine and its link that clients of other machines
	// may reach. Explicit only.
	Reach []netip.Prefix
	// ConnectPorts are what CONNECT and SOCKS lead to; nil: every port, but 25 only if
	// Listen has a loopback address. Explicit only.
	ConnectPorts []policy.PortRange

	// Upstream are the servers that are asked, in order. DNS only, at least one. The
	// next two are for DNS only, too.
	Upstream []netip.AddrPort
	Strip    []StripDNS    // default ech
	Timeout  time.Duration // for each server. Default 2s

	// From are the interfaces on which connections are taken. TProxy and Redirect
	// only, at least one.
	From []string
	// Ports are the destination ports that are taken; nil means every port.
	// TProxy, Redirect and Wire only.
	Ports []policy.PortRange
	Down  Down // default wire for Wire, pass for the others
	QUIC  QUIC // default block
	// Strays is for TProxy and Redirect only. Default pass.
	Strays Strays

	// Legs are the two interfaces of a wire, the clients' first. Wire only,
	// required. The next five are for Wire only, too.
	Legs     [2]string
	Takeover Takeover // default late
	Link     Link     // default each
	// Stall is how long the appliance may stand still before the wire counts as
	// down. Default 100ms.
	Stall time.Duration
	// Strict has frames of selected connections dropped that cannot be judged, while
	// the appliance is there. Default true.
	Strict bool
	// Grace is how long connections are let pass that are older than the wire.
	// Default 10s.
	Grace time.Duration
}

// intakes reads the list of intakes, of which there must be at least one.
func (r *reader) intakes(t *table) []Intake {
	n := t.get("intake")
	if n == nil {
		t.missing("intake", ": no connection could reach the appliance")
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
	if in.Mode != Wire {
		in.Listen = required(t, "listen", parseListen)
		r.listens(t, "listen", "intake "+in.Name, in.Listen)
	}
	switch in.Mode {
	case Explicit:
		in.Clients = values(t, "from", nil, parsePrefix)
	case Static:
		r.proxyProtocol(t, &in)
		r.ownCertificates(t, &in)
	case TProxy:
		r.ownCertificates(t, &in)
	case Wire:
		r.legs(t, &in)
	case DNS:
		in.Clients = values(t, "from", nil, parsePrefix)
	}
	t.fill("intake[]", string(in.Mode), &in)
	r.together(t, &in)
	t.foreign("mode "+string(in.Mode), keysOf("intake[]", string(in.Mode), false)...)
	t.close()
	return in
}

// together checks keys that depend on each other.
func (r *reader) together(t *table, in *Intake) {
	if in.Strays == ResetStrays && !t.has("ports") {
		r.fail(t.place("strays"), "strays: reset needs ports: without them, answers of servers behind the interfaces of from would be reset")
	}
	if in.Mode != DNS {
		return
	}
	if host, _, err := net.SplitHostPort(in.Listen); err == nil && host == "" {
		r.fail(t.place("listen"), "listen: want the address at which clients ask, so that answers come from it")
	}
	for _, u := range in.Upstream {
		if u.String() == in.Listen {
			r.fail(t.place("upstream"), "upstream: %s is this intake itself", u)
		}
	}
	if len(in.Strip) > 1 && slices.Contains(in.Strip, StripRecord) {
		r.fail(t.place("strip"), "strip: records takes away what the others name: write it alone")
	}
}

// ownCertificates reads one pair of files, and a list of more.
func (r *reader) ownCertificates(t *table, in *Intake) {
	pair := func(t *table) {
		if cert, key := r.keyPair(t, "certificate", "key", false); cert != "" && key != "" {
			in.Certificates = append(in.Certificates, KeyFiles{cert, key})
		}
	}
	pair(t)
	for _, item := range r.list(t.get("certificates"), "certificates") {
		one := r.table(item, "certificates")
		if !one.has("certificate") && !one.has("key") {
			one.missing("certificate", "")
		}
		pair(one)
		one.close()
	}
}

// proxyProtocol reads whose headers are taken and which are sent.
func (r *reader) proxyProtocol(t *table, in *Intake) {
	p := r.table(t.get("proxy_protocol"), "proxy_protocol")
	in.ProxyFrom = values(p, "from", nil, parsePrefix)
	in.ProxySend = value(p, "send", "", oneOf(ProxyVersions...))
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

// legs reads the two interfaces of a wire.
func (r *reader) legs(t *table, in *Intake) {
	legs := values(t, "legs", nil, parseInterface)
	switch {
	case !t.has("legs"):
		t.missing("legs", "")
	case len(legs) != 2:
		r.fail(t.place("legs"), "legs: want two interfaces, the clients' first, not %d", len(legs))
	case legs[0] == legs[1]:
		r.fail(t.place("legs"), "legs: want two different interfaces")
	default:
		in.Legs = [2]string(legs)
	}
}
