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

// Files tells where the authorities of cfg are.
func Files(cfg *config.Config) (trusted, untrusted config.KeyFiles) {
	dir := cfg.AuthorityDir()
	trusted = config.KeyFiles{Certificate: cfg.Authority.Certificate, Key: cfg.Authority.Key}
	untrusted = config.KeyFiles{Certificate: cfg.Authority.UntrustedCertificate, Key: cfg.Authority.UntrustedKey}
	if trusted.Certificate == "" {
		trusted = config.KeyFiles{Certificate: filepath.Join(dir, "ca.crt"), Key: filepath.Join(dir, "ca.key")}
	}
	if untrusted.Certificate == "" {
		untrusted = config.KeyFiles{Certificate: filepath.Join(dir, "untrusted.crt"), Key: filepath.Join(dir, "untrusted.key")}
	}
	return trusted, untrusted
}
