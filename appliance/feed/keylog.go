package feed

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/clearspan/clearspan/appliance/spool"
	"github.com/clearspan/clearspan/decrypt"
)

// keyLog gives the TLS secrets of decrypted sessions to the sinks that keep
// them and, if it is open, to one file. Safe for concurrent use.
type keyLog struct {
	sinks []*sink      // those that keep secrets
	file  *spool.Spool // nil: none
}

// openKeyLog returns nil if no sink keeps secrets. path names the file, which
// nobody but its owner may read; empty: none.
func openKeyLog(sinks []*sink, path string, log *slog.Logger) (*keyLog, error) {
	k := &keyLog{}
	for _, to := range sinks {
		if to.secrets != nil {
			k.sinks = append(k.sinks, to)
			log.Warn("TLS secrets are written: the files of this mirror decrypt every captured connection", "mirror", to.name)
		}
	}
	if len(k.sinks) == 0 {
		return nil, nil
	}
	if path == "" {
		return k, nil
	}
	notWritten := func(err error) { log.Error("TLS secrets not written", "file", path, "err", err) }
	var err error
	k.file, err = spool.Open(path, spool.Events{
		Full:   func() { notWritten(errors.New("the file takes nothing")) },
		Failed: notWritten,
	})
	if err != nil {
		return nil, fmt.Errorf("open SSLKEYLOGFILE: %w", err)
	}
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("mode of %s is %v, want at most 0600", path, info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open SSLKEYLOGFILE: %w", err), k.file.Close())
	}
	log.Warn("TLS secrets are written: this file decrypts every captured connection", "file", path)
	return k, nil
}

// writer returns where the secrets of a session go: to the sinks that show it
// and, if there is one, to the file. Nil if none shows it.
func (k *keyLog) writer(s *decrypt.Session) io.Writer {
	w := &keyWriter{log: k}
	for _, to := range k.sinks {
		if to.content[decrypt.Decrypted] && s.Decision.Treatment.Shows(to.name, decrypt.Decrypted.String()) {
			w.sinks = append(w.sinks, to)
		}
	}
	if len(w.sinks) == 0 {
		return nil
	}
	return w
}

// keyWriter takes the secrets of one session.
type keyWriter struct {
	log   *keyLog
	sinks []*sink
}

// Write takes one line. It waits for no file and never fails: a session must not end
// because its secrets are lost, of which the sinks keep count.
func (w *keyWriter) Write(line []byte) (int, error) {
	for _, to := range w.sinks {
		_ = to.secrets(line)
	}
	if file := w.log.file; file != nil {
		file.Write(line)
	}
	return len(line), nil
}

// close closes the file. No session may be open.
func (k *keyLog) close() error {
	if k.file == nil {
		return nil
	}
	return k.file.Close()
}
