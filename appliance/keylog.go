package appliance

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/clearspan/clearspan/decrypt"
)

// keyLog gives the TLS secrets of decrypted sessions to the outlets that keep
// them and, if it is open, to one file. Safe for concurrent use.
type keyLog struct {
	outlets []*outlet // those that keep secrets
	log     *slog.Logger

	mu     sync.Mutex
	file   *os.File // nil: none
	failed bool     // the last write to the file failed
}

// openKeyLog returns nil if no outlet keeps secrets. path names the file, which
// nobody but its owner may read; empty: none.
func openKeyLog(outlets []*outlet, path string, log *slog.Logger) (*keyLog, error) {
	k := &keyLog{log: log}
	for _, o := range outlets {
		if o.secrets != nil {
			k.outlets = append(k.outlets, o)
			log.Warn("TLS secrets are written: the files of this mirror decrypt every captured connection", "mirror", o.name)
		}
	}
	if len(k.outlets) == 0 {
		return nil, nil
	}
	if path == "" {
		return k, nil
	}
	var err error
	if k.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return nil, fmt.Errorf("open SSLKEYLOGFILE: %w", err)
	}
	info, err := k.file.Stat()
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("open SSLKEYLOGFILE: mode of %s is %v, want at most 0600", path, info.Mode().Perm())
	}
	if err != nil {
		k.file.Close()
		return nil, err
	}
	log.Warn("TLS secrets are written: this file decrypts every captured connection", "file", path)
	return k, nil
}

// writer returns where the secrets of a session go: to the outlets that show it
// and, if there is one, to the file. Nil if none shows it.
func (k *keyLog) writer(s *decrypt.Session) io.Writer {
	w := &keyWriter{log: k}
	for _, o := range k.outlets {
		if o.content[decrypt.Decrypted] && s.Decision.Treatment.Shows(o.name, decrypt.Decrypted.String()) {
			w.outlets = append(w.outlets, o)
		}
	}
	if len(w.outlets) == 0 {
		return nil
	}
	return w
}

// keyWriter takes the secrets of one session.
type keyWriter struct {
	log     *keyLog
	outlets []*outlet
}

// Write takes one line. It never fails: a session must not end because its
// secrets are lost, of which the sinks keep count.
func (w *keyWriter) Write(line []byte) (int, error) {
	for _, o := range w.outlets {
		_ = o.secrets(line)
	}
	k := w.log
	if k.file == nil {
		return len(line), nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	_, err := k.file.Write(line)
	if err != nil && !k.failed {
		k.log.Error("TLS secrets not written", "file", k.file.Name(), "err", err)
	}
	k.failed = err != nil
	return len(line), nil
}

// close closes the file. No session may be open.
func (k *keyLog) close() error {
	if k.file == nil {
		return nil
	}
	return k.file.Close()
}
