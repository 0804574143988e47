package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/clearspan/clearspan/appliance/authority"
	"github.com/clearspan/clearspan/appliance/keeper"
)

func pidFile(state string) string { return filepath.Join(state, "clearspan.pid") }

// stateLock is the resource of the state directory. It leaves the keeper's number there
// for those who send it signals. One directory serves one keeper: the file is locked as
// long as that lives.
func stateLock(state string) keeper.Resource {
	return keeper.Resource{
		Name: "state", Key: "state " + state, Private: true,
		Open: func() (keeper.Holding, error) {
			if err := authority.MakeState(state); err != nil {
				return nil, err
			}
			f, err := writePID(state)
			if err != nil {
				return nil, err
			}
			return lockedState{keeper.Files{f}, state}, nil
		},
		Adopt: func(files []*os.File) (keeper.Holding, error) { return lockedState{files, state}, nil },
	}
}

type lockedState struct {
	files keeper.Files
	state string
}

func (l lockedState) Files() []*os.File { return l.files }
func (l lockedState) Stop() error       { return nil }
func (l lockedState) Paths() []string   { return []string{pidFile(l.state)} }

func (l lockedState) Close() error {
	return errors.Join(os.Remove(pidFile(l.state)), l.files.Close())
}

// writePID makes and locks the file.
func writePID(state string) (*os.File, error) {
	name := pidFile(state)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create pid file: %w", err)
	}
	// A process that ends holds the lock for another moment.
	locked, err := lock(f, syscall.LOCK_EX)
	for end := time.Now().Add(100 * time.Millisecond); err == nil && !locked && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		locked, err = lock(f, syscall.LOCK_EX)
	}
	if err == nil && !locked {
		f.Close()
		return nil, fmt.Errorf("state directory %s is in use by another clearspan", state)
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("write pid file: %w", err)
	}
	return f, nil
}

// lock takes the lock of a file without waiting.
func lock(f *os.File, how int) (locked bool, err error) {
	switch err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err {
	case nil:
		return true, nil
	case syscall.EWOULDBLOCK:
		return false, nil
	default:
		return false, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
}
