package appliance

import (
	"os"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/feed"
	"github.com/clearspan/clearspan/appliance/publish"
)

// open opens the parts of the box. Each pushes its end on the stack of closers, and
// may use those before it. Parts that are not configured cost nothing.
func (a *Appliance) open() error {
	a.metrics = admin.NewMetrics(a.version)
	for _, part := range []func() error{
		a.openAdmission,
		a.openState,
		a.openAudit,
		a.openFeed,
		a.openLearned,
		a.openServices,
		a.openEngine,
		a.openIntakes,
		a.openPublish,
		a.openAdmin,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (a *Appliance) openState() error { return authority.MakeState(a.cfg.State) }

func (a *Appliance) openAudit() (err error) {
	if a.audit, err = audit.Open(a.cfg.Audit.File, a.log); err != nil {
		return err
	}
	a.closers.push("audit log", a.audit.Close)
	return a.metrics.AuditLost(a.audit.Lost)
}

func (a *Appliance) openFeed() (err error) {
	cfg := feed.Config{Mirrors: a.cfg.Mirrors, KeyLogFile: os.Getenv("SSLKEYLOGFILE"), Metrics: a.metrics, Logger: a.log}
	if a.cfg.Audit.Facts {
		cfg.Facts = &facts.Options{Queries: a.cfg.Audit.Queries}
	}
	if a.feed, err = feed.New(cfg); err != nil {
		return err
	}
	a.closers.push("mirrors", a.feed.Close)
	return nil
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

// material is what the publish page shows now.
func (a *Appliance) material() publish.Material { return a.engine.Load().authorities.Material() }

func (a *Appliance) openPublish() (err error) {
	if a.cfg.Authority.Publish == "" {
		return nil
	}
	a.publish, err = publish.New(publish.Config{Listen: a.cfg.Authority.Publish, Material: a.material, Logger: a.log})
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
	a.admin, err = admin.New(admin.Config{
		Listen: a.cfg.Admin.Listen, Ready: a.ready.Load, Metrics: a.metrics, Learned: a.learned, Token: token, Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.closers.push("administration", a.admin.Close)
	return nil
}
