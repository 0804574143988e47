package appliance

import (
	"crypto/x509"
	"errors"
	"net"
	"time"

	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/appliance/blockpage"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/intakes"
	"github.com/clearspan/clearspan/appliance/rules"
	"github.com/clearspan/clearspan/appliance/upstream"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/certs/fetch"
	"github.com/clearspan/clearspan/decrypt"
)

// generation is the part of the appliance that a reload replaces: an engine with
// its policy, judge, forger and authorities. Sessions end in the generation they
// began in.
type generation struct {
	intakes.Engine
	overload    admission.Overload
	certified   func(host string) bool // has users with client certificates; nil: none has
	forger      *certs.Forger
	authorities *authority.Set
	page        *blockpage.Page
	skipped     int // roots that cannot be read
}

// observe adds the metrics that are read from elsewhere.
func (a *Appliance) observe() error {
	a.metrics.Forged(func() (forged, hits uint64) {
		s := a.engine.Load().forger.Stats()
		return a.past.forged.Load() + s.Forged, a.past.hits.Load() + s.Hits
	})
	return errors.Join(
		a.metrics.LeafCache(func() uint64 { return uint64(a.engine.Load().forger.Stats().Entries) }),
		a.metrics.RootsSkipped(func() uint64 { return uint64(a.engine.Load().skipped) }),
	)
}

// newGeneration makes the generation that cfg describes. It is not in force yet.
func (a *Appliance) newGeneration(cfg *config.Config) (_ *generation, err error) {
	if err := a.feed.Holds(cfg.Policy); err != nil {
		return nil, err
	}
	if err := a.services.Has(cfg.Policy); err != nil {
		return nil, err
	}
	g := &generation{overload: cfg.Limits.Overload}
	if g.Policy, err = rules.Table(cfg); err != nil {
		return nil, err
	}
	if g.certified, err = rules.CertificateHost(cfg); err != nil {
		return nil, err
	}
	router, err := rules.Router(cfg)
	if err != nil {
		return nil, err
	}
	g.StandIn = router.StandIn
	roots, skipped, err := certs.LoadRoots(cfg.Origin.Roots)
	if err != nil {
		return nil, err
	}
	for _, err := range skipped {
		a.log.Warn("root skipped", "err", err)
	}
	g.skipped = len(skipped)
	if g.authorities, err = authority.Load(cfg, a.directory, a.authorities(), a.log); err != nil {
		return nil, err
	}
	g.forger, err = certs.NewForger(certs.ForgerConfig{
		Trusted: g.authorities.Trusted, Untrusted: g.authorities.Untrusted, CRL: g.authorities.CRL(cfg.Leaf.CRL), LeafOptions: cfg.Leaf.LeafOptions,
	})
	if err != nil {
		return nil, err
	}
	judge, err := a.newJudge(cfg, roots, g.authorities.Own)
	if err != nil {
		return nil, err
	}
	if g.page, err = blockpage.New(cfg.Block.Options, a.askedFor); err != nil {
		return nil, err
	}
	if cfg.Block.Answer != decrypt.ResetRefused && !cfg.Block.HTTPS {
		g.Early = g.page.HTML
	}
	if g.Engine.Engine, err = a.newEngine(cfg, g, judge, router); err != nil {
		return nil, err
	}
	return g, nil
}

// newJudge makes what judges the certificates of origins. No origin may hold one of own.
func (a *Appliance) newJudge(cfg *config.Config, roots *x509.CertPool, own []*x509.Certificate) (*certs.Judge, error) {
	lists, err := certs.LoadCRLs(cfg.Origin.Revocation.CRL)
	if err != nil {
		return nil, err
	}
	revocation := cfg.Origin.Revocation.RevocationConfig
	revocation.CRLs = lists
	revocation.Fetcher, revocation.Logger = fetch.New(fetch.Config{Allow: cfg.Origin.Revocation.Allow}), a.log
	judge := certs.JudgeConfig{Roots: roots, Own: own, MinVersion: cfg.Origin.MinTLS, Revocation: revocation}
	if cfg.Origin.FetchIntermediates {
		judge.Issuers = certs.IssuersConfig{Timeout: revocation.Timeout, Fetcher: revocation.Fetcher, Logger: a.log}
	}
	return certs.NewJudge(judge), nil
}

// newEngine makes the engine of g. What g holds else is made.
func (a *Appliance) newEngine(cfg *config.Config, g *generation, judge *certs.Judge, router *upstream.Router) (*decrypt.Engine, error) {
	var decides decrypt.Policy = g.Policy
	if g.overload == admission.Tunnel {
		decides = admission.ShedPolicy{Table: g.Policy, Level: a.admission.Level}
	}
	return decrypt.New(decrypt.Config{
		Client:  cfg.Client,
		Origin:  cfg.Origin.OriginOptions,
		Limits:  cfg.Limits.Engine,
		Refusal: decrypt.Refusal{RefusalOptions: cfg.Block.RefusalOptions, Page: g.page.Serve},

		Policy:          decides,
		Upstream:        rules.Upstreams(cfg, router),
		Names:           rules.Names(cfg.Policy),
		Resolver:        net.DefaultResolver,
		Addresses:       &a.resolved,
		CertificateHost: g.certified,
		Forger:          g.forger,
		Verifier:        judge,
		HandshakeReason: func(err error) string { return string(certs.ReasonOf(err)) },
		Tap:             a.book,
		KeyLog:          a.feed.KeyLog(),
		Services:        a.services.Of,
		Tickets:         a.tickets.Secrets,
		TicketScope:     g.authorities.Scope(),
		Learner:         a.learned,
		Watch:           a.book.Watch.Begin,
		Relayed:         a.metrics.Relayed,
		Ended:           a.book.Ended,
		Logger:          a.log,
	})
}

// authorities returns those in force; nil before the first generation.
func (a *Appliance) authorities() *authority.Set {
	if g := a.engine.Load(); g != nil {
		return g.authorities
	}
	return nil
}

// changes returns when the authorities in force are to be loaded again, zero for never.
func (a *Appliance) changes() time.Time { return a.engine.Load().authorities.Changes }

// install puts g in force for sessions that begin from now on.
func (a *Appliance) install(g *generation) {
	before := a.engine.Swap(g)
	if before == nil {
		g.authorities.Announce(nil, a.log)
		return
	}
	s := before.forger.Stats()
	a.past.forged.Add(s.Forged)
	a.past.hits.Add(s.Hits)
	g.authorities.Announce(before.authorities, a.log)
	select {
	case a.renewed <- struct{}{}:
	default: // it will look anyway
	}
}
