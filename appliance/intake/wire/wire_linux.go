package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/intake"
)

// Intake is a wire in operation. After Close, and after the end of the process,
// traffic passes or is blocked as configured, until the next start or [Remove].
type Intake struct {
	intake.Intake
	*wire
}

// wire is what an intake owns besides its listeners.
type wire struct {
	config          Config
	name            string
	timeout         time.Duration // to open an origin leg
	lock            *lock         // guarded by mu; nil while another process has it
	joined          bool          // another process ran the wire at the start, see Config.Join
	record          *record       // changed by New and by carriers alone
	namespace       *namespace
	program         *program
	attach          func() error   // puts the programs to work
	switching       sync.WaitGroup // of takeOver
	heartbeats      *heartbeatMap
	processBeat     *processHeartbeat // of the heartbeats
	indexes         [2]int
	lookupListeners []*net.TCPListener // by which the programs see that the process lives
	accepting       []net.Listener     // what the intake accepts from
	originLegs      *originLegs        // of late ones to sessions; nil with Accept
	quic            *quicGate          // nil if nobody judges QUIC
	counters        flowCounters
	sessions        sessions
	watcher         *watcher
	linkFollower    *linkFollower // nil with Each
	silentLoops     atomic.Int32  // loops without a heartbeat yet
	taking          chan struct{} // closed when all have
	log             *slog.Logger

	mu     sync.RWMutex // guards what callers may ask for at any time
	closed bool
}

// New makes a wire of two interfaces, or takes over the one that an earlier
// process has left. o.Name names the wire on this machine; it returns ErrInUse if
// another process runs one of that name. Connections pass until Serve runs.
// Nothing is left behind if it fails, except for a wire that was there before.
func New(config Config, o intake.Options) (*Intake, error) {
	config, err := config.complete()
	if err == nil {
		err = checkName(o.Name)
	}
	if err == nil && o.Handler == nil {
		err = errors.New("no handler")
	}
	if err != nil {
		return nil, fmt.Errorf("create wire intake: %w", err)
	}
	if err := mayStart(config, o.Logger); err != nil {
		return nil, fmt.Errorf("create wire intake: %w", err)
	}
	config.judgesQUIC = o.QUIC != nil
	w := &wire{taking: make(chan struct{}), config: config, name: o.Name, timeout: o.ConnectTimeout, log: o.Logger}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.log = w.log.With("intake", w.name)
	if w.timeout <= 0 {
		w.timeout = 10 * time.Second
	}
	listeners, err := w.open(o)
	if err != nil {
		return nil, fmt.Errorf("create wire intake: %w", err)
	}
	in, err := intake.NewFromListeners(o, w.incoming, w.close, listeners...)
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.watch()
	if w.linkFollower != nil && !w.joined {
		w.linkFollower.start()
	}
	return &Intake{in, w}, nil
}

// Taking is closed when the programs have seen for the first time that somebody
// takes connections: from then on rules hold.
func (w *wire) Taking() <-chan struct{} { return w.taking }

