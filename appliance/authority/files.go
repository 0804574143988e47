package authority

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/certs"
)

// MakeState creates the state directory, for the owner alone. It refuses one that
// other users may write to, who could put another authority into it.
func MakeState(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create state directory: %w", err)
	}
	return certs.CheckDirectory(dir)
}

// KeyPair names the two files of an authority.
type KeyPair struct{ Certificate, Key string }

// Files tells where the authorities of cfg are.
func Files(cfg *config.Config) (trusted, untrusted KeyPair) {
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
