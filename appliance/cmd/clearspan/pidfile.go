package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

func pidFile(state string) string { return filepath.Join(state, "clearspan.pid") }

// writePID leaves the process's number for those who send it signals. One state
// directory serves one process: the file is locked as long as that lives.
func writePID(state string) (remove func(), err error) {
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
	return func() {
		os.Remove(name)
		f.Close()
	}, nil
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
