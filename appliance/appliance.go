// Package appliance is the configured box. It takes a configuration and runs
// intakes, engine, feed, audit trail and administration. It owns the life of all
// their goroutines, listeners, kernel rules and files.
package appliance

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/exceptions"
	"github.com/clearspan/clearspan/appliance/export"
	"github.com/clearspan/clearspan/appliance/feed"
	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intakes"
	"github.com/clearspan/clearspan/appliance/publish"
	"github.com/clearspan/clearspan/appliance/screen"
	"github.com/clearspan/clearspan/appliance/services"
	"github.com/clearspan/clearspan/appliance/sessions"
	"github.com/clearspan/clearspan/appliance/tickets"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
)

// Appliance is a box that is ready to run. Its methods may be called from any
// goroutine.
type Appliance struct {
	log     *slog.Logger
	version string

	closers   closers          // of what is open
	prompt    certs.Passphrase // may be nil
	screen    *screen.Screen   // may be nil
	directory certs.Directory  // of the authority that clients trust
	feed      *feed.Feed
	audit     *audit.Log
	outputs   *export.Set // nil: the audit log has none, and its files do not end
	tickets   *tickets.File
	learned   *learn.Table
	resolved  decrypt.Addresses // of names, as the DNS said
	lessons   string            // file where that outlives the process
	asked     *exceptions.Store
	metrics   *admin.Metrics
	admin     *admin.Server
	publish   *publish.Server // nil if certificates are not published
	admission *admission.Controller
	book      *sessions.Book
	services  *services.Set
	limiter   *intake.Limiter
	intakes   *intakes.Set

	engine  atomic.Pointer[generation]
	renewed chan struct{}                        // something waits in it after a change of generation
	past    struct{ forged, hits atomic.Uint64 } // counts of earlier generations
	condition

	reload sync.Mutex     // one reload at a time; guards cfg
	cfg    *config.Config // the running one

	membership                         // of a keeper's processes
	controls                           // of operators
	inForce    atomic.Pointer[inForce] // what operators are told of the configuration

	kill   context.CancelFunc // ends all sessions
	killed context.Context
	once   sync.Once
}

// Option changes what [New] makes.
type Option func(*Appliance)

// WithPrompt has ask called if the authority's key is encrypted and nothing else
// gives the passphrase.
func WithPrompt(ask certs.Passphrase) Option { return func(a *Appliance) { a.prompt = ask } }

// WithScreen has a person told what to do first, and how each session ended.
func WithScreen(s *screen.Screen) Option { return func(a *Appliance) { a.screen = s } }

// New opens everything that cfg asks for: authorities (created where there are
// none), sinks, audit trail, listeners, kernel rules. On error nothing is left
// open. version is shown in metrics and logs. A nil logger discards.
func New(cfg *config.Config, version string, log *slog.Logger, options ...Option) (*Appliance, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a := &Appliance{log: log, version: version, cfg: cfg, renewed: make(chan struct{}, 1)}
	for _, o := range options {
		o(a)
	}
	a.directory = authority.Directory(cfg, a.prompt)
	a.killed, a.kill = context.WithCancel(context.Background())
	if err := a.open(); err != nil {
		if closing := a.Close(); closing != nil {
			err = errors.Join(err, closing)
		}
		return nil, err
	}
	return a, nil
}

// Run accepts sessions until ctx ends, then lets those that are open go on for
// at most drain, and closes the appliance. Call it once.
func (a *Appliance) Run(ctx context.Context, drain time.Duration) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(a.killed, stop)()
	var serving sync.WaitGroup
	serving.Go(func() { a.intakes.Serve(a.killed) }) // not ctx: sessions outlive the end of accepting
	if a.admin != nil {
		serving.Go(func() {
			if err := a.admin.Serve(); err != nil {
				a.log.Error("administration ended", "err", err)
			}
		})
	}
	serving.Go(a.serveControl)
	if a.serveWorker != nil {
		serving.Go(a.serveWorker)
	}
	if a.publish != nil {
		serving.Go(func() {
			if err := a.publish.Serve(); err != nil {
				a.log.Error("publishing ended", "err", err)
			}
		})
	}
	serving.Go(func() { authority.Rotate(a.killed, a.changes, a.renewed, a.renew, a.log) })
	serving.Go(func() { a.learned.Run(a.killed, a.lessons) })
	serving.Go(func() { a.health.Run(a.killed) })
	serving.Go(func() { a.remindOfAuthorities(a.killed) })
	serving.Go(func() { a.tickets.Run(a.killed) })
	serving.Go(func() { a.book.Watch.Run(a.killed, a.metrics.RelayedOctets) })
	a.startOutputs()
	if every := a.inForce.Load().cfg.Audit.Interim; every > 0 {
		serving.Go(func() { a.book.Interim(a.killed, every) })
	}
	if !a.intakes.AwaitWires(ctx) {
		a.log.Error("a wire does not take connections yet") // its loop is stuck, or starved
	}
	a.setWorker(health.Reading{})
	a.phase.Store(control.Serving)
	for i, addr := range a.intakes.Addrs() {
		a.log.Info("intake listens", "intake", a.inForce.Load().cfg.Intakes[i].Name, "listen", addr.String())
	}
	a.log.Info("ready", a.addresses()...)
	a.screen.Say(a.steps()...)
	serving.Go(func() { a.screen.Run(a.killed) })
	a.join(stop, &serving)
	if a.process != nil {
		serving.Go(func() { a.followOthers(ctx) })
	}
	<-ctx.Done()
	if d := a.drainFor.Load(); d != nil {
		drain = *d
	}
	a.setWorker(health.Reading{State: health.Down, Why: "draining", Quiet: true})
	a.phase.Store(control.Draining)
	a.drainOutputs()
	a.intakes.Stop()
	if n := a.limiter.Open(); n > 0 {
		a.log.Info("draining", "sessions", n, "timeout", drain.String())
	}
	timer := time.AfterFunc(drain, a.Kill)
	a.intakes.Wait()
	timer.Stop()
	err := a.Close()
	serving.Wait()
	return err
}

// Kill resets every session and ends draining.
func (a *Appliance) Kill() { a.kill() }

// Close ends everything at once and removes what New set up. Later calls do
// nothing.
func (a *Appliance) Close() error {
	var err error
	a.once.Do(func() {
		a.kill()
		err = a.closers.close(a.log)
	})
	return err
}

// addresses lists the other listeners for the log.
func (a *Appliance) addresses() []any {
	var args []any
	if a.admin != nil {
		args = append(args, "admin", a.admin.Addr().String())
	}
	if a.publish != nil {
		args = append(args, "publish", a.publish.Addr().String())
	}
	return append(args, "fingerprint", a.engine.Load().authorities.Trusted.Fingerprint(), "version", a.version)
}

// steps is what the screen says first.
func (a *Appliance) steps() []string {
	cfg := a.inForce.Load().cfg
	certificate, _ := authority.Files(cfg)
	o := screen.Open{Config: cfg, Intakes: a.intakes.Addrs(), CA: certificate.Certificate}
	if a.admin != nil {
		o.Admin = a.admin.Addr()
	}
	if a.publish != nil {
		o.Publish = a.publish.Addr()
	}
	return screen.Steps(o)
}
