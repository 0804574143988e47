package appliance

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"

	"github.com/clearspan/clearspan/appliance/config"
)

// Harden keeps keys and cleartext out of core dumps and away from other
// processes of the same user. It concerns the whole process; call it once, before
// [New].
func Harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("switch core dumps off: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make process undumpable: %w", err)
	}
	return nil
}

// Confine drops, in every thread and for good, all capabilities that an open
// appliance of cfg does not need, and with them the way to get any by running
// another program. Call it after [New]. file is the configuration file, "" if
// there is none. It returns the names of what is left.
func Confine(cfg *config.Config, file string) (left string, err error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return "", fmt.Errorf("read capabilities: %w", err)
	}
	have := capabilities(data[0].Permitted) | capabilities(data[1].Permitted)<<32
	keep := needed(cfg, file) & have

	if err := prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return "", fmt.Errorf("give new privileges up: %w", err)
	}
	if err := prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return "", fmt.Errorf("clear ambient capabilities: %w", err)
	}
	if have.has(unix.CAP_SETPCAP) { // without it the bounding set is out of reach, and as useless
		for bit := uint(0); bit <= unix.CAP_LAST_CAP; bit++ {
			if in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(bit), 0, 0, 0); err != nil || in == 0 || keep.has(bit) {
				continue
			}
			if err := prctl(unix.PR_CAPBSET_DROP, uintptr(bit), 0); err != nil {
				return "", fmt.Errorf("drop capability %d from the bounding set: %w", bit, err)
			}
		}
	}
	low, high := uint32(keep), uint32(keep>>32)
	data = [2]unix.CapUserData{{Effective: low, Permitted: low}, {Effective: high, Permitted: high}}
	header = unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	_, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return "", fmt.Errorf("drop capabilities: %w", errno)
	}
	return keep.String(), nil
}

// prctl makes a call in every thread of the process.
func prctl(option, a, b uintptr) error {
	if _, _, errno := psx.Syscall6(unix.SYS_PRCTL, option, a, b, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
