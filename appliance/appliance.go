// Package appliance is the configured box. It takes a configuration and runs
// intakes, engine, feed, audit trail and administration. It owns the life of all
// their goroutines, listeners, kernel rules and files.
package appliance

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/collector"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/headroom"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/nameserver"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/appliance/publish"
	"github.com/clearspan/clearspan/appliance/service"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
)

// Appliance is a box that is ready to run. Its methods may be called from any
// goroutine.
type Appliance struct {
	log     *slog.Logger
	version string

	prompt    certs.Passphrase // may be nil
	directory certs.Directory  // of the authority that clients trust
	feed      *feed
	audit     *audit.Log
	learned   *learn.Table
	lessons   string // file where that outlives the process
	metrics   *admin.Metrics
	admin     *admin.Server
	publish   *publish.Server // nil if certificates are not published
	headroom  *headroom.Headroom
	chain     *service.Chain
	closers   []func() error // of services
	collector *collector.Pacer
	limiter   *intake.Limiter
	intakes   []intake.Intake
	wires     []*wire.Intake       // of these
	routes    []intake.Routed      // of these
	names     []*nameserver.Server // of the intakes, too
	own       guard
	quic      quicFlows

	engine  atomic.Pointer[generation]
	renewed chan struct{}                        // something waits in it after a change of generation
	past    struct{ forged, hits atomic.Uint64 } // counts of earlier generations
	ready   atomic.Bool

	reload sync.Mutex     // one reload at a time; guards cfg
	cfg    *config.Config // the running one

	kill   context.CancelFunc // ends all sessions
	killed context.Context
	once   sync.Once
}

// Option changes what [New] makes.
type Option func(*Appliance)

// WithPrompt has ask called if the authority's key is encrypted and nothing else
// gives the passphrase.
func WithPrompt(ask certs.Passphrase) Option { return func(a *Appliance) { a.prompt = ask } }

