package recorder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	lockName = "lock"
	waitFor  = time.Minute // for another process of the directory
)

// lockDirectory has a directory be this process's alone, as far as it is written to, until the
// file is closed. It may wait for a process that ends.
func lockDirectory(dir string, patient bool) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(waitFor); ; time.Sleep(waitFor / 600) {
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			return f, nil
		}
		if !patient || time.Now().After(until) {
			return nil, errors.Join(fmt.Errorf("%s is in use by another recorder", dir), f.Close())
		}
	}
}
