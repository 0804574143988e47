package intakes

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
func (s *Set) openWire(c config.Intake, o intake.Options) (intake.Intake, error) {
	limits := s.cfg.Configuration.Limits
	w := c.Wire
	w.Join = s.cfg.Holder != nil // the keeper starts a process beside another one to replace it
	w.Sessions, w.Overload, w.Exempt, w.Copy = limits.Sessions, limits.Overload, s.exemptWire(), s.copies(c)
	w.Decide = func(in *decrypt.Incoming, flight []byte) wire.Decision {
		in.Intake = c.Name
		return s.preview(in, flight)
	}
	w.Dropped = func(d wire.Drops) {
		s.cfg.Book.Dropped(audit.Dropped(c.Name, d.Cause, d.Frames, d.Since, d.Until))
	}
	in, err := wire.New(w, o)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Metrics.WirePaths(c.Name, in.Counters); err != nil {
		in.Close()
		return nil, err
	}
	s.wires = append(s.wires, in)
	return in, nil
}

// wireStart is how long a start waits for wires to take connections.
const wireStart = 10 * time.Second

// AwaitWires waits until the rules hold on every wire, or ctx ends. It returns false
// if that takes too long.
func (s *Set) AwaitWires(ctx context.Context) bool {
	limit := time.After(wireStart)
	for _, w := range s.wires {
		select {
		case <-w.Taking():
		case <-ctx.Done():
		case <-limit:
			return false
		}
	}
	return true
}

// exemptWire returns what wires need not ask the policy about. They ask about what
// exceeds their bound.
func (s *Set) exemptWire() intake.Exempt {
	e, n := s.exempt(wire.MaxExempt)
	if n > wire.MaxExempt {
		s.log.Warn("too many exempt addresses for a wire: it asks the policy about the rest", "addresses", n, "limit", wire.MaxExempt)
	}
	return e
}

// copies returns which frames that a wire passes go to a mirror port. Only one
// port gets them: the first that takes any.
func (s *Set) copies(c config.Intake) wire.Copy {
	var to wire.Copy
	for _, m := range s.cfg.Configuration.Mirrors {
		if m.Kind != config.Interface {
			continue
		}
		wants := wire.Copy{
			To:       m.Interfaces[0],
			Plain:    slices.Contains(m.Content, decrypt.Plain.String()) && len(c.Wire.Ports) > 0, // else every port is selected
			Tunneled: slices.Contains(m.Content, decrypt.Tunneled.String()),
			Other:    slices.Contains(m.Content, config.Other),
		}
		switch {
		case !wants.Plain && !wants.Tunneled && !wants.Other:
		case to.To == "":
			to = wants
		default:
			s.log.Warn("wire copies passed frames to one mirror port only", "intake", c.Name, "mirror", m.Name, "iface", to.To)
		}
	}
	return to
}

// preview decides for a wire whether a connection is left alone. One that is, is
// accounted for here: nobody else hears of it.
func (s *Set) preview(in *decrypt.Incoming, flight []byte) wire.Decision {
	engine := s.cfg.Engine()
	switch action, more := engine.Preview(in, flight); {
	case more:
		return wire.NeedMore
	case action == policy.Tunnel:
		s.cfg.Book.Opened(in.Intake)
		engine.Account(in, flight)
		return wire.Pass
	}
	return wire.Take
}
