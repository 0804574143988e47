package appliance

import (
	"fmt"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// Harden keeps keys and cleartext out of core dumps and away from other
// processes of the same user. It concerns the whole process; call it once, before
// [New]. memory, in octets, is what the Go runtime aims to stay within; 0 sets no
// such goal.
func Harden(memory uint64) error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("switch core dumps off: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("make process undumpable: %w", err)
	}
	if memory > 0 {
		debug.SetMemoryLimit(int64(min(memory, 1<<62)))
	}
	return nil
}
