package lab

import (
	"context"
	"fmt"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Interfaces of the box that a device hangs between, see [Gateway.AddDevice].
const (
	NearInterface = "chain0" // toward clients
	FarInterface  = "chain1"
)

// AddDevice joins the box to a namespace that is to be an inline device:
//
//	box chain0 -- dev0 device dev1 -- chain1 box
//
// Nothing is in the device yet. Its ports say nothing of their own.
func (g *Gateway) AddDevice() (*netlab.Namespace, error) {
	device, err := g.Lab.Namespace("device")
	if err != nil {
		return nil, err
	}
	// A leg that comes back to the box has the namespace's defaults.
	if err := g.Box.Sysctl("net/ipv6/conf/default/disable_ipv6", "1"); err != nil {
		return nil, err
	}
	for i, leg := range []string{NearInterface, FarInterface} {
		err := g.Lab.Link(netlab.End{Namespace: g.Box, Name: leg, Silent: true},
			netlab.End{Namespace: device, Name: fmt.Sprintf("dev%d", i), Silent: true}, netlab.LinkOptions{})
		if err != nil {
			return nil, err
		}
	}
	return device, nil
}

// Bridge makes a device a bridge.
func Bridge(ctx context.Context, device *netlab.Namespace) error {
	for _, args := range [][]string{
		{"link", "add", "name", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0"},
		{"link", "set", "dev", "dev0", "master", "br0"},
		{"link", "set", "dev", "dev1", "master", "br0"},
		{"link", "set", "dev", "br0", "up"},
	} {
		if _, err := Run(ctx, device, "", "ip", args...); err != nil {
			return err
		}
	}
	return nil
}

// NFT gives a namespace rules for nftables.
func NFT(ctx context.Context, ns *netlab.Namespace, rules string) error {
	_, err := Run(ctx, ns, rules, "nft", "-f", "-")
	return err
}
