package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// parsePort accepts a TCP port from 1 to 65535.
func parsePort(s string) (uint16, error) {
	v, err := strconv.ParseUint(s, 10, 16)
	if err != nil || v == 0 {
		return 0, fmt.Errorf("want a port from 1 to 65535, not %q", s)
	}
	return uint16(v), nil
}

// parsePorts accepts a port or a range such as "8000-8100".
func parsePorts(s string) (policy.PortRange, error) {
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	a, err := parsePort(strings.TrimSpace(first))
	if err != nil {
		return policy.PortRange{}, err
	}
	b, err := parsePort(strings.TrimSpace(last))
	if err != nil {
		return policy.PortRange{}, err
	}
	if a > b {
		return policy.PortRange{}, fmt.Errorf("range %q runs backwards", s)
	}
	return policy.PortRange{First: a, Last: b}, nil
}

// parsePrefix accepts a network in CIDR notation or a single address.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("want an address or a network such as 10.0.0.0/8, not %q", s)
	}
	if p.Masked() != p {
		return netip.Prefix{}, fmt.Errorf("%q has bits set behind the prefix, want %v", s, p.Masked())
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("want the network %q in IPv4 notation", s)
	}
	return p, nil
}

// parseListen accepts "ADDRESS:PORT" of a listener. The address is an IP
// address, "localhost", or empty for every address; port 0 lets the kernel
// choose.
func parseListen(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("want an address and port such as 127.0.0.1:8080, not %q", s)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%q is not a port", port)
	}
	if host != "" && host != "localhost" {
		if _, err := netip.ParseAddr(host); err != nil {
			return "", fmt.Errorf("%q is not an IP address", host)
		}
	}
	return s, nil
}

// parseAddress accepts the IP address of one host.
func parseAddress(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if a = a.Unmap(); err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("want the IP address of a host, not %q", s)
	}
	return a, nil
}

// parseRemote accepts the IP address of one host with or without a port; without,
// the port is 0.
func parseRemote(s string) (netip.AddrPort, error) {
	if a, err := parseAddress(s); err == nil {
		return netip.AddrPortFrom(a, 0), nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("want an address and port such as 192.0.2.1:4789, not %q", s)
	}
	a, err := parseAddress(host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	p, err := parsePort(port)
	return netip.AddrPortFrom(a, p), err
}

// parseHostPort accepts "HOST:PORT" to dial, an IP address or a DNS name.
func parseHostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("want a host and port such as www.example.test:443, not %q", s)
	}
	if _, err := parsePort(port); err != nil {
		return "", err
	}
	if _, err := netip.ParseAddr(host); err != nil {
		if _, err := parseHost(host); err != nil {
			return "", err
		}
	}
	return s, nil
}

// parseHost accepts a DNS name. Letters beyond ASCII pass: policy and resolver
// turn them to their IDNA form.
func parseHost(s string) (string, error) {
	name := strings.TrimSuffix(s, ".")
	if name == "" || len(name) > 253 {
		return "", errors.New("want a host name of 1 to 253 octets")
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 {
			return "", fmt.Errorf("%q is not a host name: labels have 1 to 63 octets", s)
		}
		if i := strings.IndexFunc(label, notInHost); i >= 0 {
			return "", fmt.Errorf("%q is not a host name", s)
		}
	}
	return s, nil
}

func notInHost(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c < 0x80
}

// parsePattern accepts a host name, "*." before one, or an IP address.
func parsePattern(s string) (string, error) {
	if _, err := netip.ParseAddr(s); err == nil {
		return s, nil
	}
	if s == "*" {
		return "", errors.New(`"*" stands for every host: leave host out`)
	}
	name, _ := strings.CutPrefix(s, "*.")
	if strings.Contains(name, "*") {
		return "", fmt.Errorf("%q: a star stands only as the first label", s)
	}
	if _, err := parseHost(name); err != nil {
		return "", err
	}
	return s, nil
}

// listener is an address that the appliance will listen on.
type listener struct {
	place
	owner string
	host  netip.Addr // invalid: every address
	port  string
}

// listens notes the listener that key of the table t names, and reports one
// whose address is taken. The address has passed parseListen, or is empty.
func (r *reader) listens(t *table, key, owner, address string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" {
		return
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	l := listener{place: t.place(key), owner: owner, port: port}
	if a, err := netip.ParseAddr(host); err == nil {
		l.host = a.Unmap()
	}
	for _, other := range r.listeners {
		if l.overlaps(other) {
			r.fail(l.place, "%s: %s is taken by %s", key, address, other.owner)
			return
		}
	}
	r.listeners = append(r.listeners, l)
}

// overlaps reports whether the second of two listeners could not bind.
func (l listener) overlaps(o listener) bool {
	if l.port != o.port {
		return false
	}
	covers := func(wide, narrow netip.Addr) bool {
		return !wide.IsValid() || wide == netip.IPv6Unspecified() || wide == narrow ||
			wide == netip.IPv4Unspecified() && narrow.Is4()
	}
	return covers(l.host, o.host) || covers(o.host, l.host)
}
