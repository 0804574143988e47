package inline

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// Carry implements [decrypt.Service].
func (d *Device) Carry(ctx context.Context, s *decrypt.Session, client, origin decrypt.End) error {
	if !d.Up() {
		return d.failSession(s, client, origin, errDown)
	}
	port := s.Origin.Port()
	if d.config.Port != 0 {
		port = d.config.Port
	} else if d.config.ClearPort != nil {
		port = d.config.ClearPort(s)
	}
	from, to := sameFamily(s.Client, netip.AddrPortFrom(s.Origin.Addr(), port))
	through, err := d.dial(ctx, from, to)
	switch {
	case err == nil:
	case errors.Is(err, errReset):
		d.countOutcome(s, Reset)
		return &failure{reasonReset, err}
	case ctx.Err() != nil:
		d.countOutcome(s, Broken)
		return ctx.Err()
	default:
		if errors.Is(err, context.DeadlineExceeded) {
			d.requestProbe() // it may be down
		}
		return d.failSession(s, client, origin, err)
	}
	d.lastConnection.Store(time.Now().UnixNano())
	d.counters.open.Add(1)
	defer d.counters.open.Add(-1)
	t := &transfer{
		client: client, origin: origin, clientPort: through.clientPort, originPort: through.originPort,
		ended: make(chan pathEnd, paths), closeWait: closeWaitFactor * d.config.Timeout,
	}
	err = t.run(ctx, d.ctx)
	word := t.outcome
	if word == Carried && through.portChanged {
		word = PortChanged
	}
	d.countOutcome(s, word)
	return err
}

// failSession does what is configured for a session that the device has seen nothing of.
func (d *Device) failSession(s *decrypt.Session, client, origin decrypt.End, err error) error {
	if d.config.FailOpen {
		d.log.Debug("session bypasses the device", "session", s.ID, "err", err)
		d.countOutcome(s, Bypassed)
		return bypass(client, origin)
	}
	d.countOutcome(s, Refused)
	return &failure{reasonFailed, err}
}
