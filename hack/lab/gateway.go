package lab

import (
	"errors"
	"net"
	"net/netip"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Addresses of a [Gateway], from the ranges for documentation.
const (
	ClientV4 = "198.51.100.2"
	ClientV6 = "2001:db8:51::2"
	OriginV4 = "192.0.2.10"
	OriginV6 = "2001:db8:2::10"

	// Of the box: towards the client and towards the origin.
	BoxLANV4 = "198.51.100.1"
	BoxLANV6 = "2001:db8:51::1"
	BoxWANV4 = "192.0.2.1"
	BoxWANV6 = "2001:db8:2::1"
)

// Interfaces of a [Gateway].
const (
	ClientInterface   = "eth0"
	LANInterface      = "lan0" // of the box, towards the client
	WANInterface      = "wan0" // of the box, towards the origin
	OriginInterface   = "eth0"
	MirrorInterface   = "mirror0" // of the box, towards the recorder
	RecorderInterface = "rec0"
)

// Gateway is the network in which the appliance is the client's router:
//
//	client eth0 -- lan0 box wan0 -- eth0 origin
//	                    mirror0 -- rec0 recorder
//
// Client and origin reach each other over the box by IPv4 and IPv6. The mirror
// port has no addresses and is silent; what is sent on it arrives as it is.
type Gateway struct {
	Lab                           *netlab.Lab
	Client, Box, Origin, Recorder *netlab.Namespace
}

// NewGateway builds the network in an empty lab, which takes it away again.
func NewGateway(l *netlab.Lab) (*Gateway, error) {
	g := &Gateway{Lab: l}
	for _, n := range []struct {
		name string
		to   **netlab.Namespace
	}{{"client", &g.Client}, {"box", &g.Box}, {"origin", &g.Origin}, {"recorder", &g.Recorder}} {
		var err error
		if *n.to, err = l.Namespace(n.name); err != nil {
			return nil, err
		}
	}
	mac := func(last byte) net.HardwareAddr { return net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, last} }
	lan := [2]netlab.End{
		{Namespace: g.Client, Name: ClientInterface, MAC: mac(1), Addresses: hosts(ClientV4, ClientV6)},
		{Namespace: g.Box, Name: LANInterface, MAC: mac(2), Addresses: hosts(BoxLANV4, BoxLANV6)},
	}
	wan := [2]netlab.End{
		{Namespace: g.Box, Name: WANInterface, MAC: mac(3), Addresses: hosts(BoxWANV4, BoxWANV6)},
		{Namespace: g.Origin, Name: OriginInterface, MAC: mac(4), Addresses: hosts(OriginV4, OriginV6)},
	}
	for _, link := range [][2]netlab.End{lan, wan} {
		if err := l.Link(link[0], link[1], netlab.LinkOptions{}); err != nil {
			return nil, err
		}
	}
	return g, errors.Join(
		plainPorts(g.Client),
		plainPorts(g.Box),
		plainPorts(g.Origin), // servers of tests listen below
		g.Box.Forward(),
		g.Client.Route(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr(BoxLANV4)),
		g.Client.Route(netip.MustParsePrefix("::/0"), netip.MustParseAddr(BoxLANV6)),
		// No default route: the origin has no other neighbours, and a look-up of
		// names there fails at once.
		g.Origin.Route(network(ClientV4), netip.MustParseAddr(BoxWANV4)),
		g.Origin.Route(network(ClientV6), netip.MustParseAddr(BoxWANV6)),
		g.addMirror(),
	)
}

// plainPorts has the connections of a namespace begin at ports for which tshark
// has no dissector: it would take a client's for a service's.
func plainPorts(ns *netlab.Namespace) error {
	return ns.Sysctl("net.ipv4.ip_local_port_range", "49152 56999")
}

// hosts returns the addresses with the lengths of their networks, 24 and 64.
func hosts(addresses ...string) (list []netip.Prefix) {
	for _, s := range addresses {
		a := netip.MustParseAddr(s)
		bits := 24
		if a.Is6() {
			bits = 64
		}
		list = append(list, netip.PrefixFrom(a, bits))
	}
	return list
}

// network returns the network of a host address.
func network(address string) netip.Prefix { return hosts(address)[0].Masked() }
