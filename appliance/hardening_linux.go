package appliance

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"

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
	have, err := cap.GetPID(0)
	if err != nil {
		return "", fmt.Errorf("read capabilities: %w", err)
	}
	keep := slices.DeleteFunc(needed(cfg, file), func(v cap.Value) bool { return !permits(have, v) })
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return "", fmt.Errorf("give new privileges up: %w", err)
	}
	if err := cap.ResetAmbient(); err != nil {
		return "", fmt.Errorf("clear ambient capabilities: %w", err)
	}
	if permits(have, cap.SETPCAP) { // without it the bounding set is out of reach, and as useless
		for v := range cap.MaxBits() {
			if slices.Contains(keep, v) {
				continue
			}
			if err := cap.DropBound(v); err != nil {
				return "", fmt.Errorf("drop %v from the bounding set: %w", v, err)
			}
		}
	}
	set := cap.NewSet()
	err = errors.Join(set.SetFlag(cap.Permitted, true, keep...), set.SetFlag(cap.Effective, true, keep...))
	if err == nil {
		err = set.SetProc()
	}
	if err != nil {
		return "", fmt.Errorf("drop capabilities: %w", err)
	}
	return capabilityNames(keep), nil
}

func permits(set *cap.Set, v cap.Value) bool {
	has, err := set.GetFlag(cap.Permitted, v)
	return has && err == nil
}
