package wire

import (
	"errors"
	"fmt"
	"io/fs"
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
	config    Config
	name      string
	timeout   time.Duration // to open an origin leg
	lock      *lock
	record    *record // changed by New and by carriers alone
	room      *namespace
	program   *program
	pulse     *pulse
	process   *process // of the pulse
	indexes   [2]int
	members   []*net.TCPListener // by which the programs see that the process lives
	accepting []net.Listener     // what the intake accepts from
	handover  *handover          // of late ones to sessions; nil with Accept
	quic      *quicGate          // nil if nobody judges QUIC
	tally     tally
	sessions  sessions
	watcher   *watcher
	carriers  *carriers     // nil with Each
	mute      atomic.Int32  // loops that have not begun to beat
	taking    chan struct{} // closed when all have

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
	config.peek = o.QUIC != nil
	w := &wire{taking: make(chan struct{}), config: config, name: o.Name, timeout: o.ConnectTimeout}
	if w.timeout <= 0 {
		w.timeout = 10 * time.Second
	}
	listeners, err := w.open(o)
	if err != nil {
		return nil, fmt.Errorf("create wire intake: %w", err)
	}
	in, err := intake.NewAccepted(o, w.arrive, w.close, listeners...)
	if err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.watch(o.Logger)
	if w.carriers != nil {
		w.carriers.start(o.Logger)
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
	if w.lock, err = lockOne(w.name); err != nil {
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
	r := &record{
		Takeover: w.config.Takeover.String(), Down: w.config.Down.String(), Stall: int64(w.config.Stall),
		Link: w.config.Link.String(),
	}
	if fresh {
		if r.Home, err = namespaceOf("/proc/self/ns/net"); err != nil {
			return nil, err
		}
		for i, name := range w.config.Legs {
			if r.Legs[i], err = inspectLeg(name); err != nil {
				return nil, err
			}
		}
	} else {
		r.Legs, r.Home, r.Held = known.Legs, known.Home, known.Held
		for i, name := range w.config.Legs {
			if r.Legs[i].Name != name {
				return nil, fmt.Errorf("take over wire %s: its legs are %s and %s, remove it first", w.name, r.Legs[0].Name, r.Legs[1].Name)
			}
		}
	}
	if err := r.write(w.name); err != nil {
		return nil, err
	}
	w.record = r
	if listeners, err = w.build(o); err != nil && fresh {
		err = errors.Join(err, w.close(), dismantle(w.name, r))
	}
	return listeners, err
}

// build makes the namespace, moves the legs there and puts the programs to work.
func (w *wire) build(o intake.Options) ([]net.Listener, error) {
	// Before there is a thread of the namespace, which has mounts of its own.
	err := mountPins()
	if err != nil {
		return nil, err
	}
	if w.room, err = enterNamespace(w.name, true); err != nil {
		return nil, err
	}
	if err := w.room.prepare(); err != nil {
		return nil, err
	}
	for _, name := range w.config.Legs {
		if w.room.has(name) {
			continue
		}
		if err := w.room.moveLeg(name); err != nil {
			return nil, err
		}
	}
	held := w.leftDown()
	var settling [2]bool
	if w.indexes, settling, err = w.room.raise(w.config.Legs, held); err != nil {
		return nil, err
	}
	if err := w.hold(held); err != nil {
		return nil, err
	}
	if err := w.room.route(w.indexes, w.config.Legs, held); err != nil {
		return nil, err
	}
	if w.config.Link == Both {
		if w.carriers, err = w.newCarriers(held, settling); err != nil {
			return nil, err
		}
	}
	copies, err := w.room.linkCopies(w.name, w.config)
	if err != nil {
		return nil, err
	}
	if w.program, err = loadProgram(w.name, w.config, w.indexes, copies); err != nil {
		return nil, err
	}
	if err := w.SetExempt(w.config.Exempt); err != nil {
		return nil, err
	}
	beats := w.program.kernelMaps.Heartbeat
	if w.pulse, err = openPulse(beats); err != nil {
		return nil, err
	}
	w.process = startProcess(w.pulse.slot(int(beats.MaxEntries())-1), w.config.Stall)
	for i := range 2 {
		l, err := w.room.listen(i == 1)
		if err != nil {
			return nil, err
		}
		w.members = append(w.members, l)
		if err := w.program.enlist(i, l); err != nil {
			return nil, err
		}
	}
	if err := w.room.Do(func() error {
		return w.program.attach(w.name, w.indexes, w.config.Takeover == Accept)
	}); err != nil {
		return nil, err
	}
	if err := w.program.attachCopies(w.name, copies); err != nil {
		return nil, err
	}
	if err := w.openQUIC(o); err != nil {
		return nil, err
	}
	return w.listeners(o)
}

// startPulse prepares the pulse of a loop. Over a wire that was there before, the
// loop has to prove itself first.
func (w *wire) startPulse(b *beater, slot int) {
	b.limit, b.busy, b.recover, b.process = w.config.Stall, w.config.busy(), w.config.Recover, w.process
	if w.program.found {
		b.from = time.Now().Add(w.config.Recover)
	}
	w.mute.Add(1)
	b.first = func() {
		if w.mute.Add(-1) == 0 {
			close(w.taking)
		}
	}
	b.slot = w.pulse.slot(slot)
}

// listeners returns what the intake accepts from.
func (w *wire) listeners(o intake.Options) ([]net.Listener, error) {
	if w.config.Takeover == Accept {
		var all []net.Listener
		for i, l := range w.members {
			b := &beating{TCPListener: l}
			w.startPulse(&b.beater, i)
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
	var errs []error
	if w.carriers != nil {
		errs = append(errs, w.carriers.close())
		w.carriers = nil
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
	for _, l := range w.members {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	w.members = nil
	if w.process != nil {
		w.process.stop()
		w.process = nil
	}
	if w.pulse != nil {
		errs = append(errs, w.pulse.close())
		w.pulse = nil
	}
	if w.program != nil {
		errs = append(errs, w.program.close())
		w.program = nil
	}
	if w.room != nil {
		w.room.Close()
		w.room = nil
	}
	if w.lock != nil {
		w.lock.close()
		w.lock = nil
	}
	return errors.Join(errs...)
}

// SetExempt replaces what is never taken. Connections that were taken already go
// on.
func (w *wire) SetExempt(exempt Exempt) error {
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
		flowTaken: &w.tally.taken, flowPassed: &w.tally.passed,
		flowUndecided: &w.tally.undecided, flowFailed: &w.tally.failed,
	} {
		all[name] = n.Load()
	}
	return all, nil
}
