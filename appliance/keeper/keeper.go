package keeper

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/appliance/keeper/role"
)

// Config is what a keeper needs.
type Config struct {
	Name      string   // of the program, for people
	Program   string   // of workers: a path, /proc/self/exe
	Arguments []string // of workers
	Version   string   // of this program

	// Read reads the configuration anew. MakePlan turns it into a plan.
	Read     func() ([]byte, error)
	MakePlan func(configuration []byte) (*Plan, error)

	Options  json.RawMessage        // for workers, see [role.Start]
	Prompt   func() (string, error) // asks for a passphrase; nil: there is nobody to ask
	Patience time.Duration          // for a worker to become ready; 0: 30 s
	Beats    time.Duration          // without a beat a worker is taken for dead; 0: 10 s

	// Inherited is what a keeper before this one left to it, see [Inherit]; nil: there was
	// none.
	Inherited *os.File
	// Environ are variables that were taken out of the environment, for a program that
	// takes the place of this one; may be nil.
	Environ func() []string

	// Explain chooses the exit code that goes with an error, and what whoever asked for
	// a change is told beside; nil: 2, and nothing.
	Explain func(error) (code int, detail json.RawMessage)

	Logger *slog.Logger // nil discards
	// Told is told of what others want to know; may be nil. It must not block.
	Told func(Event)
}

// Event is something in the life of the box.
type Event string

const (
	Ready    Event = "ready"    // a worker serves, or serves again
	Changing Event = "changing" // a change began
	Stopping Event = "stopping"
	Failed   Event = "failed" // workers die: connections are refused, or pass
)

// ErrEnded says that the keeper ends, so that nothing is changed any more.
var ErrEnded = errors.New("clearspan ends")

// ending is the result of changes that come too late.
var ending = role.Result{Error: ErrEnded.Error(), Code: 2}

// Keeper is the parent of the workers. Make one with [New], call Run once.
type Keeper struct {
	cfg     Config
	log     *slog.Logger
	doings  chan func()   // of the loop
	ended   chan struct{} // closed at its end
	signals chan os.Signal

	plan    *Plan // in force
	held    []*held
	workers []*worker // the newest last
	number  int       // of the last worker
	change  *change   // nil: none is under way
	waiting []request // changes to come
	deaths  []time.Time
	failed  bool
	retryAt time.Time // to start a worker; zero: not

	summary atomic.Value // string, of the newest worker

	passphrase string // once asked for
	prompting  bool
	stopping   bool
	over       bool
	looked     time.Time // at the clock

	// After an upgrade.
	previous  *os.File         // the program before; nil: there is no way back
	inherited map[int]*os.File // from the keeper before
	err       error
}

// New returns a keeper, which has done nothing yet.
func New(cfg Config) *Keeper {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Patience == 0 {
		cfg.Patience = 30 * time.Second
	}
	if cfg.Beats == 0 {
		cfg.Beats = 10 * time.Second
	}
	if cfg.Explain == nil {
		cfg.Explain = func(error) (int, json.RawMessage) { return 2, nil }
	}
	if cfg.Told == nil {
		cfg.Told = func(Event) {}
	}
	return &Keeper{cfg: cfg, log: cfg.Logger, doings: make(chan func()), ended: make(chan struct{}), signals: make(chan os.Signal, 8)}
}

// Run opens resources, starts a worker, and keeps one there until a signal ends it. SIGHUP
// has the configuration read again. SIGTERM and SIGINT let sessions end; a second one
// ends them. The error is that of the first worker's start, or of the last worker's end.
func (k *Keeper) Run() error {
	k.listen()
	runtime.LockOSThread() // tied workers die with the thread that started them
	if k.cfg.Inherited == nil {
		k.begin(request{first: true, reply: func(r role.Result) { k.finish(r.Err()) }})
	} else if err := k.resume(); err != nil {
		return err
	}
	return k.loop()
}

// listen has signals come. They are never given back: one that comes while the process
// ends must not change its exit code.
func (k *Keeper) listen() { signal.Notify(k.signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP) }

// loop does one thing at a time until all is over.
func (k *Keeper) loop() error {
	for !k.over {
		timer := time.NewTimer(time.Until(k.next()))
		select {
		case f := <-k.doings:
			f()
		case s := <-k.signals:
			k.signal(s)
		case <-timer.C:
		}
		timer.Stop()
		k.due(time.Now())
	}
	close(k.ended)
	k.release()
	return k.err
}

