package privilege

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Harden keeps keys and cleartext out of core dumps and away from other processes
// of the same user. It concerns the whole process; call it once, before anything
// is opened.
func Harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("switch core dumps off: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make process undumpable: %w", err)
	}
	return nil
}
