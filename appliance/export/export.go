// Package export sends the entries of the audit log to other places: files, and servers
// that speak syslog.
//
// Each output reads the files of the log (package trail) from its own cursor. The cursor
// moves when the other end has an entry, not when it was sent. An output whose receiver is
// away thus loses nothing while the files are kept, and holds nothing in memory.
//
//   - A file has what was written to it.
//   - By TCP, the kernel of the receiver has acknowledged the octets of an entry. If the
//     connection breaks, entries that were not acknowledged as a whole are sent again:
//     messages are counted (RFC 6587, Section 3.4.1; RFC 5425, Section 4.3), so that a
//     receiver drops one that was cut. Neither protocol has an answer of the program
//     behind that kernel: what was acknowledged, and a killed program had not read, is
//     lost, and nobody can tell.
//   - By UDP (RFC 5426), nobody acknowledges anything.
//
// One process sends. Others of the same state directory wait for it, see [Set.Drain].
package export

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/trail"
)

// Config is what a set of outputs needs.
type Config struct {
	Trail   string        // path of the audit log
	Rotate  trail.Options // of the audit log, and of outputs that are files
	Outputs []Output
	State   string // directory of cursors, which is created
	Version string // of the program, in messages
	Logger  *slog.Logger
}

// Set is the outputs of one log. It also tends the files of the log: compresses and
// removes them. It is safe for concurrent use.
type Set struct {
	cfg      Config
	log      *slog.Logger
	outputs  []*sender
	turn     *turn
	ended    chan struct{} // files are to be tended
	draining atomic.Bool

	mu   sync.Mutex
	stop context.CancelFunc // nil: not running
	done chan struct{}
}

// finalWait is how long Close waits for receivers.
const finalWait = 2 * time.Second

// Open prepares the outputs: it reads certificates and creates cursors, which begin at the
// end of the log. Nothing is sent before [Set.Start].
func Open(cfg Config) (*Set, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Set{cfg: cfg, log: cfg.Logger, ended: make(chan struct{}, 1)}
	s.ended <- struct{}{} // of earlier processes
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return nil, fmt.Errorf("create directory of outputs: %w", err)
	}
	var err error
	if s.turn, err = openTurn(cfg.State); err != nil {
		return nil, err
	}
	hostname, err := os.Hostname()
	if err != nil {
		hostname = ""
	}
	for _, o := range cfg.Outputs {
		sender, err := newSender(cfg, o, hostname, s.Ended)
		if err != nil {
			return nil, fmt.Errorf("open audit output %s: %w", o.Name, err)
		}
		s.outputs = append(s.outputs, sender)
	}
	return s, nil
}

// Start begins to send, as soon as no other process does. Call it once.
func (s *Set) Start() {
	ctx, stop := context.WithCancel(context.Background())
	s.mu.Lock()
	s.stop, s.done = stop, make(chan struct{})
	s.mu.Unlock()
	go func() {
		defer close(s.done)
		for ctx.Err() == nil && s.turn.take(ctx) {
			s.serve(ctx)
			s.turn.leave()
			pause(ctx, 5*lookEvery) // the other one takes it
		}
	}()
}

// Drain says that this process goes soon: it leaves the outputs to another one that waits
// for them, if there is one.
func (s *Set) Drain() { s.draining.Store(true) }

// Written tells of new entries in the log. It does not wait.
func (s *Set) Written() {
	for _, o := range s.outputs {
		o.wakeUp()
	}
}

// Ended tells that a file of the log has ended. It does not wait.
func (s *Set) Ended() {
	select {
	case s.ended <- struct{}{}:
	default:
	}
}

// Close sends what the log has got, waits two seconds for receivers, and ends the outputs.
// Close the log before. If another process has the outputs, it sends.
func (s *Set) Close() error {
	s.mu.Lock()
	stop, done := s.stop, s.done
	s.stop = nil
	s.mu.Unlock()
	if stop == nil {
		return s.turn.close()
	}
	if s.turn.has() {
		s.settle(finalWait)
	}
	stop()
	<-done
	for _, o := range s.outputs {
		o.close()
	}
	return s.turn.close()
}

// settle waits until all outputs have sent everything.
func (s *Set) settle(wait time.Duration) {
	end := time.Now().Add(wait)
	for _, o := range s.outputs {
		asked := o.askIdle()
		o.wakeUp()
		select {
		case <-asked:
		case <-time.After(time.Until(end)):
			return
		}
	}
}

// serve sends and tends until ctx ends, or another process wants to.
func (s *Set) serve(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var serving sync.WaitGroup
	for _, o := range s.outputs {
		serving.Go(func() { o.run(ctx) })
	}
	serving.Go(func() { s.tend(ctx) })
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-look.C:
			if s.draining.Load() && s.turn.wanted() {
				stop()
			}
		}
	}
	serving.Wait()
}

// tend compresses and removes files of the log, and of outputs that are files.
func (s *Set) tend(ctx context.Context) {
	if !s.cfg.Rotate.Rotates() {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ended:
		}
		err := trail.Tend(ctx, s.cfg.Trail, s.cfg.Rotate, s.leaving)
		for _, o := range s.outputs {
			if o.Network == File && err == nil {
				err = trail.Tend(ctx, o.Address, s.cfg.Rotate, nil)
			}
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error("files of the audit log are not compressed or removed", "err", err)
		}
	}
}

// leaving counts the entries that outputs lose with a file.
func (s *Set) leaving(name string) {
	for _, o := range s.outputs {
		n, err := trail.Lines(s.cfg.Trail, name, o.place())
		if n > 0 {
			o.lost.Add(n)
			s.log.Error("audit entries are removed that an output has not sent", "output", o.Name, "file", name, "entries", n)
		}
		if err != nil {
			s.log.Error("audit file cannot be read", "file", name, "err", err)
		}
	}
}

// Status is how an output does.
type Status struct {
	Name    string
	Written uint64        // entries that the receiver has, since the start of the process
	Lost    uint64        // entries that it will never get
	Lag     time.Duration // age of the oldest entry that it does not have
	Err     error         // why it gets nothing; nil: it does, or there is nothing
}

// Status returns how each output does, in the order of the configuration.
func (s *Set) Status() []Status {
	list := make([]Status, len(s.outputs))
	for i, o := range s.outputs {
		list[i] = o.status()
	}
	return list
}

// cursorPath returns the path of an output's cursor.
func cursorPath(state, name string) string { return filepath.Join(state, name+".cursor") }
