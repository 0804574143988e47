package appliance

import (
	"context"
	"slices"
	"time"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// openWire opens a bump in the wire.
func (a *Appliance) openWire(c config.Intake, o intake.Options) (intake.Intake, error) {
	w := wire.Config{
		Legs:     c.Legs,
		Stall:    c.Stall,
		Open:     !c.Strict,
		Grace:    c.Grace,
		Sessions: a.cfg.Limits.Sessions,
		Exempt:   a.exempt(a.engine.Load()),
		Copy:     a.copies(c),
		Ports:    c.Ports,
		Decide: func(in *decrypt.Incoming, flight []byte) wire.Decision {
			in.Intake = c.Name
			return a.foresee(in, flight)
		},
		Dropped: func(d wire.Drops) {
			a.audit.Write(audit.Dropped(c.Name, d.Cause, d.Frames, d.Since, d.Until))
		},
	}
	if c.Takeover == config.AcceptTakeover {
		w.Takeover = wire.Accept
	}
	if c.Down == config.DownBlock {
		w.Down = wire.Block
	}
	if c.Link == config.BothLink {
		w.Link = wire.Both
	}
	if a.cfg.Limits.Overload == config.TunnelOverload {
		w.Overload = wire.Tunneled
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
	a.wires = append(a.wires, in)
	return in, nil
}

// wireStart is how long a start waits for wires to take connections.
const wireStart = 10 * time.Second

// awaitWires waits until the rules hold on every wire, or ctx ends. It returns false
// if that takes too long.
func (a *Appliance) awaitWires(ctx context.Context) bool {
	limit := time.After(wireStart)
	for _, w := range a.wires {
		select {
		case <-w.Taking():
		case <-ctx.Done():
		case <-a.killed.Done():
		case <-limit:
			return false
		}
	}
	return true
}

// exempt returns what wires need not ask the policy about. They ask about what
// exceeds their bound.
func (a *Appliance) exempt(g *generation) wire.Exempt {
	clients, origins := g.policy.TunnelByAddress()
	if n := len(clients) + len(origins); n > wire.MaxExempt {
		a.log.Warn("too many exempt addresses for a wire: it asks the policy about the rest", "addresses", n, "limit", wire.MaxExempt)
		clients = clients[:min(len(clients), wire.MaxExempt)]
		origins = origins[:min(len(origins), wire.MaxExempt-len(clients))]
	}
	return wire.Exempt{Clients: clients, Origins: origins}
}

// copies returns which frames that a wire passes go to a mirror port. Only one
// port gets them: the first that takes any.
func (a *Appliance) copies(c config.Intake) wire.Copy {
	var to wire.Copy
	for _, m := range a.cfg.Mirrors {
		if m.Kind != config.Interface {
			continue
		}
		wants := wire.Copy{
			To:       m.Interfaces[0],
			Plain:    slices.Contains(m.Content, config.Plain) && len(c.Ports) > 0, // else every port is selected
			Tunneled: slices.Contains(m.Content, config.Tunneled),
			Other:    slices.Contains(m.Content, config.Other),
		}
		switch {
		case !wants.Plain && !wants.Tunneled && !wants.Other:
		case to.To == "":
			to = wants
		default:
			a.log.Warn("wire copies passed frames to one mirror port only", "intake", c.Name, "mirror", m.Name, "iface", to.To)
		}
	}
	return to
}

// foresee decides for a wire whether a connection is left alone. One that is, is
// accounted for here: nobody else hears of it.
func (a *Appliance) foresee(in *decrypt.Incoming, flight []byte) wire.Decision {
	engine := a.engine.Load()
	switch action, more := engine.Preview(in, flight); {
	case more:
		return wire.NeedMore
	case action == policy.Tunnel:
		a.metrics.SessionOpened(in.Intake)
		engine.Account(in, flight)
		return wire.Pass
	}
	return wire.Take
}
