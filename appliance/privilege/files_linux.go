package privilege

import (
	"errors"
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// system are the files that programs of any kind read while they run: names and
// addresses, roots, time zones, what the kernel says of itself. Some are replaced by
// others of their name, so that directories stand here.
var system = []string{
	"/etc", "/usr/share/zoneinfo", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/lib/ssl", "/var/lib/ca-certificates",
	"/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
	"/proc", "/sys",
	"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom",
}

// Rights to files and directories, and to all below those. No file may be run, no
// socket or device made.
const (
	readFile  landlock.AccessFSSet = ll.AccessFSReadFile
	readDir   landlock.AccessFSSet = ll.AccessFSReadDir
	writeFile landlock.AccessFSSet = ll.AccessFSWriteFile | ll.AccessFSTruncate
	writeDir  landlock.AccessFSSet = ll.AccessFSMakeReg | ll.AccessFSMakeDir | ll.AccessFSRemoveFile | ll.AccessFSRemoveDir
)

// errNoLandlock is returned where the kernel has none, or has it switched off.
var errNoLandlock = errors.New("files are not bounded: this kernel has no Landlock")

// confineFiles has only the files of r opened from now on.
func confineFiles(r Rights) error {
	if v, err := ll.LandlockGetABIVersion(); err != nil || v < 1 {
		return errNoLandlock
	}
	if r.Sealed {
		if err := landlock.V8.BestEffort().Restrict(); err != nil {
			return fmt.Errorf("files and signals are not bounded: %w", err)
		}
		return nil
	}
	writeDir := writeDir
	if r.Moves {
		writeDir |= ll.AccessFSRefer
	}
	rules := []landlock.Rule{
		landlock.PathAccess(readFile|readDir, existing(system, true)...),
		landlock.PathAccess(readFile, existing(system, false)...),
		landlock.PathAccess(readFile|readDir, existing(r.Reads, true)...),
		landlock.PathAccess(readFile, existing(r.Reads, false)...),
		landlock.PathAccess(readFile|readDir|writeFile|writeDir, existing(r.Writes, true)...),
		landlock.PathAccess(readFile|writeFile, existing(append([]string{"/dev/null"}, r.Writes...), false)...),
	}
	// The network is what the process is for: ports are not bounded. Files, signals and
	// sockets are bounded at once: a second set of rules would forbid all moves.
	bounded := landlock.V8
	bounded.HandledAccessNet = 0
	if err := bounded.BestEffort().Restrict(rules...); err != nil {
		return fmt.Errorf("files and signals are not bounded: %w", err)
	}
	return nil
}

// existing returns those paths that are there and are directories, or are not.
func existing(paths []string, directories bool) (list []string) {
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil && info.IsDir() == directories {
			list = append(list, p)
		}
	}
	return list
}
