package appliance

import (
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"

	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/appliance/blockpage"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/certs/fetch"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// generation is the part of the appliance that a reload replaces: an engine with
// its policy, judge, forger and authorities. Sessions end in the generation they
// began in.
type generation struct {
	*decrypt.Engine
	policy      *policy.Table
	sheds       bool // sessions are tunneled, not refused, where room is short
	forger      *certs.Forger
	authorities *authority.Set
	page        *blockpage.Page
	early       bool // proxy requests are refused, not what follows them
	skipped     int  // roots that cannot be read
}

// observe adds the metrics that are read from elsewhere.
func (a *Appliance) observe() error {
	a.metrics.Forged(func() (forged, hits uint64) {
		s := a.engine.Load().forger.Stats()
		return a.past.forged.Load() + s.Forged, a.past.hits.Load() + s.Hits
	})
	return errors.Join(
		a.metrics.QUICLost(a.quic.unwritten.Load, a.quic.forgotten),
		a.metrics.LeafCache(func() uint64 { return uint64(a.engine.Load().forger.Stats().Entries) }),
		a.metrics.RootsSkipped(func() uint64 { return uint64(a.engine.Load().skipped) }),
	)
}

// newGeneration makes the generation that cfg describes. It is not in force yet.
func (a *Appliance) newGeneration(cfg *config.Config) (_ *generation, err error) {
	if err := a.feed.Holds(cfg.Policy); err != nil {
		return nil, err
	}
	if err := a.hasServices(cfg); err != nil {
		return nil, err
	}
	g := &generation{sheds: cfg.Limits.Overload == config.TunnelOverload}
	g.early = cfg.Block.Answer != config.ResetRefused && !cfg.Block.HTTPS
	if g.policy, err = NewPolicy(cfg); err != nil {
		return nil, err
	}
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
		Trusted: g.authorities.Trusted, Untrusted: g.authorities.Untrusted, CRL: g.authorities.CRL(cfg.Leaf.CRL),
		Lifetime: cfg.Leaf.Lifetime, Cache: cfg.Leaf.Cache,
	})
	if err != nil {
		return nil, err
	}
	judge, err := a.newJudge(cfg, roots, g.authorities.Own)
	if err != nil {
		return nil, err
	}
	if g.page, err = blockpage.Load(cfg.Block.Page); err != nil {
		return nil, err
	}
	if g.Engine, err = a.newEngine(cfg, g, judge); err != nil {
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
	return certs.NewJudge(certs.JudgeConfig{
		Roots: roots, Own: own, MinVersion: cfg.Origin.MinTLS, Revocation: revocation,
	}), nil
}

// newEngine makes the engine of g. What g holds else is made.
func (a *Appliance) newEngine(cfg *config.Config, g *generation, judge *certs.Judge) (*decrypt.Engine, error) {
	var decides decrypt.Policy = g.policy
	if g.sheds {
		decides = shedPolicy{g.policy, a.admission.Level}
	}
	return decrypt.New(decrypt.Config{
		ByName:             cfg.Origin.Resolve == config.ResolveSNI,
		Names:              names(cfg.Policy),
		KeyLog:             a.feed.KeyLog(),
		Policy:             decides,
		Services:           a.services,
		Learner:            a.learned,
		Forger:             g.forger,
		Verifier:           judge,
		Tap:                a.feed,
		Resolver:           resolver,
		Ended:              a.ended,
		Logger:             a.log,
		OnInvalid:          cfg.Origin.OnInvalid.Action,
		HandshakeReason:    func(err error) string { return string(certs.ReasonOf(err)) },
		CertificateRequest: cfg.Origin.ClientCertificate,
		Refusal: decrypt.Refusal{
			Reset: cfg.Block.Answer == config.ResetRefused, Page: g.page.Serve, HTTPS: cfg.Block.HTTPS,
		},
		ClientMinVersion:     cfg.Client.MinTLS,
		FullClientHandshakes: !cfg.Client.Resumption,
		FullOriginHandshakes: !cfg.Origin.Resumption,
		OriginMinVersion:     cfg.Origin.MinTLS,
		HandshakeTimeout:     cfg.Client.HandshakeTimeout,
		SilenceTimeout:       cfg.Client.SilenceTimeout,
		Pending:              cfg.Limits.Pending,
		ConnectTimeout:       cfg.Origin.ConnectTimeout,
		IdleTimeout:          cfg.Client.IdleTimeout,
	})
}

// authorities returns those in force; nil before the first generation.
func (a *Appliance) authorities() *authority.Set {
	if g := a.engine.Load(); g != nil {
		return g.authorities
	}
	return nil
}

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

// Reload puts policy, block, leaf, client, origin and the session limit of cfg in force
// for sessions that begin from now on, and loads the authorities again. Changes
// elsewhere need a restart and are listed in the log. On error the running
// configuration stays.
func (a *Appliance) Reload(cfg *config.Config) error {
	a.reload.Lock()
	defer a.reload.Unlock()
	// The sections that need a restart stay what they are.
	merged := *cfg
	merged.State, merged.User, merged.Intakes, merged.Authority = a.cfg.State, a.cfg.User, a.cfg.Intakes, a.cfg.Authority
	merged.Mirrors, merged.Audit, merged.Admin = a.cfg.Mirrors, a.cfg.Audit, a.cfg.Admin
	merged.Limits.Memory, merged.Services = a.cfg.Limits.Memory, a.cfg.Services
	if a.publish == nil {
		merged.Leaf.CRL = "" // nobody would serve it
	}
	g, err := a.newGeneration(&merged)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	a.install(g)
	a.learned.SetOptions(lessons(&merged))
	for _, w := range a.wires {
		if err := w.SetExempt(a.exempt(g)); err != nil { // what it exempts is asked about as before
			a.log.Error("exempt addresses of a wire not replaced", "err", err)
		}
	}
	for _, in := range a.routes {
		if err := in.SetExempt(a.exemptRouted(g)); err != nil { // as before
			a.log.Error("exempt addresses of an intake not replaced", "err", err)
		}
	}
	a.limiter.SetMax(cfg.Limits.Sessions)
	if err := a.audit.Reopen(); err != nil {
		a.log.Error("audit trail not reopened", "err", err)
	}
	for key, same := range map[string]bool{
		"state":         a.cfg.State == cfg.State,
		"user":          a.cfg.User == cfg.User,
		"intake":        reflect.DeepEqual(a.cfg.Intakes, cfg.Intakes),
		"authority":     a.cfg.Authority == cfg.Authority,
		"mirror":        reflect.DeepEqual(a.cfg.Mirrors, cfg.Mirrors),
		"audit":         a.cfg.Audit == cfg.Audit,
		"admin":         a.cfg.Admin == cfg.Admin,
		"services":      reflect.DeepEqual(a.cfg.Services, cfg.Services),
		"limits.memory": a.cfg.Limits.Memory == cfg.Limits.Memory,
	} {
		if !same {
			a.log.Warn("change needs a restart", "key", key)
		}
	}
	a.cfg = &merged
	a.log.Info("reloaded", "rules", len(cfg.Policy.Rules))
	return nil
}