// Summary is a line about the box, for the service manager. It is safe for concurrent use.
func (k *Keeper) Summary() string {
	s, _ := k.summary.Load().(string)
	return s
}

// Alive returns when the keeper has looked at its workers: it ends those that hang. It is
// safe for concurrent use.
func (k *Keeper) Alive() { k.do(func() {}) }

// do has the loop call f. It returns when the loop has begun with it.
func (k *Keeper) do(f func()) {
	select {
	case k.doings <- f:
	case <-k.ended:
	}
}

func (k *Keeper) signal(s os.Signal) {
	switch {
	case s == syscall.SIGHUP:
		k.begin(request{reply: func(role.Result) {}})
	case !k.stopping:
		k.log.Info("stopping", "signal", s.String())
		k.stop()
	default:
		k.killAll()
	}
}

// current is the worker that takes new connections, nil if there is none.
func (k *Keeper) current() *worker {
	for i := len(k.workers) - 1; i >= 0; i-- {
		if k.workers[i].state == Serving {
			return k.workers[i]
		}
	}
	return nil
}

// stop closes what takes connections, and has workers drain.
func (k *Keeper) stop() {
	k.stopping, k.retryAt = true, time.Time{}
	k.cfg.Told(Stopping)
	if c := k.change; c != nil {
		if c.program != nil {
			c.program.Close()
			c.program = nil
			k.speak()
		}
		if c.first {
			c.reply = func(role.Result) {} // a signal is no failure
		}
		k.concluded(ending)
		if c.worker != nil {
			c.worker.unneeded = true
			k.end(c.worker, ErrEnded.Error())
		}
	}
	for _, r := range k.waiting {
		r.reply(ending)
	}
	k.waiting = nil
	for _, h := range k.held {
		if !h.Private {
			k.complain("stop", h, h.stop())
		}
	}
	for _, w := range k.workers {
		if w.state == Serving {
			k.drain(w, w.plan.Drain, false)
		}
	}
	k.check()
}

// Drain returns how long sessions may go on at the end. It may be called by
// [Config.Told].
func (k *Keeper) Drain() time.Duration {
	if k.plan == nil {
		return 0
	}
	return k.plan.Drain
}

// killAll ends all sessions.
func (k *Keeper) killAll() {
	for _, w := range k.workers {
		k.end(w, "")
	}
}

// check finds out whether the keeper is done.
func (k *Keeper) check() {
	if k.stopping && len(k.workers) == 0 {
		k.over = true
	}
}

// finish ends the keeper with an error.
func (k *Keeper) finish(err error) {
	if err == nil {
		return
	}
	if k.err == nil {
		k.err = err
	}
	if !k.stopping {
		k.stop()
	}
}

// release closes all resources, the last that was opened first.
func (k *Keeper) release() {
	for i := len(k.held) - 1; i >= 0; i-- {
		h := k.held[i]
		k.complain("close", h, errors.Join(h.stop(), h.holding.Close()))
	}
	k.held = nil
}

func (k *Keeper) complain(what string, h *held, err error) {
	if err != nil {
		k.log.Error("resource not closed", "resource", h.Name, "step", what, "err", err)
	}
}

// drain has a worker take no more.
func (k *Keeper) drain(w *worker, limit time.Duration, replaced bool) {
	w.state, w.killAt = Draining, time.Now().Add(limit+overtime)
	if err := w.conn.Send(&role.Message{Kind: role.KindDrain, Drain: &role.Drain{For: limit, Replaced: replaced}}); err != nil {
		w.kill()
	}
}

// end has a worker end at once. why is for its log line, if any.
func (k *Keeper) end(w *worker, why string) {
	w.state, w.killAt = Ending, time.Now().Add(lingering)
	if w.why == "" {
		w.why = why
	}
	if err := w.conn.Send(&role.Message{Kind: role.KindEnd}); err != nil {
		w.kill()
	}
}

// status is what the keeper knows.
func (k *Keeper) status() *role.Status {
	s := &role.Status{Deaths: len(k.deaths), Failed: k.failed}
	for i := len(k.workers) - 1; i >= 0; i-- {
		s.Workers = append(s.Workers, k.workers[i].status())
	}
	return s
}
