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
	host      *netspace.Host
	lock      *lock
	ports     [2]*port // the client's, the origin's
	program   *program
	listeners [2]*os.File // of the origin's port: IPv4, IPv6
	pairing   *pairing
	counters  counters

	ctx            context.Context // ends with Close
	stop           context.CancelFunc
	tasks          sync.WaitGroup
	probeRequests  chan struct{} // room for one: probe now
	lastConnection atomic.Int64  // when a connection last came through, Unix ns

	health health

	mu     sync.RWMutex // guards the program's counters against Close
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
	c, err := c.complete()
	var all *lock
	if err == nil {
		all, err = lockAll()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open inline device: %w", err), host.Close())
	}
	defer all.close()
	d := &Device{config: c, log: c.Logger, host: host, probeRequests: make(chan struct{}, 1)}
	d.ctx, d.stop = context.WithCancel(context.Background())
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("open inline device %s: %w", c.Name, errors.Join(err, d.close()))
	}
	for _, l := range d.listeners {
		d.tasks.Go(func() { d.accept(l) })
	}
	d.tasks.Go(func() { d.watch(d.ctx) })
	return d, nil
}

// open sets everything up; the caller holds the lock of all.
func (d *Device) open() (err error) {
	if err := sweep(d.host, d.config.Name); err != nil {
		return err
	}
	if d.lock, err = lockOne(d.config.Name); err != nil {
		return err
	}
	r := &record{Home: d.host.ID()}
	for i, name := range d.config.Legs {
		if r.Legs[i], err = d.host.Inspect(name); err != nil {
			return err
		}
	}
	if err := r.write(d.config.Name); err != nil {
		return err
	}
	for i, link := range r.Legs {
		if d.ports[i], err = openPort(d.config, i, link, d.host); err != nil {
			return err
		}
	}
	if d.program, err = loadProgram(d.config); err != nil {
		return err
	}
	d.pairing = &pairing{expected: d.program.Expected, waiting: make(map[kernelTuple]chan *socket)}
	if err := d.openListeners(); err != nil {
		return err
	}
	if err := d.program.attach(d.ports); err != nil {
		return err
	}
	for _, p := range d.ports {
		if err := p.setUp(); err != nil {
			return err
		}
	}
	if err := d.route(); err != nil {
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
		if err := d.program.setListener(i, d.listeners[i]); err != nil {
			return err
		}
	}
	return nil
}

// route makes each port send to the device.
func (d *Device) route() error {
	for i, p := range d.ports {
		if err := p.route(d.ports[1-i].mac, d.config.Hops[i]); err != nil {
			return err
		}
	}
	return nil
}

// Close ends the device: sessions that still pass through it are reset, the legs
// go back to where they came from, as they were.
func (d *Device) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	all, err := lockAll()
	if err != nil {
		return err
	}
	defer all.close()
	return d.close()
}

// close undoes what open did, whatever it did; the caller holds the lock of all.
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
	if d.program != nil {
		errs = append(errs, d.program.close())
	}
	for _, p := range d.ports {
		if p != nil {
			errs = append(errs, p.close(d.host))
		}
	}
	if d.lock != nil {
		if errors.Join(errs...) == nil { // the legs are back
			errs = append(errs, removeFiles(d.config.Name))
		}
		d.lock.close()
	}
	return errors.Join(append(errs, d.host.Close())...)
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
	return all, d.program.counters(all)
}

// provenWithin reports whether a connection came through the device within d.
func (d *Device) provenWithin(within time.Duration) bool {
	return time.Since(time.Unix(0, d.lastConnection.Load())) < within
}
