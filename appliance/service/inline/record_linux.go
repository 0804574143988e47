package inline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/netspace"
)

// stateDir holds what has to be known after a crash.
const stateDir = "/run/clearspan/inline"

// record is kept in a file for as long as legs are away: how they were before.
type record struct {
	Home string           `json:"home"` // where they came from
	Legs [2]netspace.Port `json:"legs"`
}

func recordFile(name string) string { return filepath.Join(stateDir, name+".json") }
func lockFile(name string) string   { return filepath.Join(stateDir, name+".lock") }

// namespaceName names the namespace of a port, 0 that of the client.
func namespaceName(name string, side int) string {
	return "clearspan-inline-" + name + [2]string{"-near", "-far"}[side]
}

// readRecord returns fs.ErrNotExist if there is none.
func readRecord(name string) (*record, error) {
	b, err := os.ReadFile(recordFile(name))
	if err != nil {
		return nil, fmt.Errorf("read record of device: %w", err)
	}
	r := new(record)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("read record of device %s: %w", recordFile(name), err)
	}
	return r, nil
}

// write replaces the file.
func (r *record) write(name string) error {
	b, err := json.Marshal(r)
	if err == nil {
		next := recordFile(name) + ".next"
		if err = os.WriteFile(next, append(b, '\n'), 0o600); err == nil {
			err = os.Rename(next, recordFile(name))
		}
	}
	if err != nil {
		return fmt.Errorf("write record of device: %w", err)
	}
	return nil
}

// ErrInUse is returned for a device that another process, or this one, runs.
var ErrInUse = errors.New("inline device is in use by another process")

// lock is held while a device runs, or any is set up or removed. The kernel gives
// it back with the process.
type lock struct{ file *os.File }

// lockAll keeps others from setting up or removing any device meanwhile.
func lockAll() (*lock, error) { return takeLock(filepath.Join(stateDir, "lock"), unix.LOCK_EX) }

// lockOne returns ErrInUse if somebody has it.
func lockOne(name string) (*lock, error) {
	return takeLock(lockFile(name), unix.LOCK_EX|unix.LOCK_NB)
}

func takeLock(path string, how int) (*lock, error) {
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		return nil, fmt.Errorf("create state directory of devices: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &lock{f}, nil
}

func (l *lock) close() { l.file.Close() }

// Sweep gives back what devices of dead processes have left that ran in the network
// namespace of this process: legs, as they were, and namespaces. [New] does it too.
func Sweep() error {
	host, err := netspace.OwnHost()
	if err != nil {
		return err
	}
	defer host.Close()
	all, err := lockAll()
	if err != nil {
		return err
	}
	defer all.close()
	return sweep(host, "")
}

// sweep does what Sweep says, and takes the legs of the device own wherever they
// came from; the caller holds the lock of all.
func sweep(host *netspace.Host, own string) error {
	entries, err := os.ReadDir(stateDir)
	if err != nil {
		return fmt.Errorf("list devices: %w", err)
	}
	var errs []error
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		one, err := lockOne(name)
		if errors.Is(err, ErrInUse) {
			continue
		}
		if err == nil {
			err = reclaim(name, host, name == own)
			one.close()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("clean up after device %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// reclaim gives back what a dead process has left of a device, if it came from host
// or anywhere suffices; the caller holds both locks.
func reclaim(name string, host *netspace.Host, anywhere bool) error {
	r, err := readRecord(name)
	if err != nil {
		return err
	}
	if r.Home != host.ID() && !anywhere {
		return nil
	}
	for i, port := range r.Legs {
		in, err := netspace.Find(namespaceName(name, i))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := host.Return(port, in); err != nil {
			in.Close()
			return err
		}
		if err := in.Remove(); err != nil {
			return err
		}
	}
	return removeFiles(name)
}

// removeFiles forgets a device, if there was one; the caller holds both locks.
func removeFiles(name string) error {
	var errs []error
	for _, path := range []string{recordFile(name), lockFile(name)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
