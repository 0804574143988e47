package inline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/netspace"
	"github.com/clearspan/clearspan/decrypt"
)

// Device is an inline device in operation, a [decrypt.Service]. Safe for
// concurrent use.
type Device struct {
	config    Config
	log       *slog.Logger
	chain     *Chain   // nil: another process holds it
	ports     [2]*port // the client's, the origin's
	maps      kernelMaps
	listeners [2]*os.File // of the origin's port: IPv4, IPv6
	pairing   *pairing
	counters  counters

	ctx            context.Context // ends with Close
	stop           context.CancelFunc
	tasks          sync.WaitGroup
	probeRequests  chan struct{} // room for one: probe now
	lastConnection atomic.Int64  // when a connection last came through, Unix ns

	health health

	mu     sync.RWMutex // guards the counters of frames against Close
	closed bool
}

var _ decrypt.Service = (*Device)(nil)

// New takes the legs and makes the device ready. It first gives back what devices
// of dead processes have left. It returns ErrInUse if one of that name runs. If it
// fails, everything is as it was.
func New(c Config) (*Device, error) {
	host, err := netspace.OwnHost()
	if err != nil {
		return nil, fmt.Errorf("open inline device: %w", err)
	}
	return newDevice(c, host)
}

// newDevice takes the legs from host.
func newDevice(c Config, host *netspace.Host) (*Device, error) {
	chain, err := openChain(c, host)
	if err != nil {
		return nil, err
	}
	d, err := join(c, chain.Shared())
	if err != nil {
		return nil, errors.Join(err, chain.Close())
	}
	d.chain = chain
	return d, nil
}

// Join makes a device ready whose [Chain] another process holds, by what it shares: these
// files are closed. Other processes may send through the device at the same time.
func Join(c Config, shared []*os.File) (*Device, error) {
	defer func() {
		for _, f := range shared {
			f.Close()
		}
	}()
	return join(c, shared)
}

// join borrows the files.
func join(c Config, shared []*os.File) (*Device, error) {
	c, err := c.complete()
	if err != nil {
		return nil, fmt.Errorf("open inline device: %w", err)
	}
	d := &Device{config: c, log: c.Logger, probeRequests: make(chan struct{}, 1)}
	d.ctx, d.stop = context.WithCancel(context.Background())
	if err := d.open(shared); err != nil {
		return nil, fmt.Errorf("open inline device %s: %w", c.Name, errors.Join(err, d.close()))
	}
	for _, l := range d.listeners {
		d.tasks.Go(func() { d.accept(l) })
	}
	d.tasks.Go(func() { d.watch(d.ctx) })
	return d, nil
}

// open sets everything up that is the process's own.
func (d *Device) open(shared []*os.File) (err error) {
	if d.maps, err = mapsOf(shared); err != nil {
		return err
	}
	for i := range d.ports {
		if d.ports[i], err = findPort(d.config, i); err != nil {
			return err
		}
	}
	if err := d.openListeners(); err != nil {
		return err
	}
	d.pairing = &pairing{expected: d.maps.Expected, waiting: make(map[kernelTuple]chan *socket)}
	if d.pairing.slot, err = takeSlot(d.maps, d.listeners); err != nil {
		return err
	}
	return d.subscribe()
}

// openListeners opens the listeners of the origin's port.
func (d *Device) openListeners() (err error) {
	for i := range d.listeners {
		if d.listeners[i], err = d.ports[1].listen(i == 1); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the device: sessions of this process that still pass through it are reset. If
// the process holds the chain, the legs go back to where they came from, as they were.
func (d *Device) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	return d.close()
}

// close undoes what open did, whatever it did.
func (d *Device) close() error {
	var errs []error
	d.stop()
	for _, l := range d.listeners {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	d.health.close()
	d.tasks.Wait()
	errs = append(errs, d.maps.Close())
	for _, p := range d.ports {
		if p != nil {
			p.Close()
		}
	}
	if d.chain != nil {
		errs = append(errs, d.chain.Close())
	}
	return errors.Join(errs...)
}

// counters counts what becomes of sessions.
type counters struct {
	open     atomic.Int64
	late     atomic.Uint64
	probes   [2]atomic.Uint64 // failed, succeeded
	outcomes [len(outcomes)]atomic.Uint64
}

// countOutcome notes what became of a session.
func (d *Device) countOutcome(s *decrypt.Session, word string) {
	s.Served(d.config.Name, word)
	for i, w := range outcomes {
		if w == word {
			d.counters.outcomes[i].Add(1)
		}
	}
}

// outcomes are the words for what becomes of sessions.
var outcomes = [...]string{Carried, PortChanged, Reset, TimedOut, Bypassed, Refused, Broken}

// Counters returns how many sessions ended with which word, how many are open, probes
// by their success, and frames by their path. It is an error after Close.
func (d *Device) Counters() (map[string]uint64, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, errClosed
	}
	all := map[string]uint64{
		countOpen:        uint64(max(0, d.counters.open.Load())),
		countLate:        d.counters.late.Load(),
		countProbeFailed: d.counters.probes[0].Load(),
		countProbeOK:     d.counters.probes[1].Load(),
	}
	for i, w := range outcomes {
		all[w] = d.counters.outcomes[i].Load()
	}
	return all, d.maps.counters(all)
}

// provenWithin reports whether a connection came through the device within d.
func (d *Device) provenWithin(within time.Duration) bool {
	return time.Since(time.Unix(0, d.lastConnection.Load())) < within
}
