package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// record is kept in a file for as long as a wire exists: how it runs, and what
// its legs were before. Keys are never given another meaning; unknown ones are
// passed over, so that versions can follow one another.
type record struct {
	Legs     [2]leg `json:"legs"`
	Takeover string `json:"takeover"`
	Down     string `json:"down"`
	Stall    int64  `json:"stall_ns"`
	Home     string `json:"home"` // network namespace of the legs; "" in records of older versions
	Link     string `json:"link"` // "" in records of older versions
	DownLeg  string `json:"held"` // the leg that is down since the other one has no carrier; "": none
}

func recordFile(name string) string { return filepath.Join(stateDir, name+".json") }
func lockFile(name string) string   { return filepath.Join(stateDir, name+".lock") }

// readRecord returns fs.ErrNotExist if there is no such wire.
func readRecord(name string) (*record, error) {
	b, err := os.ReadFile(recordFile(name))
	if err != nil {
		return nil, fmt.Errorf("read record of wire: %w", err)
	}
	r := new(record)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("read record of wire %s: %w", recordFile(name), err)
	}
	return r, nil
}

// write replaces the file.
func (r *record) write(name string) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write record of wire: %w", err)
	}
	next := recordFile(name) + ".next"
	if err := os.WriteFile(next, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write record of wire: %w", err)
	}
	if err := os.Rename(next, recordFile(name)); err != nil {
		return fmt.Errorf("write record of wire: %w", err)
	}
	return nil
}

// lock is held while a wire is set up or removed. The kernel gives it back with
// the process.
type lock struct{ file *os.File }

// lockAll keeps other processes from setting up or removing any wire meanwhile.
func lockAll() (*lock, error) {
	l, err := openLock(filepath.Join(stateDir, "lock"))
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(l.file.Fd()), unix.LOCK_EX); err != nil {
		l.close()
		return nil, fmt.Errorf("lock wires: %w", err)
	}
	return l, nil
}

// lockOne is held by the process that runs a wire.
func lockOne(name string) (*lock, error) {
	l, err := openLock(lockFile(name))
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(l.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		l.close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("lock wire %s: %w", name, err)
	}
	return l, nil
}

// ErrInUse is returned for a wire that another process runs.
var ErrInUse = errors.New("wire is in use by another process")

func openLock(path string) (*lock, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, fmt.Errorf("create state directory of wires: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	return &lock{f}, nil
}

func (l *lock) close() { l.file.Close() }
