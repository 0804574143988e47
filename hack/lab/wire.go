package lab

import (
	"net"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Addresses of a [Wire]: client and origin are neighbours.
const (
	WireClientV4 = "192.0.2.2"
	WireClientV6 = "2001:db8:2::2"
)

// MACs of the ends of a [Wire].
var (
	WireClientMAC = net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, 0x11}
	WireOriginMAC = net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, 0x14}
)

// Wire is the network in which the appliance is a cable between two ports that
// have no address:
//
//	client eth0 -- lan0 box wan0 -- eth0 origin
//
// Client and origin share one IPv4 and one IPv6 network. They reach each other
// as soon as something in the box passes frames between its ports.
type Wire struct {
	Lab                 *netlab.Lab
	Client, Box, Origin *netlab.Namespace
}

// NewWire builds the network in an empty lab, which takes it away again.
func NewWire(l *netlab.Lab) (*Wire, error) {
	w := &Wire{Lab: l}
	for _, n := range []struct {
		name string
		to   **netlab.Namespace
	}{{"client", &w.Client}, {"box", &w.Box}, {"origin", &w.Origin}} {
		var err error
		if *n.to, err = l.Namespace(n.name); err != nil {
			return nil, err
		}
	}
	if err := w.Plug(); err != nil {
		return nil, err
	}
	return w, plainPorts(w.Client)
}

// Plug makes both links, as [NewWire] does. It is for the time after their end in the box
// has gone.
func (w *Wire) Plug() error {
	for _, link := range [][2]netlab.End{{
		{Namespace: w.Client, Name: ClientInterface, MAC: WireClientMAC, Addresses: hosts(WireClientV4, WireClientV6)},
		{Namespace: w.Box, Name: LANInterface, MAC: net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, 0x12}},
	}, {
		{Namespace: w.Box, Name: WANInterface, MAC: net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, 0x13}},
		{Namespace: w.Origin, Name: OriginInterface, MAC: WireOriginMAC, Addresses: hosts(OriginV4, OriginV6)},
	}} {
		if err := w.Lab.Link(link[0], link[1], netlab.LinkOptions{}); err != nil {
			return err
		}
	}
	return nil
}
