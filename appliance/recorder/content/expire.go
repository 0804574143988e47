package content

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// again has the objects that came a short while ago, and were there already: their rows may
// not be written yet, so that they are younger than anybody knows.
type again struct {
	mu     sync.Mutex
	now    map[[32]byte]struct{}
	before map[[32]byte]struct{}
	turned time.Time
	full   bool // more came than are noted
}

const (
	graceTime = 15 * time.Minute // at least; at most twice that
	maxAgain  = 1 << 20
)

// turn begins a new map when the time has come. mu is held.
func (a *again) turn() {
	if time.Since(a.turned) < graceTime {
		return
	}
	a.before, a.now, a.turned, a.full = a.now, make(map[[32]byte]struct{}), time.Now(), false
}

// kept reports whether an object is there, which nobody takes away then for a while.
func (s *Store) kept(hash [32]byte) (f file, is bool) {
	s.again.mu.Lock()
	defer s.again.mu.Unlock()
	f, err := s.find(hash)
	if err != nil {
		return f, false
	}
	s.again.turn()
	if len(s.again.now) < maxAgain {
		s.again.now[hash] = struct{}{}
	} else {
		s.again.full = true
	}
	return f, true
}

// Remove removes an object. It returns false if the object has to stay, because it came again
// a short while ago. It is no error if it is not there.
func (s *Store) Remove(hash [32]byte) (bool, error) {
	s.again.mu.Lock()
	defer s.again.mu.Unlock()
	s.again.turn()
	_, now := s.again.now[hash]
	_, before := s.again.before[hash]
	if now || before || s.again.full {
		return false, nil
	}
	f, err := s.find(hash)
	if err == nil {
		err = os.Remove(f.path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err == nil, err
}

// Each calls f with the objects that are there, and their files.
func (s *Store) Each(f func(hash [32]byte, file fs.FileInfo) error) error {
	return filepath.WalkDir(s.dir, func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		h, err := hex.DecodeString(strings.TrimSuffix(strings.TrimSuffix(e.Name(), locked), compressed))
		if e.IsDir() || err != nil || len(h) != 32 {
			return nil
		}
		i, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return f([32]byte(h), i)
	})
}
