package inline

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// maxFailures is how many probes have to fail in a row.
const maxFailures = 2

// health is what is known of the device.
type health struct {
	carrier      [2]atomic.Bool // by leg
	unresponsive atomic.Bool    // probes do not come through
	failures     int            // in a row; belongs to the goroutine of watch
	changes      [2]chan netlink.LinkUpdate
	done         chan struct{} // closed by close
}

// close ends the subscriptions.
func (h *health) close() {
	if h.done == nil {
		return
	}
	close(h.done)
	for _, changes := range h.changes {
		go func() { // ends with the subscription, which must not wait for a reader
			for range changes {
			}
		}()
	}
}

// Up reports whether the device is thought to be at work: both legs have a
// carrier, and connections come through.
func (d *Device) Up() bool {
	h := &d.health
	return h.carrier[0].Load() && h.carrier[1].Load() && !h.unresponsive.Load()
}

// subscribe has the kernel tell of changes of the legs.
func (d *Device) subscribe() error {
	d.health.done = make(chan struct{})
	for i, p := range d.ports {
		d.health.changes[i] = make(chan netlink.LinkUpdate, 16)
		err := p.Do(func() error {
			return netlink.LinkSubscribe(d.health.changes[i], d.health.done)
		})
		if err != nil {
			return fmt.Errorf("watch leg %s: %w", p.link.Name, err)
		}
		d.health.carrier[i].Store(d.hasCarrier(i))
	}
	return nil
}

// hasCarrier reads whether a leg has a carrier.
func (d *Device) hasCarrier(i int) bool {
	link, err := d.ports[i].Links.LinkByIndex(d.ports[i].index)
	return err == nil && link.Attrs().RawFlags&(unix.IFF_UP|unix.IFF_RUNNING) == unix.IFF_UP|unix.IFF_RUNNING
}

// watch keeps what is known of the device up to date.
func (d *Device) watch(ctx context.Context) {
	interval := d.config.Probe.Interval
	var tick <-chan time.Time
	if interval > 0 {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		tick = ticker.C
		d.requestProbe()
	}
	changes := d.health.changes
	for {
		leg := -1
		var open bool
		select {
		case <-ctx.Done():
			return
		case _, open = <-changes[0]:
			leg = 0
		case _, open = <-changes[1]:
			leg = 1
		case <-tick:
			if d.Up() && d.provenWithin(interval) {
				continue
			}
			d.probe(ctx)
		case <-d.probeRequests:
			if interval > 0 {
				d.probe(ctx)
			}
		}
		if leg >= 0 && !open { // the kernel tells no more; read instead
			changes[leg] = nil
		}
		if leg >= 0 {
			d.carrierChanged(leg)
		}
	}
}

// requestProbe has the device tried soon.
func (d *Device) requestProbe() {
	select {
	case d.probeRequests <- struct{}{}:
	default:
	}
}

// carrierChanged takes note of a leg whose state may have changed.
func (d *Device) carrierChanged(leg int) {
	carrier := &d.health.carrier[leg]
	switch before, after := carrier.Load(), d.hasCarrier(leg); {
	case before && !after:
		carrier.Store(false)
		d.log.Warn("inline device is unplugged", "leg", d.config.Legs[leg])
	case !before && after:
		// Routes are gone if the interface was down.
		if err := route(d.ports, d.config); err != nil {
			d.log.Error("inline device cannot be used", "leg", d.config.Legs[leg], "err", err)
			return
		}
		d.log.Info("inline device is plugged in", "leg", d.config.Legs[leg])
		carrier.Store(true)
		d.requestProbe()
	}
}

// probe opens and closes a connection through the device.
func (d *Device) probe(ctx context.Context) {
	h := &d.health
	if !h.carrier[0].Load() || !h.carrier[1].Load() {
		return
	}
	p := d.config.Probe
	c, err := d.dial(ctx, netip.AddrPortFrom(p.Client, 0), p.Origin)
	if ctx.Err() != nil || errors.Is(err, os.ErrPermission) { // while the process gives up rights, it has none: no fault of the device
		return
	}
	if err != nil {
		d.counters.probes[0].Add(1)
		h.failures++
		if h.failures >= maxFailures && !h.unresponsive.Swap(true) {
			d.log.Warn("inline device is down: no connection comes through", "err", err)
		} else if !h.unresponsive.Load() {
			d.requestProbe()
		}
		return
	}
	c.clientPort.closeWrite()
	c.originPort.closeWrite()
	c.clientPort.close()
	c.originPort.close()
	d.counters.probes[1].Add(1)
	h.failures = 0
	if h.unresponsive.Swap(false) {
		d.log.Info("inline device is up again: connections come through")
	}
}
