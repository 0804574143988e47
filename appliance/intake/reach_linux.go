package intake

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/decrypt/policy"
)

var (
	errLocal = errors.New("destination is on this box or its link")
	errPort  = errors.New("port is not one that clients may reach")
)

// Explicit describes a proxy that clients are configured to use.
type Explicit struct {
	Listen string // host:port or :port

	// From are the networks of clients that are served; nil: those with private,
	// link-local and loopback addresses. Clients on this box are always served.
	From []netip.Prefix
	// Reach are addresses that clients of other machines may reach although they
	// belong to this box or its link. It opens no listener of the appliance.
	Reach []netip.Prefix
	// Ports are what CONNECT and SOCKS lead to. Nil: every port if the listener has
	// a loopback address, else every port but 25. A request for http:// may name
	// every port, but 25 only if CONNECT may.
	Ports []policy.PortRange

	// Certificates are those of the proxy itself: clients connect to it by TLS. None:
	// they connect in the clear.
	Certificates []tls.Certificate
}

// smtp is what proxies are misused for, to send mail under the proxy's address.
const smtp = 25

// ports returns c.Ports or what stands for it.
func (c Explicit) ports(listener net.Addr) []policy.PortRange {
	switch {
	case c.Ports != nil:
		return c.Ports
	case addrPort(listener).Addr().IsLoopback():
		return []policy.PortRange{{First: 1, Last: 65535}}
	}
	return []policy.PortRange{{First: 1, Last: smtp - 1}, {First: smtp + 1, Last: 65535}}
}

func contains(ranges []policy.PortRange, port uint16) bool {
	return slices.ContainsFunc(ranges, func(r policy.PortRange) bool { return r.First <= port && port <= r.Last })
}

// served reports whether the intake serves a client.
func (c Explicit) served(client netip.Addr) bool {
	switch {
	case c.From != nil:
		if slices.ContainsFunc(c.From, func(p netip.Prefix) bool { return p.Contains(client) }) {
			return true
		}
	case client.IsPrivate() || client.IsLinkLocalUnicast():
		return true
	}
	on, _ := isLocal(client)
	return on
}

// destinationGuard says where clients of other machines must not go.
type destinationGuard struct{ reach []netip.Prefix }

// permit returns an error if client, of another machine, must not reach an address
// that belongs to this box, or to its link alone. The zero client is the operator,
// who wrote the address down.
func (b destinationGuard) permit(client, to netip.Addr) error {
	to = to.Unmap()
	if !client.IsValid() || slices.ContainsFunc(b.reach, func(p netip.Prefix) bool { return p.Contains(to) }) {
		return nil
	}
	if !isSpecial(to) && !isSpecial(embeddedIPv4(to)) {
		if on, err := isLocal(to); err != nil {
			return err // better refuse a destination than open this box
		} else if !on {
			return nil
		}
	}
	if on, _ := isLocal(client); on {
		return nil
	}
	return errLocal
}

// metadataServices are the addresses at which clouds tell a machine its secrets, apart
// from 169.254.0.0/16.
var metadataServices = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // Amazon
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("168.63.129.16"),   // Azure
}

// unspecifiedBlock is the block that begins with the unspecified address (RFC 6890).
var unspecifiedBlock = netip.MustParsePrefix("0.0.0.0/8")

// isSpecial reports whether an address never belongs to another machine that clients
// of a proxy may ask for. The zero address is not special.
func isSpecial(a netip.Addr) bool {
	a = a.WithZone("")
	return a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.IsMulticast() ||
		unspecifiedBlock.Contains(a) || slices.Contains(metadataServices, a)
}

// Prefixes of IPv6 addresses that hold an IPv4 address, which a translator on the
// way, or this box, takes out.
var (
	compatible = netip.MustParsePrefix("::/96")        // RFC 4291, Section 2.5.5.1
	nat64      = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052, Section 2.1
	sixToFour  = netip.MustParsePrefix("2002::/16")    // RFC 3056, Section 2
)

// embeddedIPv4 returns the IPv4 address within an IPv6 address, else the zero address.
func embeddedIPv4(a netip.Addr) netip.Addr {
	octets := a.As16()
	switch {
	case compatible.Contains(a), nat64.Contains(a):
		return netip.AddrFrom4([4]byte(octets[12:]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(octets[2:]))
	}
	return netip.Addr{}
}

// routeHandle is one netlink socket for all look-ups, which are short, and take turns.
var routeHandle = sync.OnceValues(func() (*netlink.Handle, error) { return netlink.NewHandle(unix.NETLINK_ROUTE) })

// isLocal reports whether the kernel takes an address for one of this box: of an
// interface, or of a route of type local.
func isLocal(a netip.Addr) (bool, error) {
	if a.IsLoopback() {
		return true, nil
	}
	h, err := routeHandle()
	if err != nil {
		return false, fmt.Errorf("ask the kernel whose address %s is: %w", a, err)
	}
	found, err := h.RouteGet(a.WithZone("").AsSlice())
	switch {
	case err == nil:
		return slices.ContainsFunc(found, func(r netlink.Route) bool { return r.Type == unix.RTN_LOCAL }), nil
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EACCES), errors.Is(err, unix.EINVAL):
		return false, nil // nobody gets there
	}
	return false, fmt.Errorf("ask the kernel whose address %s is: %w", a, err)
}
