package privilege

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/needs"
)

// TestGuard has a process, and a program that it starts, try what is guarded, and go on
// with what is not.
func TestGuard(t *testing.T) {
	if os.Geteuid() != 0 {
		needs.Missing(t, "needs root")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CLEARSPAN_TEST_GUARDED=first")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// guarded is the process. stage is first for the one that guards itself.
func guarded(stage string) error {
	if stage == "first" {
		if err := errors.Join(Guard(), Guard()); err != nil { // the second one finds a filter
			return err
		}
	}
	for name, number := range map[string]uintptr{"init_module": unix.SYS_INIT_MODULE, "ptrace": unix.SYS_PTRACE, "settimeofday": unix.SYS_SETTIMEOFDAY, "keyctl": unix.SYS_KEYCTL} {
		// Without arguments the kernel would say something else.
		if _, _, err := unix.Syscall(number, ^uintptr(0), ^uintptr(0), ^uintptr(0)); err != unix.EPERM {
			return fmt.Errorf("%s, %s: %w", stage, name, err)
		}
	}
	if stage != "first" {
		return nil
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "CLEARSPAN_TEST_GUARDED=second")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