// New opens everything that cfg asks for: authorities (created where there are
// none), sinks, audit trail, listeners, kernel rules. On error nothing is left
// open. version is shown in metrics and logs. A nil logger discards.
func New(cfg *config.Config, version string, log *slog.Logger, options ...Option) (_ *Appliance, err error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a := &Appliance{log: log, version: version, cfg: cfg, renewed: make(chan struct{}, 1)}
	for _, o := range options {
		o(a)
	}
	a.directory = AuthorityDirectory(cfg, a.prompt)
	a.killed, a.kill = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if err := a.openHeadroom(cfg.Limits); err != nil {
		return nil, err
	}
	if err := makeState(cfg.State); err != nil {
		return nil, err
	}
	a.metrics = admin.NewMetrics(version)
	if a.audit, err = audit.Open(cfg.Audit.File, log); err != nil {
		return nil, err
	}
	if a.feed, err = openFeed(cfg.Mirrors, a.metrics, log); err != nil {
		return nil, err
	}
	if cfg.Audit.Facts {
		a.feed.facts = &facts.Options{Queries: cfg.Audit.Queries}
	}
	if err := a.openLearned(); err != nil {
		return nil, err
	}
	if err := a.openServices(cfg.Services); err != nil {
		return nil, err
	}
	g, err := a.newGeneration(cfg)
	if err != nil {
		return nil, err
	}
	a.install(g)
	if err := a.observe(); err != nil {
		return nil, err
	}
	a.limiter = intake.NewLimiter(cfg.Limits.Sessions, a.room)
	a.own.add(cfg)
	if err := a.openIntakes(); err != nil {
		return nil, err
	}
	if cfg.Authority.Publish != "" {
		if a.publish, err = publish.New(publish.Config{Listen: cfg.Authority.Publish, Material: a.material, Logger: log}); err != nil {
			return nil, err
		}
	}
	if cfg.Admin.Listen != "" {
		token, err := admin.MakeToken(cfg.State)
		if err != nil {
			return nil, err
		}
		a.admin, err = admin.New(admin.Config{
			Listen: cfg.Admin.Listen, Ready: a.ready.Load, Metrics: a.metrics, Learned: a.learned, Token: token, Logger: log,
		})
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Run accepts sessions until ctx ends, then lets those that are open go on for
// at most drain, and closes the appliance. Call it once.
func (a *Appliance) Run(ctx context.Context, drain time.Duration) error {
	var serving sync.WaitGroup
	for _, in := range a.intakes {
		serving.Go(func() {
			// a.killed, not ctx: sessions outlive the end of accepting.
			if err := in.Serve(a.killed); err != nil {
				a.log.Error("intake ended", "err", err)
			}
		})
	}
	if a.admin != nil {
		serving.Go(func() {
			if err := a.admin.Serve(); err != nil {
				a.log.Error("administration ended", "err", err)
			}
		})
	}
	if a.publish != nil {
		serving.Go(func() {
			if err := a.publish.Serve(); err != nil {
				a.log.Error("publishing ended", "err", err)
			}
		})
	}
	serving.Go(func() { a.rotate(a.killed) })
	serving.Go(func() { a.quic.run(a.killed, a.log) })
	serving.Go(func() { a.learned.Run(a.killed, a.lessons) })
	if !a.awaitWires(ctx) {
		a.log.Error("a wire does not take connections yet") // its loop is stuck, or starved
	}
	a.ready.Store(true)
	for i, in := range a.intakes {
		a.log.Info("intake listens", "intake", a.cfg.Intakes[i].Name, "listen", in.Addr().String())
	}
	a.log.Info("ready", a.addresses()...)
	select {
	case <-ctx.Done():
	case <-a.killed.Done():
	}
	a.ready.Store(false)
	a.closeIntakes()
	if n := a.limiter.Open(); n > 0 {
		a.log.Info("draining", "sessions", n, "timeout", drain.String())
	}
	timer := time.AfterFunc(drain, a.Kill)
	for _, in := range a.intakes {
		in.Wait()
	}
	timer.Stop()
	err := a.Close()
	serving.Wait()
	return err
}

// PublishAddr is where certificates are published, nil if they are not.
func (a *Appliance) PublishAddr() net.Addr {
	if a.publish == nil {
		return nil
	}
	return a.publish.Addr()
}

// Kill resets every session and ends draining.
func (a *Appliance) Kill() { a.kill() }

// Close ends everything at once and removes what New set up. Later calls do
// nothing.
func (a *Appliance) Close() error {
	var errs []error
	a.once.Do(func() {
		a.kill()
		a.closeIntakes()
		if a.admin != nil {
			errs = append(errs, a.admin.Close())
		}
		if a.publish != nil {
			errs = append(errs, a.publish.Close())
		}
		for _, f := range a.closers {
			errs = append(errs, f())
		}
		if a.feed != nil {
			errs = append(errs, a.feed.close())
		}
		if a.audit != nil {
			errs = append(errs, a.audit.Close())
		}
		if a.collector != nil {
			a.collector.Stop()
		}
	})
	return errors.Join(errs...)
}

// serve is the handler of every intake.
func (a *Appliance) serve(ctx context.Context, in *decrypt.Incoming) {
	a.metrics.SessionOpened(in.Intake)
	a.engine.Load().Serve(ctx, in)
}

// forbid is asked by intakes before they accept a proxy request: it refuses with
// a page what policy terminates whatever follows.
func (a *Appliance) forbid(in *decrypt.Incoming) (page []byte, forbidden bool) {
	g := a.engine.Load()
	if !g.early {
		return nil, false
	}
	s := g.Forbid(in)
	if s == nil {
		return nil, false
	}
	a.metrics.SessionOpened(in.Intake)
	a.ended(s, nil)
	return g.page.HTML(s), true
}

// ended is the engine's observer.
func (a *Appliance) ended(s *decrypt.Session, t decrypt.Stream) {
	a.metrics.SessionEnded(s)
	for leg, l := range map[string]decrypt.LegTLS{"client": s.ClientTLS, "origin": s.OriginTLS} {
		if l.Handshake > 0 {
			a.metrics.Handshake(leg, l.Handshake, l.Version != 0)
		}
	}
	var mirrors map[string]audit.Mirror
	var flow *audit.Flow
	var found facts.Report
	st, ok := t.(*stream)
	if !ok {
		st = a.feed.unheard(s)
	}
	if st != nil {
		mirrors, flow = st.report()
		if st.facts != nil {
			found = st.facts.Close()
		}
	}
	for service, finding := range s.Findings() {
		a.log.Warn("service found a threat", "session", s.ID, "service", service, "finding", finding, "client", s.Client, "origin", s.Origin)
	}
	a.audit.Write(audit.NewEntry(s, mirrors, flow).With(found))
}

// AdminAddr is where the administration listens, nil if it does not.
func (a *Appliance) AdminAddr() net.Addr {
	if a.admin == nil {
		return nil
	}
	return a.admin.Addr()
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
	return append(args, "fingerprint", a.engine.Load().authorities.trusted.Fingerprint(), "version", a.version)
}
