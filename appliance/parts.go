package appliance

import (
	"context"
	"crypto/tls"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/appliance/exceptions"
	"github.com/clearspan/clearspan/appliance/feed"
	"github.com/clearspan/clearspan/appliance/gcpace"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intakes"
	"github.com/clearspan/clearspan/appliance/publish"
	"github.com/clearspan/clearspan/appliance/rules"
	"github.com/clearspan/clearspan/appliance/services"
	"github.com/clearspan/clearspan/appliance/sessions"
	"github.com/clearspan/clearspan/appliance/tickets"
	"github.com/clearspan/clearspan/appliance/watch"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/learn"
)

// open opens the parts of the box. Each pushes its end on the stack of closers, and
// may use those before it. Parts that are not configured cost nothing.
func (a *Appliance) open() error {
	a.metrics = admin.NewMetrics(a.version)
	for _, part := range []func() error{
		a.openHealth,
		a.openAdmission,
		a.openState,
		a.openAudit,
		a.openFeed,
		a.openTickets,
		a.openLearned,
		a.openServices,
		a.openEngine,
		a.openIntakes,
		a.watchParts,
		a.openPublish,
		a.openAdmin,
		a.openControl,
		a.openWorkerSocket,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// openAdmission finds out what the process may take, and has the Go runtime and the
// engines keep to it.
func (a *Appliance) openAdmission() (err error) {
	overload := func() admission.Overload { return a.engine.Load().overload }
	a.limiter = intake.NewLimiter(a.cfg.Limits.Limits, func() (intake.Event, bool) { return intakes.Admit(a.admission, overload()) })
	if a.admission, err = admission.New(admission.Config{Options: a.cfg.Limits.Options, Open: a.limiter.Open}); err != nil {
		return err
	}
	goal := int64(min(a.admission.Goal(), math.MaxInt64))
	if goal < debug.SetMemoryLimit(-1) { // GOMEMLIMIT may be lower
		debug.SetMemoryLimit(goal)
	}
	decrypt.LimitBuffers(a.admission.Buffers())
	pacer := gcpace.Start(a.admission.Floor())
	a.closers.push("memory", func() error { pacer.Stop(); return nil })
	limit, whose := a.admission.Limit()
	a.log.Info("memory limit", "octets", limit, "scope", whose, "overload", string(a.cfg.Limits.Overload))
	return a.metrics.Memory(a.admission.Used, func() uint64 {
		limit, _ := a.admission.Limit()
		return limit
	})
}

func (a *Appliance) openState() error {
	a.asked = exceptions.Open(filepath.Join(a.cfg.State, exceptions.FileName))
	return authority.MakeState(a.cfg.State)
}

func (a *Appliance) openFeed() (err error) {
	cfg := feed.Config{Mirrors: a.cfg.Mirrors, KeyLogFile: os.Getenv("SSLKEYLOGFILE"), Metrics: a.metrics, Holder: a.holder(), Logger: a.log}
	if a.cfg.Audit.Facts {
		cfg.Facts = &a.cfg.Audit.Content
	}
	if a.feed, err = feed.New(cfg); err != nil {
		return err
	}
	a.closers.push("mirrors", a.feed.Close)
	a.book = &sessions.Book{Metrics: a.metrics, Feed: a.feed, Audit: a.audit, Watch: watch.New(0), Logger: a.log, Screen: a.screen}
	return nil
}

// openTickets reads the secrets of earlier processes, so that clients resume.
func (a *Appliance) openTickets() error {
	a.tickets = tickets.Open(filepath.Join(a.cfg.State, "tickets.secret"), a.log)
	return nil
}

// openLearned reads what earlier processes learned. It outlives generations.
func (a *Appliance) openLearned() error {
	a.learned = learn.New(rules.Lessons(a.cfg), learn.Config{Logger: a.log})
	a.lessons = filepath.Join(a.cfg.State, "learned.json")
	if err := a.learned.Load(a.lessons); err != nil {
		return err
	}
	return a.metrics.Learned(a.learned.Stats)
}

func (a *Appliance) openServices() (err error) {
	a.services, err = services.Open(services.Config{
		Services: a.cfg.Services, State: a.cfg.State, Metrics: a.metrics, Opened: a.closers.push,
		Holder: a.holder(), Logger: a.log,
	})
	return err
}

// openEngine makes the first generation. It ends with its sessions.
func (a *Appliance) openEngine() error {
	g, err := a.newGeneration(a.cfg)
	if err != nil {
		return err
	}
	a.install(g)
	return a.observe()
}

func (a *Appliance) openIntakes() (err error) {
	a.intakes, err = intakes.Open(intakes.Config{
		Configuration: a.cfg,
		Engine:        func() *intakes.Engine { return &a.engine.Load().Engine },
		Limiter:       a.limiter,
		Resolver:      net.DefaultResolver,
		Pages:         map[string]http.Handler{publish.Host: publish.Handler(a.material)},
		SecurePage: func(conn net.Conn, host string) {
			publish.ServeTLS(conn, host, publish.Handler(a.material), a.certify)
		},
		Book:    a.book,
		Metrics: a.metrics,
		Opened:  a.closers.push,
		Holder:  a.holder(),
		Pulse:   a.pulse,
		Logger:  a.log,
	})
	return err
}

// material is what the publish page shows now.
func (a *Appliance) material() publish.Material { return a.engine.Load().authorities.Material() }

// certify makes a leaf for our own pages.
func (a *Appliance) certify(ctx context.Context, name string) (*tls.Certificate, error) {
	return a.engine.Load().forger.Forge(ctx, nil, name, true, true)
}

func (a *Appliance) openPublish() (err error) {
	if a.cfg.Authority.Publish == "" {
		return nil
	}
	listeners, err := a.holder().Listeners(heldPublish)
	if err != nil {
		return err
	}
	a.publish, err = publish.New(publish.Config{
		Listen: a.cfg.Authority.Publish, Listeners: listeners, Material: a.material, Certify: a.certify, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.closers.push("publishing", a.publish.Close)
	return nil
}

func (a *Appliance) openAdmin() error {
	if a.cfg.Admin.Listen == "" {
		return nil
	}
	token, err := admin.MakeToken(a.cfg.State)
	if err != nil {
		return err
	}
	listeners, err := a.holder().Listeners(heldAdmin)
	if err != nil {
		return err
	}
	a.admin, err = admin.New(admin.Config{
		Options: a.cfg.Admin, Listeners: listeners, Health: a.health, Metrics: a.metrics, Learned: a.learned, Token: token, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.closers.push("administration", a.admin.Close)
	return nil
}
