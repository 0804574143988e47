// Package tickets keeps the secrets of session tickets in a file, so that clients resume
// after a reload, a restart and an upgrade, and with each of two processes that run at once.
//
// The file holds secrets of the oldest period that still opens tickets. Each process moves
// it on every hour: secrets of earlier periods are nowhere then, in memory or in the file.
// Processes with one file may do that at the same time. A lock beside the file keeps them
// apart.
package tickets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/decrypt/ticket"
)

const (
	version = 1
	maxFile = 16 << 10 // octets
	lockEnd = ".lock"  // behind the name of the file
	retry   = time.Minute
)

// File is the secrets of one process, and their file. Safe for concurrent use.
type File struct {
	Secrets *ticket.Secrets

	path string
	log  *slog.Logger
	now  func() time.Time
}

// Open reads the secrets of a file. It makes new ones if there is none, or if it holds none
// that can be used. A file that cannot be written costs no more than tickets: they end with
// the process, and a warning is logged. A nil logger discards.
func Open(path string, log *slog.Logger) *File {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f := &File{Secrets: ticket.NewSecrets(), path: path, log: log, now: time.Now}
	f.read(func(held []ticket.Secret) []ticket.Secret {
		if len(held) == 0 {
			return f.Secrets.List(f.now())
		}
		return held
	})
	return f
}

// Renew reads the file again and moves it on. If its secrets are others than those in memory,
// they are in use from now on, and those in memory open tickets for three hours more. So it
// is if the file is gone: then it gets a new secret.
func (f *File) Renew() {
	f.read(func(held []ticket.Secret) []ticket.Secret {
		now := f.now()
		mine := f.Secrets.List(now)
		if len(held) == 0 {
			held = []ticket.Secret{ticket.New(now)}
		}
		for _, s := range mine {
			if !knows(held, s) {
				if s.Until.IsZero() {
					s.Until = now.Add(ticket.Periods * ticket.Period).Truncate(time.Second)
				}
				held = append(held, s)
			}
		}
		return held
	})
}

// knows reports whether one of list leads to s or s to it.
func knows(list []ticket.Secret, s ticket.Secret) bool {
	for _, known := range list {
		at := max(known.Hour, s.Hour)
		a, okA := known.At(at)
		b, okB := s.At(at)
		if okA && okB && a.Octets == b.Octets {
			return true
		}
	}
	return false
}

// Run moves the file on at the begin of every hour, until ctx ends.
func (f *File) Run(ctx context.Context) {
	for {
		now := f.now()
		// A timer does not run while the machine sleeps: a minute late is soon enough.
		wait := min(now.Truncate(ticket.Period).Add(ticket.Period).Sub(now)+time.Second, 10*retry)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if !f.now().Truncate(ticket.Period).Equal(now.Truncate(ticket.Period)) {
			f.Renew()
		}
	}
}

// read has merge say what the secrets are, given those of the file that are in use, and
// writes them if that changes the file.
func (f *File) read(merge func(held []ticket.Secret) []ticket.Secret) {
	unlock, err := f.lock()
	if err != nil {
		f.log.Warn("session tickets end with the process", "file", f.path, "err", err)
		f.Secrets.Set(merge(nil))
		return
	}
	defer unlock()
	held, err := f.load()
	if err != nil {
		f.log.Warn("secret of session tickets replaced", "file", f.path, "err", err)
	}
	now := f.now()
	var usable []ticket.Secret
	if len(held) > 0 {
		if list := ticket.NewSecrets(held...).List(now); knows(held, list[0]) {
			usable = list
		}
	}
	f.Secrets.Set(merge(usable))
	if err := f.save(f.Secrets.List(now)); err != nil {
		f.log.Warn("session tickets end with the process", "file", f.path, "err", err)
	}
}

// lock waits until no other process has the lock of the file.
func (f *File) lock() (unlock func(), err error) {
	l, err := os.OpenFile(f.path+lockEnd, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for end := f.now().Add(5 * time.Second); ; {
		err = unix.Flock(int(l.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { l.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || f.now().After(end) {
			l.Close()
			return nil, fmt.Errorf("lock %s: %w", f.path, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

type file struct {
	Version int    `json:"version"`
	Secrets []item `json:"secrets"`
}

type item struct {
	Hour   int64     `json:"hour"`
	Secret []byte    `json:"secret"`
	Until  time.Time `json:"until,omitzero"`
}

// load returns what is in the file, nothing if there is none.
func (f *File) load() ([]ticket.Secret, error) {
	r, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return nil, fmt.Errorf("mode %04o lets other users read it", perm)
	}
	return decode(r)
}

func decode(r io.Reader) ([]ticket.Secret, error) {
	var all file
	if err := json.NewDecoder(io.LimitReader(r, maxFile)).Decode(&all); err != nil {
		return nil, err
	}
	if all.Version != version {
		return nil, fmt.Errorf("version is %d, not %d", all.Version, version)
	}
	list := make([]ticket.Secret, 0, len(all.Secrets))
	for _, i := range all.Secrets {
		s := ticket.Secret{Hour: i.Hour, Until: i.Until}
		if copy(s.Octets[:], i.Secret) != len(s.Octets) || len(i.Secret) != len(s.Octets) || s.Octets == [32]byte{} {
			return nil, errors.New("a secret has not 32 octets")
		}
		list = append(list, s)
	}
	return list, nil
}

// save replaces the file as a whole.
func (f *File) save(list []ticket.Secret) (err error) {
	all := file{Version: version}
	for _, s := range list {
		all.Secrets = append(all.Secrets, item{s.Hour, s.Octets[:], s.Until})
	}
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	w, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	if err == nil {
		err = w.Sync()
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(w.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(w.Name()))
	}
	return nil
}
