package export

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// lookEvery is how often a process looks whether another one sends, or wants to.
const lookEvery = 100 * time.Millisecond

// turn tells whose turn it is to send: that of the process that has the lock of one file
// (flock(2)). Who waits for it has the lock of the other.
type turn struct {
	sends, waits *os.File
	holds        atomic.Bool
}

func openTurn(dir string) (*turn, error) {
	sends, err := os.OpenFile(filepath.Join(dir, "sends.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	waits, err := os.OpenFile(filepath.Join(dir, "waits.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		sends.Close()
		return nil, fmt.Errorf("open lock: %w", err)
	}
	return &turn{sends: sends, waits: waits}, nil
}

// take waits for the turn until ctx ends, and reports whether it has come.
func (t *turn) take(ctx context.Context) bool {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for !try(t.sends) {
		try(t.waits)
		select {
		case <-ctx.Done():
			unlock(t.waits)
			return false
		case <-look.C:
		}
	}
	unlock(t.waits)
	t.holds.Store(true)
	return true
}

func (t *turn) leave() {
	t.holds.Store(false)
	unlock(t.sends)
}

func (t *turn) has() bool { return t.holds.Load() }

// wanted reports whether another process waits for the turn.
func (t *turn) wanted() bool {
	if !try(t.waits) {
		return true
	}
	unlock(t.waits)
	return false
}

func (t *turn) close() error {
	t.waits.Close()
	return t.sends.Close()
}

func try(f *os.File) bool { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }

func unlock(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) } // it is open
