package netlab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// namesDir is where ip(8) and this package bind the names of namespaces.
const namesDir = "/run/netns"

var (
	prefixPattern = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
	ownedPattern  = regexp.MustCompile(`^([a-z0-9]+)-([0-9]+)-[0-9]+-`)
)

func validPrefix(prefix string) bool { return prefixPattern.MatchString(prefix) }

// Leftovers lists what labs of the prefix have, or have left, on this machine:
// the paths of names of namespaces and of directories, and processes inside
// those namespaces. It is empty when all labs of the prefix are closed.
func Leftovers(prefix string) ([]string, error) { return leftovers(prefix, prefix+"-") }

// leftovers is Leftovers for names that begin with start.
func leftovers(prefix, start string) ([]string, error) {
	var found []string
	for _, dir := range []string{namesDir, os.TempDir()} {
		paths, err := owned(dir, prefix)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			if !strings.HasPrefix(filepath.Base(path), start) {
				continue
			}
			found = append(found, path)
			if dir != namesDir {
				continue
			}
			pids, err := inside(inodeOf(path))
			if err != nil {
				return nil, err
			}
			for _, pid := range pids {
				found = append(found, fmt.Sprintf("process %d in %s", pid, path))
			}
		}
	}
	return found, nil
}

// Sweep removes the leftovers of labs of the prefix whose process is gone, as
// after SIGKILL: processes in their namespaces, names, directories.
func Sweep(prefix string) error {
	var errs []error
	for _, dir := range []string{namesDir, os.TempDir()} {
		paths, err := owned(dir, prefix)
		if err != nil {
			return err
		}
		for _, path := range paths {
			if ownerLives(filepath.Base(path)) {
				continue
			}
			if dir != namesDir {
				errs = append(errs, os.RemoveAll(path))
				continue
			}
			if inode := inodeOf(path); inode != 0 {
				errs = append(errs, endInside(inode, stopGrace))
			}
			errs = append(errs, removeName(filepath.Base(path)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sweep leftovers of %s: %w", prefix, err)
	}
	return nil
}

// owned returns the paths in dir that are named as a lab of the prefix names
// its things.
func owned(dir, prefix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix+"-") {
			continue
		}
		if m := ownedPattern.FindStringSubmatch(e.Name()); m != nil && m[1] == prefix {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

func ownerLives(name string) bool {
	m := ownedPattern.FindStringSubmatch(name)
	pid, err := strconv.Atoi(m[2])
	return err != nil || unix.Kill(pid, 0) != unix.ESRCH
}

// inodeOf returns the inode of the namespace bound to path, 0 if there is none.
func inodeOf(path string) uint64 {
	var st unix.Stat_t
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) != nil || fs.Type != unix.NSFS_MAGIC || unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Ino
}

// inside lists the processes, other than this one, whose main thread is in the
// network namespace. Zombies are in none.
func inside(inode uint64) ([]int, error) {
	if inode == 0 {
		return nil, nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	want := fmt.Sprintf("net:[%d]", inode)
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if at, err := os.Readlink(filepath.Join("/proc", e.Name(), "ns/net")); err == nil && at == want {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// endInside ends all processes in the namespace, SIGTERM first, SIGKILL after
// grace, and waits up to 5 s more for their end.
func endInside(inode uint64, grace time.Duration) error {
	start := time.Now()
	asked := make(map[int]bool)
	for {
		pids, err := inside(inode)
		if err != nil || len(pids) == 0 {
			return err
		}
		late := time.Since(start) > grace
		if time.Since(start) > grace+5*time.Second {
			return fmt.Errorf("processes %s survive SIGKILL", strings.Trim(fmt.Sprint(pids), "[]"))
		}
		for _, pid := range pids {
			switch {
			case late:
				signalInside(pid, inode, syscall.SIGKILL)
			case !asked[pid]:
				signalInside(pid, inode, syscall.SIGTERM)
				asked[pid] = true
			}
		}
		time.Sleep(pollEvery)
	}
}

// signalInside signals a process if it still is in the namespace. The handle is
// taken before the look, so that a reused pid is never hit.
func signalInside(pid int, inode uint64, sig syscall.Signal) {
	p, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	defer func() { _ = p.Release() }()
	at, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err == nil && at == fmt.Sprintf("net:[%d]", inode) {
		_ = p.Signal(sig)
	}
}
