package authority

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/certs"
)

// credential is the name under which systemd gives the passphrase to a service:
// LoadCredentialEncrypted=authority-passphrase:FILE.
const credential = "authority-passphrase"

// Passphrase returns what opens the authority's key if that is encrypted: the
// configured file, systemd's credential, or, asked once, prompt. A nil prompt
// stands for a process without a terminal. stored says that it comes without a
// prompt, so that new keys can be encrypted with it.
func Passphrase(cfg *config.Config, prompt certs.Passphrase) (ask certs.Passphrase, stored bool) {
	if file := cfg.Authority.PassphraseFile; file != "" {
		return func() (string, error) { return ReadPassphrase(file) }, true
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		file := filepath.Join(dir, credential)
		if _, err := os.Stat(file); err == nil {
			return func() (string, error) { return ReadPassphrase(file) }, true
		}
	}
	if prompt == nil {
		return func() (string, error) {
			return "", fmt.Errorf("%w: name a file by authority.passphrase_file, or start on a terminal", certs.ErrPassphrase)
		}, false
	}
	return sync.OnceValues(prompt), false
}

const maxPassphrase = 1024 // octets

// ReadPassphrase returns the first line of a file that only its owner, or root
// and the service that systemd made it for, may read.
func ReadPassphrase(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	// systemd gives credentials to other users by an access list, whose mask
	// shows as the group's bits.
	if perm := info.Mode().Perm(); perm&0o037 != 0 {
		return "", fmt.Errorf("read passphrase: %s: mode %04o lets other users read it, want 0600", file, perm)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxPassphrase+1))
	if err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	line = strings.TrimSuffix(line, "\r")
	switch {
	case line == "":
		return "", fmt.Errorf("read passphrase: %s: first line is empty", file)
	case len(line) > maxPassphrase:
		return "", errors.New("read passphrase: " + file + ": line is too long")
	}
	return line, nil
}
