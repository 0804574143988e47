package lab

import (
	"errors"
	"net"

	"github.com/clearspan/clearspan/hack/netlab"
)

// NewInline builds the network of a [Wire] with a recorder beside it: a [Gateway]
// whose box has no addresses and whose client and origin are neighbours.
//
//	client eth0 -- lan0 box wan0 -- eth0 origin
//	                    mirror0 -- rec0 recorder
func NewInline(l *netlab.Lab) (*Gateway, error) {
	w, err := NewWire(l)
	if err != nil {
		return nil, err
	}
	g := &Gateway{Lab: l, Client: w.Client, Box: w.Box, Origin: w.Origin}
	if g.Recorder, err = l.Namespace("recorder"); err != nil {
		return nil, err
	}
	return g, g.addMirror()
}

// addMirror joins box and recorder by a mirror port without addresses, on which
// frames arrive as they are sent.
func (g *Gateway) addMirror() error {
	mac := func(last byte) net.HardwareAddr { return net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, last} }
	err := g.Lab.Link(
		netlab.End{Namespace: g.Box, Name: MirrorInterface, MAC: mac(5), Silent: true},
		netlab.End{Namespace: g.Recorder, Name: RecorderInterface, MAC: mac(6), Silent: true},
		netlab.LinkOptions{})
	if err != nil {
		return err
	}
	return errors.Join(
		g.Box.SetOffload(MirrorInterface, false, netlab.TXChecksum, netlab.TSO, netlab.GSO),
		g.Recorder.SetOffload(RecorderInterface, false, netlab.TXChecksum, netlab.TSO, netlab.GSO, netlab.GRO),
	)
}
