package decrypt

import (
	"context"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// proofTimeout bounds how long a session that is to be tunneled waits for the DNS.
const proofTimeout = 3 * time.Second

// claimed returns the name on which the decision rests and which may be false: nobody
// has shown that it belongs to the destination. "" stands for none.
func (d *decision) claimed() string {
	a := d.account
	switch a.Decision.Claim {
	case policy.HostClaim:
		return d.questionable(d.asked.Host)
	case policy.SNIClaim:
		return d.questionable(a.SNI)
	}
	return ""
}

// questionable returns the name, or "" where we know by ourselves that it leads to the
// destination: the intake, or the engine, has looked it up to find the way, or the
// operator has named the destination.
func (d *decision) questionable(name string) string {
	a := d.account
	switch literal, err := netip.ParseAddr(name); {
	case d.in.Resolved, a.routed && name == a.SNI:
		return ""
	case a.Name != "" && plainName(a.Name) == plainName(name):
		return ""
	case err == nil && plainAddr(literal) == plainAddr(a.Origin.Addr()):
		return ""
	}
	return name
}

// provenOffhand reports whether the decision can stand without a look-up: it rests on no
// name, or the DNS has led the name to the destination within a day.
func (d *decision) provenOffhand() bool {
	name := d.claimed()
	return name == "" || d.engine.addresses.Has(name, d.account.Origin.Addr(), time.Now())
}

// unproven is what the policy says if nothing proves the name on which it rests.
func (d *decision) unproven() policy.Decision {
	f := *d.asked
	f.Events = d.account.Events().With(policy.TunnelUnproven)
	return d.engine.cfg.Policy.Decide(&f)
}

// prove finds out whether a session that a rule tunnels by a name goes to who has that
// name: by the DNS, while the origin is dialed, else by the certificate that the
// destination shows for it. Otherwise the event tunnel-unproven decides.
func (s *session) prove(ctx context.Context) (stage, error) {
	name := s.claimed()
	proven, err := s.proveByDNS(ctx, name)
	if err == nil && !proven {
		proven, err = s.proveByCertificate(ctx, name)
	}
	switch {
	case err != nil:
		return stageEnd, err
	case proven:
		s.settleClaim(name)
		return s.choose(), nil
	}
	s.account.note(policy.TunnelUnproven)
	f := *s.asked
	f.Events = s.account.Events()
	s.ask(&f)
	return s.choose(), nil
}

// proveByDNS is [Engine.resolves] beside dialing the origin. If an unproven session is
// terminated, the origin is not dialed before. It returns an error if the origin cannot
// be reached.
func (s *session) proveByDNS(ctx context.Context, name string) (proven bool, err error) {
	key := s.checkKey(name)
	if s.unproven().Action == policy.Terminate {
		proven, _ = s.engine.resolves(ctx, key, proofTimeout)
		return proven, nil
	}
	answered := make(chan error, 1)
	go func() {
		answered <- Contain(func() error { s.engine.resolves(ctx, key, proofTimeout); return nil })
	}()
	err = s.dial(ctx)
	if err := <-answered; err != nil {
		return false, err
	}
	return s.engine.addresses.Has(name, s.account.Origin.Addr(), time.Now()), err
}

// proveByCertificate finds out whether the destination has a valid certificate for the
// name. An origin leg that was open is another one afterwards.
func (s *session) proveByCertificate(ctx context.Context, name string) (proven bool, err error) {
	if s.hello == nil || s.upgraded() {
		return false, nil
	}
	if name == s.account.SNI && s.account.OriginTLS.Verdict == "ok" { // it was asked for to decide
		return true, nil
	}
	key := s.checkKey(name)
	if s.engine.checks.known(key, time.Now()) {
		return true, nil
	}
	if s.probe(ctx, name) != nil {
		return false, nil
	}
	s.remember(&s.engine.checks, key)
	return true, nil
}

// check lets only a session be tunneled whose name belongs to where it goes. Where the
// DNS answers, the answer decides. The certificate of the destination counts only where
// the DNS cannot be asked: who controls a destination can relay the probe to whom the
// name belongs.
func (s *session) check(ctx context.Context) (stage, error) {
	belongs, err := s.belongs(ctx, s.checkedName())
	if !belongs {
		s.denial = fail(reasonNameCheck, err, handshake.AlertAccessDenied)
		return stageTerminate, nil
	}
	s.settleClaim(s.checkedName())
	return stageTunnel, nil
}

// settleClaim notes that the name was shown to belong to where the session goes.
func (s *session) settleClaim(name string) {
	s.account.Decision.Claim = policy.NoClaim
	if s.questionable(name) != "" {
		s.shown = checkKey{name: name, origin: s.account.Origin}
	}
}

// strays reports whether the origin leg, once it was dialed again, leads elsewhere than
// where the name was shown to belong: a name that a proxy is asked for may have several
// addresses.
func (s *session) strays() bool {
	p := &s.shown
	return p.name != "" && s.account.Origin != p.origin && !s.engine.addresses.Has(p.name, s.account.Origin.Addr(), time.Now())
}

// checkedName is the name that tunnel-check asks about.
func (s *session) checkedName() string {
	if s.hello == nil && s.account.Decision.Claim == policy.HostClaim {
		return s.asked.Host
	}
	return s.account.SNI
}

// belongs finds whether a name belongs to where the session goes.
func (s *session) belongs(ctx context.Context, name string) (bool, error) {
	switch {
	case name == "":
		return false, nil
	case s.questionable(name) == "":
		return true, nil
	}
	key := s.checkKey(name)
	belongs, known := s.engine.resolves(ctx, key, s.engine.cfg.Origin.ConnectTimeout)
	switch {
	case belongs:
		return true, nil
	case known:
		return false, errElsewhere
	case s.hello == nil:
		return false, errUnasked
	case s.engine.checks.known(key, time.Now()):
		return true, nil
	}
	if err := s.probe(ctx, name); err != nil {
		return false, err
	}
	s.remember(&s.engine.checks, key)
	return true, nil
}