// open sets everything up.
func (w *wire) open(o intake.Options) (listeners []net.Listener, err error) {
	all, err := lockAll()
	if err != nil {
		return nil, err
	}
	defer all.close()
	if w.lock, err = lockOne(w.name); errors.Is(err, ErrInUse) && w.config.Join {
		w.joined, err = true, nil
	}
	if err != nil {
		return nil, err
	}
	fresh := false
	defer func() {
		if err == nil {
			return
		}
		err = errors.Join(err, w.close())
		if fresh {
			os.Remove(lockFile(w.name)) // may be gone
		}
	}()
	known, err := readRecord(w.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	fresh = err != nil
	r, err := w.newRecord(known)
	if err != nil {
		return nil, err
	}
	if err := r.write(w.name); err != nil {
		return nil, err
	}
	w.record = r
	if listeners, err = w.build(o); err != nil && fresh {
		err = errors.Join(err, w.close(), removeWire(w.name, r))
	}
	return listeners, err
}

// newRecord describes the wire as it is configured. known is the record that an earlier
// process has left, nil if there is none.
func (w *wire) newRecord(known *record) (_ *record, err error) {
	r := &record{
		Takeover: string(w.config.Takeover), Down: string(w.config.Down), Stall: int64(w.config.Stall),
		Link: string(w.config.Link),
	}
	if known != nil {
		r.Legs, r.Home, r.DownLeg = known.Legs, known.Home, known.DownLeg
		for i, name := range w.config.Legs {
			if r.Legs[i].Name != name {
				return nil, fmt.Errorf("take over wire %s: its legs are %s and %s, remove it first", w.name, r.Legs[0].Name, r.Legs[1].Name)
			}
		}
		return r, nil
	}
	if r.Home, err = namespaceOf("/proc/self/ns/net"); err != nil {
		return nil, err
	}
	for i, name := range w.config.Legs {
		if r.Legs[i], err = inspectLeg(name); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// build makes the namespace, moves the legs there and attaches the programs.
func (w *wire) build(o intake.Options) ([]net.Listener, error) {
	// Before there is a thread of the namespace, which has mounts of its own.
	err := mountPins()
	if err != nil {
		return nil, err
	}
	if w.namespace, err = w.enter(); err != nil {
		return nil, err
	}
	if err := w.setUpLegs(); err != nil {
		return nil, err
	}
	copies, err := w.linkCopies()
	if err != nil {
		return nil, err
	}
	if w.program, err = loadProgram(w.name, w.config, w.indexes, copies, w.joined); err != nil {
		return nil, err
	}
	if err := w.SetExempt(w.config.Exempt); err != nil {
		return nil, err
	}
	if err := w.openSignals(); err != nil {
		return nil, err
	}
	w.attach = func() error {
		err := w.namespace.Do(func() error {
			return w.program.attach(w.name, w.indexes, w.config.Takeover == Accept)
		})
		if err == nil {
			err = w.program.attachCopies(w.name, copies)
		}
		w.program.attached.Store(err == nil)
		return err
	}
	if !w.joined { // else when the loops run
		if err := w.attach(); err != nil {
			return nil, err
		}
	}
	if err := w.openQUIC(o); err != nil {
		return nil, err
	}
	return w.listeners(o)
}

// setUpLegs moves the legs into the namespace, sets them up and lays the routes. A leg
// that an earlier process has taken down may stay down.
func (w *wire) setUpLegs() error {
	if err := w.namespace.prepare(); err != nil {
		return err
	}
	for _, name := range w.config.Legs {
		if w.namespace.has(name) {
			continue
		}
		if err := w.namespace.moveLeg(name); err != nil {
			return err
		}
	}
	down := w.recordedDownLeg()
	var fresh [2]bool
	var err error
	if w.indexes, fresh, err = w.namespace.setUpLegs(w.config.Legs, down); err != nil {
		return err
	}
	if err := w.recordDownLeg(down); err != nil {
		return err
	}
	if err := w.namespace.route(w.indexes, w.config.Legs, down); err != nil {
		return err
	}
	if w.config.Link == Both {
		w.linkFollower, err = w.newLinkFollower(down, fresh)
	}
	return err
}

// openSignals opens what tells the programs that the process takes connections: the
// heartbeats, and a listener for each address family.
func (w *wire) openSignals() (err error) {
	beats := w.program.kernelMaps.Heartbeat
	if w.heartbeats, err = openHeartbeats(beats); err != nil {
		return err
	}
	w.processBeat = startProcessHeartbeat(w.heartbeats.slot(int(beats.MaxEntries())-1), w.config.Stall)
	for i := range 2 {
		l, err := w.namespace.listen(i == 1)
		if err != nil {
			return err
		}
		w.lookupListeners = append(w.lookupListeners, l)
		if err := w.program.setListener(i, l); err != nil {
			return err
		}
	}
	return nil
}

// startHeartbeat prepares the heartbeat of a loop. Over a wire that was there before, the
// loop has to prove itself first.
func (w *wire) startHeartbeat(h *loopHeartbeat, slot int) {
	h.limit, h.busy, h.recover, h.process = w.config.Stall, w.config.loopLimit(), w.config.Recover, w.processBeat
	if w.program.reattached {
		h.notBefore = time.Now().Add(w.config.Recover)
	}
	w.silentLoops.Add(1)
	h.first = func() {
		switch {
		case w.silentLoops.Add(-1) > 0:
		case w.joined:
			w.switching.Go(w.takeOver) // not here: the loop must go on
		default:
			close(w.taking)
		}
	}
	h.slot = w.heartbeats.slot(slot)
}

// listeners returns what the intake accepts from.
func (w *wire) listeners(o intake.Options) ([]net.Listener, error) {
	if w.config.Takeover == Accept {
		var all []net.Listener
		for i, l := range w.lookupListeners {
			b := &heartbeatListener{TCPListener: l}
			w.startHeartbeat(&b.loopHeartbeat, i)
			all = append(all, b)
		}
		w.accepting = all
		return all, nil
	}
	if err := w.openShards(o); err != nil {
		return nil, err
	}
	return w.accepting, nil
}

// close lets go of everything; what is pinned stays.
func (w *wire) close() error {
	if w.watcher != nil {
		w.watcher.close()
	}
	w.switching.Wait()
	var errs []error
	if w.linkFollower != nil {
		errs = append(errs, w.linkFollower.close())
		w.linkFollower = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.quic != nil {
		errs = append(errs, w.quic.close())
		w.quic = nil
	}
	// The intake closes them too, possibly at this very moment.
	for _, l := range w.accepting {
		errs = append(errs, l.Close())
	}
	for _, l := range w.lookupListeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	w.lookupListeners = nil
	if w.processBeat != nil {
		w.processBeat.stop()
		w.processBeat = nil
	}
	if w.heartbeats != nil {
		errs = append(errs, w.heartbeats.close())
		w.heartbeats = nil
	}
	if w.program != nil {
		errs = append(errs, w.program.close())
		w.program = nil
	}
	if w.namespace != nil {
		w.namespace.Close()
		w.namespace = nil
	}
	if w.lock != nil {
		w.lock.close()
		w.lock = nil
	}
	return errors.Join(errs...)
}

// SetExempt replaces what is never taken. Connections that were taken already go
// on.
func (w *wire) SetExempt(exempt intake.Exempt) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errClosed
	}
	return w.program.setExempt(exempt)
}

var errClosed = errors.New("wire intake is closed")

// Counters returns how many frames took which path, and what became of flows in
// user space, by the words of [Status.Paths] and "flow-taken", "flow-passed",
// "flow-undecided" (taken because the client said too little) and "flow-failed".
// It is an error after the end of the intake.
func (w *wire) Counters() (map[string]uint64, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return nil, errClosed
	}
	all, err := readPaths(w.program.kernelMaps.Paths)
	if err != nil {
		return nil, err
	}
	for name, n := range map[string]*atomic.Uint64{
		flowTaken: &w.counters.taken, flowPassed: &w.counters.passed,
		flowUndecided: &w.counters.undecided, flowFailed: &w.counters.failed,
	} {
		all[name] = n.Load()
	}
	return all, nil
}
