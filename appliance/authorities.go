package appliance

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/publish"
	"github.com/clearspan/clearspan/certs"
)

// authorities are the certificates and keys of a generation.
type authorities struct {
	trusted, untrusted *certs.Authority
	next               *certs.Authority // signs from then on; nil if no rotation is planned
	from               time.Time
	exported           []*x509.Certificate // what clients need
	own                []*x509.Certificate // what no origin may hold
	changes            time.Time           // when to load them again; zero: nothing is planned
	lists              []*certs.RevocationList
}

// AuthorityDirectory is where cfg keeps the authority that clients trust, unless
// it names files of its own. prompt may be nil.
func AuthorityDirectory(cfg *config.Config, prompt certs.Passphrase) certs.Directory {
	ask, stored := Passphrase(cfg, prompt)
	return certs.Directory{Path: cfg.AuthorityDir(), Passphrase: ask, Encrypt: stored}
}

// loadAuthorities loads both authorities, and creates those that cfg does not
// name and that are not there.
func (a *Appliance) loadAuthorities(cfg *config.Config) (*authorities, error) {
	created, s := false, &authorities{}
	if err := certs.CheckDirectory(cfg.AuthorityDir()); err != nil {
		return nil, err
	}
	if cfg.Authority.Certificate == "" {
		var held *certs.Held
		var err error
		create := &certs.CreateOptions{CommonName: "clearspan inspection authority"}
		held, created, err = a.directory.Open(time.Now(), create)
		if err != nil {
			return nil, err
		}
		s.trusted, s.next, s.from = held.Signing, held.Next, held.From
		s.exported, s.own, s.changes = held.Exported, held.Own, held.Changes
	} else {
		trusted, err := certs.LoadEncrypted(cfg.Authority.Certificate, cfg.Authority.Key, a.directory.Passphrase)
		if err != nil {
			return nil, err
		}
		s.trusted = trusted
		s.exported = []*x509.Certificate{trusted.Certificate()}
		s.own = []*x509.Certificate{trusted.Certificate()}
	}
	files, untrusted := AuthorityFiles(cfg)
	if created {
		a.log.Info("authority created", "certificate", files.Certificate, "fingerprint", s.trusted.Fingerprint())
	}
	var err error
	if cfg.Authority.UntrustedCertificate != "" {
		s.untrusted, err = certs.LoadEncrypted(untrusted.Certificate, untrusted.Key, a.directory.Passphrase)
	} else {
		// Nobody trusts it: its key is not worth a passphrase.
		s.untrusted, created, err = certs.LoadOrCreate(untrusted.Certificate, untrusted.Key, certs.CreateOptions{CommonName: "clearspan UNTRUSTED authority"})
		if err == nil && created {
			a.log.Info("authority created", "certificate", untrusted.Certificate, "fingerprint", s.untrusted.Fingerprint())
		}
	}
	if err != nil {
		return nil, err
	}
	s.own = append(s.own, s.untrusted.Certificate())
	if cfg.Leaf.CRL == "" {
		return s, nil
	}
	list, err := certs.NewRevocationList(s.trusted, nil)
	if err != nil {
		return nil, fmt.Errorf("leaf.crl: %w", err)
	}
	s.lists = []*certs.RevocationList{list}
	// Leaves of the authority before this one may be looked at for some time.
	if g := a.engine.Load(); g != nil && len(g.authorities.lists) > 0 && g.authorities.lists[0].Name() != list.Name() {
		s.lists = append(s.lists, g.authorities.lists[0])
	}
	return s, nil
}

// crl is what leaves name as their distribution point, "" for none.
func (s *authorities) crl(cfg *config.Config) string {
	if len(s.lists) == 0 {
		return ""
	}
	return cfg.Leaf.CRL + "/" + s.lists[0].Name()
}

// material is what the publish page shows now.
func (a *Appliance) material() publish.Material {
	s := a.engine.Load().authorities
	m := publish.Material{Certificates: s.exported, Lists: s.lists}
	if s.next != nil {
		m.Next = s.from
	}
	return m
}

// announce puts changes of the authority into the log. before may be nil.
func (a *Appliance) announce(before, now *authorities) {
	if before != nil && !before.trusted.Certificate().Equal(now.trusted.Certificate()) {
		a.log.Info("authority rotated", "fingerprint", now.trusted.Fingerprint(), "predecessor", before.trusted.Fingerprint())
	}
	if now.next != nil && (before == nil || before.next == nil || !before.next.Certificate().Equal(now.next.Certificate())) {
		a.log.Info("authority rotation planned", "fingerprint", now.trusted.Fingerprint(), "successor", now.next.Fingerprint(), "signs_from", now.from.Format(time.RFC3339))
	}
	if before != nil && before.next != nil && now.next == nil && !before.next.Certificate().Equal(now.trusted.Certificate()) {
		a.log.Info("authority rotation cancelled", "successor", before.next.Fingerprint())
	}
}

const (
	rotateCheck = time.Hour   // a timer does not run while the machine sleeps
	rotateRetry = time.Minute // after a failure
)

// rotate loads the authorities again when a change is due, until ctx ends.
func (a *Appliance) rotate(ctx context.Context) {
	for wait := time.Duration(0); ; {
		if changes := a.engine.Load().authorities.changes; !changes.IsZero() {
			wait = max(wait, min(time.Until(changes), rotateCheck))
		} else {
			wait = rotateCheck
		}
		select {
		case <-ctx.Done():
			return
		case <-a.renewed: // by a reload
			wait = 0
			continue
		case <-time.After(wait):
		}
		wait = 0
		if changes := a.engine.Load().authorities.changes; changes.IsZero() || time.Now().Before(changes) {
			continue
		}
		if err := a.renew(); err != nil {
			a.log.Error("authority not rotated", "err", err)
			wait = rotateRetry
		}
	}
}

// renew is a reload of the authorities alone.
func (a *Appliance) renew() error {
	a.reload.Lock()
	defer a.reload.Unlock()
	g, err := a.newGeneration(a.cfg)
	if err != nil {
		return err
	}
	a.install(g)
	return nil
}
