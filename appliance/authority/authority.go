// Package authority is the two certificate authorities of a box: the one that clients
// trust, and the untrusted one for origins that fail verification. It finds their files,
// creates them, and loads them for one generation of the configuration. It signs
// nothing itself: see package certs.
package authority

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/publish"
	"github.com/clearspan/clearspan/certs"
)

// Set is the certificates and keys of a generation. It does not change.
type Set struct {
	Trusted, Untrusted *certs.Authority
	Next               *certs.Authority // signs from then on; nil if no rotation is planned
	From               time.Time
	Exported           []*x509.Certificate // what clients need
	Own                []*x509.Certificate // what no origin may hold
	Changes            time.Time           // when to load them again; zero: nothing is planned
	Lists              []*certs.RevocationList
}

// Directory is where cfg keeps the authority that clients trust, unless it names files
// of its own. prompt may be nil.
func Directory(cfg *config.Config, prompt certs.Passphrase) certs.Directory {
	ask, stored := Passphrase(cfg, prompt)
	return certs.Directory{Path: cfg.AuthorityDir(), Passphrase: ask, Encrypt: stored}
}

// Load loads both authorities from their files, and creates those that cfg does not name
// and that are not there. from is that of cfg. before is the set that this one follows,
// nil for the first.
func Load(cfg *config.Config, from certs.Directory, before *Set, log *slog.Logger) (*Set, error) {
	if err := certs.CheckDirectory(cfg.AuthorityDir()); err != nil {
		return nil, err
	}
	s := &Set{}
	if err := s.loadTrusted(cfg, from, log); err != nil {
		return nil, err
	}
	if err := s.loadUntrusted(cfg, from, log); err != nil {
		return nil, err
	}
	if cfg.Leaf.CRL == "" {
		return s, nil
	}
	list, err := certs.NewRevocationList(s.Trusted, nil)
	if err != nil {
		return nil, fmt.Errorf("leaf.crl: %w", err)
	}
	s.Lists = []*certs.RevocationList{list}
	// Leaves of the authority before this one may be looked at for some time.
	if before != nil && len(before.Lists) > 0 && before.Lists[0].Name() != list.Name() {
		s.Lists = append(s.Lists, before.Lists[0])
	}
	return s, nil
}

func (s *Set) loadTrusted(cfg *config.Config, from certs.Directory, log *slog.Logger) error {
	if cfg.Authority.Certificate != "" {
		trusted, err := certs.LoadEncrypted(cfg.Authority.Certificate, cfg.Authority.Key, from.Passphrase)
		if err != nil {
			return err
		}
		s.Trusted = trusted
		s.Exported = []*x509.Certificate{trusted.Certificate()}
		s.Own = []*x509.Certificate{trusted.Certificate()}
		return nil
	}
	held, created, err := from.Open(time.Now(), &certs.CreateOptions{CommonName: Name(TrustedName, time.Now())})
	if err != nil {
		return err
	}
	s.Trusted, s.Next, s.From = held.Signing, held.Next, held.From
	s.Exported, s.Own, s.Changes = held.Exported, held.Own, held.Changes
	if created {
		files, _ := Files(cfg)
		log.Info("authority created", "certificate", files.Certificate, "fingerprint", s.Trusted.Fingerprint())
	}
	return nil
}

func (s *Set) loadUntrusted(cfg *config.Config, from certs.Directory, log *slog.Logger) (err error) {
	_, files := Files(cfg)
	created := false
	if cfg.Authority.UntrustedCertificate != "" {
		s.Untrusted, err = certs.LoadEncrypted(files.Certificate, files.Key, from.Passphrase)
	} else {
		// Nobody trusts it: its key is not worth a passphrase.
		s.Untrusted, created, err = certs.LoadOrCreate(files.Certificate, files.Key, certs.CreateOptions{CommonName: Name(UntrustedName, time.Now())})
	}
	if err != nil {
		return err
	}
	if created {
		log.Info("authority created", "certificate", files.Certificate, "fingerprint", s.Untrusted.Fingerprint())
	}
	s.Own = append(s.Own, s.Untrusted.Certificate())
	return nil
}

// CRL is what leaves name as their distribution point below base, "" for none.
func (s *Set) CRL(base string) string {
	if len(s.Lists) == 0 {
		return ""
	}
	return base + "/" + s.Lists[0].Name()
}

// Scope names the keys of both authorities (SHA-256 of each SubjectPublicKeyInfo). What a
// client was shown by one set of them is not good with another.
func (s *Set) Scope() []byte {
	scope := make([]byte, 0, 2*sha256.Size)
	for _, a := range []*certs.Authority{s.Trusted, s.Untrusted} {
		sum := sha256.Sum256(a.Certificate().RawSubjectPublicKeyInfo)
		scope = append(scope, sum[:]...)
	}
	return scope
}

// Material is what the publish page shows.
func (s *Set) Material() publish.Material {
	m := publish.Material{Certificates: s.Exported, Lists: s.Lists}
	if s.Next != nil {
		m.Next = s.From
	}
	return m
}

// Announce puts what changed since the set before into the log. before may be nil.
func (s *Set) Announce(before *Set, log *slog.Logger) {
	if before != nil && !before.Trusted.Certificate().Equal(s.Trusted.Certificate()) {
		log.Info("authority rotated", "fingerprint", s.Trusted.Fingerprint(), "predecessor", before.Trusted.Fingerprint())
	}
	if s.Next != nil && (before == nil || before.Next == nil || !before.Next.Certificate().Equal(s.Next.Certificate())) {
		log.Info("authority rotation planned", "fingerprint", s.Trusted.Fingerprint(), "successor", s.Next.Fingerprint(), "signs_from", s.From.Format(time.RFC3339))
	}
	if before != nil && before.Next != nil && s.Next == nil && !before.Next.Certificate().Equal(s.Trusted.Certificate()) {
		log.Info("authority rotation cancelled", "successor", before.Next.Fingerprint())
	}
}
