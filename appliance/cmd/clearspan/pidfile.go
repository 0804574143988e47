package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func pidFile(state string) string { return filepath.Join(state, "clearspan.pid") }

// writePID leaves the process's number for the reload command. One state
// directory serves one process: the file is locked as long as that lives.
func writePID(state string) (remove func(), err error) {
	name := pidFile(state)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create pid file: %w", err)
	}
	// The reload command holds the lock, too, for a moment.
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

// lock takes the lock of a file without waiting; how is LOCK_EX or LOCK_SH.
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

// runningProcess returns the number of the process that runs with a state
// directory. A process that was killed leaves its file behind, but not its lock.
func runningProcess(state string) (int, error) {
	name := pidFile(state)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("no appliance runs with state directory %s: there is no %s", state, name)
	}
	if err != nil {
		return 0, fmt.Errorf("find the running appliance: %w", err)
	}
	defer f.Close()
	locked, err := lock(f, syscall.LOCK_SH)
	if err != nil {
		return 0, fmt.Errorf("find the running appliance: %w", err)
	}
	if locked {
		return 0, fmt.Errorf("no appliance runs with state directory %s: the process that wrote %s was killed", state, name)
	}
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil {
		return 0, fmt.Errorf("find the running appliance: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("find the running appliance: %s holds no process number", name)
	}
	return pid, nil
}
