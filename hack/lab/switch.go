package lab

import (
	"context"
	"net/netip"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Ends of what [Gateway.AddSwitch] makes.
const (
	SwitchClientV4 = "198.18.0.2"
	SwitchOriginV4 = "198.18.0.3"
	SpanInterface  = "span0" // of the recorder: a port of the switch that has every frame
)

// AddSwitch joins client, origin and recorder by a switch, past the box:
//
//	client lan1 -- switch -- lan1 origin
//	                  |
//	              span0 recorder
//
// It sends each frame to all ports.
func (g *Gateway) AddSwitch(ctx context.Context) error {
	device, err := g.Lab.Namespace("switch")
	if err != nil {
		return err
	}
	address := func(a string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(a + "/24")} }
	for port, end := range map[string]netlab.End{
		"port0": {Namespace: g.Client, Name: "lan1", Addresses: address(SwitchClientV4)},
		"port1": {Namespace: g.Origin, Name: "lan1", Addresses: address(SwitchOriginV4)},
		"port2": {Namespace: g.Recorder, Name: SpanInterface, Silent: true},
	} {
		if err := g.Lab.Link(end, netlab.End{Namespace: device, Name: port, Silent: true}, netlab.LinkOptions{}); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"link", "add", "name", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0", "ageing_time", "0"},
		{"link", "set", "dev", "port0", "master", "br0"},
		{"link", "set", "dev", "port1", "master", "br0"},
		{"link", "set", "dev", "port2", "master", "br0"},
		{"link", "set", "dev", "br0", "up"},
	} {
		if _, err := Run(ctx, device, "", "ip", args...); err != nil {
			return err
		}
	}
	return nil
}
