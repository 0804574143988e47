package appliance

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/certs"
)

// makeState creates the state directory, for the owner alone.
func makeState(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create state directory: %w", err)
	}
	return nil
}

// openAuthorities loads both authorities, or creates those that the
// configuration does not name.
func (a *Appliance) openAuthorities() error {
	trusted, untrusted := AuthorityFiles(a.cfg)
	var err error
	if a.trusted, err = a.openAuthority(trusted, a.cfg.Authority.Certificate == "", "clearspan inspection authority"); err != nil {
		return err
	}
	a.untrusted, err = a.openAuthority(untrusted, a.cfg.Authority.UntrustedCertificate == "", "clearspan UNTRUSTED authority")
	return err
}

// KeyPair names the two files of an authority.
type KeyPair struct{ Certificate, Key string }

// AuthorityFiles tells where the authorities of cfg are.
func AuthorityFiles(cfg *config.Config) (trusted, untrusted KeyPair) {
	dir := cfg.AuthorityDir()
	trusted = KeyPair{cfg.Authority.Certificate, cfg.Authority.Key}
	untrusted = KeyPair{cfg.Authority.UntrustedCertificate, cfg.Authority.UntrustedKey}
	if trusted.Certificate == "" {
		trusted = KeyPair{filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")}
	}
	if untrusted.Certificate == "" {
		untrusted = KeyPair{filepath.Join(dir, "untrusted.crt"), filepath.Join(dir, "untrusted.key")}
	}
	return trusted, untrusted
}

func (a *Appliance) openAuthority(f KeyPair, create bool, name string) (*certs.Authority, error) {
	if !create {
		return certs.Load(f.Certificate, f.Key)
	}
	authority, created, err := certs.LoadOrCreate(f.Certificate, f.Key, certs.CreateOptions{CommonName: name})
	if err == nil && created {
		a.log.Info("authority created", "certificate", f.Certificate, "fingerprint", authority.Fingerprint())
	}
	return authority, err
}
