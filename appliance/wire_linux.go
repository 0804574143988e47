package appliance

import (
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// openWire opens a bump in the wire.
func (a *Appliance) openWire(c config.Intake, o intake.Options) (intake.Intake, error) {
	w := wire.Config{
		Legs: c.Legs,
		Decide: func(in *decrypt.Incoming, flight []byte) wire.Verdict {
			in.Intake = c.Name
			return a.foresee(in, flight)
		},
	}
	for _, r := range c.Ports {
		w.Ports = append(w.Ports, wire.Range{First: r.First, Last: r.Last})
	}
	if c.Takeover == config.AcceptTakeover {
		w.Takeover = wire.Accept
	}
	if c.Down == config.DownBlock {
		w.Down = wire.Block
	}
	if c.QUIC == config.BlockQUIC {
		w.QUIC = wire.Refuse
	}
	in, err := wire.New(w, o)
	if err != nil {
		return nil, err
	}
	if err := a.metrics.WirePaths(c.Name, in.Counters); err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// foresee decides for a wire whether a connection is left alone. One that is, is
// accounted for here: nobody else hears of it.
func (a *Appliance) foresee(in *decrypt.Incoming, flight []byte) wire.Verdict {
	engine := a.engine.Load()
	switch action, more := engine.Foresee(in, flight); {
	case more:
		return wire.More
	case action == policy.Tunnel:
		a.metrics.SessionOpened(in.Intake)
		engine.Bypass(in, flight)
		return wire.Pass
	}
	return wire.Take
}
