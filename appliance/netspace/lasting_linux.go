package netspace

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// ErrPassing is returned where mounts end with the process: names of namespaces, and pins
// of kernel programs, are mounts.
var ErrPassing = errors.New("the mount namespace is not that of PID 1, and ends with the process")

// Lasting returns nil if what this process mounts outlives it: if it is in the mount
// namespace of PID 1, and PID 1 is another program. It returns an error that is
// [ErrPassing] if not, and another one if that cannot be told.
func Lasting() error { return lasting("/proc/1", "/proc/self") }

func lasting(first, own string) error {
	same, err := sameMounts(first, own)
	if err != nil {
		return fmt.Errorf("compare mount namespaces: %w", err)
	}
	if !same {
		return ErrPassing
	}
	// In a container, mounts end with the first program.
	if a, err := os.ReadFile(first + "/comm"); err == nil {
		if b, err := os.ReadFile(own + "/comm"); err == nil && bytes.Equal(a, b) {
			return fmt.Errorf("%w: PID 1 is %s itself", ErrPassing, strings.TrimSpace(string(a)))
		}
	}
	return nil
}

// sameMounts reports whether two processes share a mount namespace. Without the right to
// look at the namespace itself it compares the numbers of mounts, which no two namespaces
// share (proc_pid_mountinfo(5)).
func sameMounts(first, own string) (bool, error) {
	mine, err := os.Readlink(own + "/ns/mnt")
	if err != nil {
		return false, err
	}
	other, err := os.Readlink(first + "/ns/mnt")
	if err == nil {
		return mine == other, nil
	}
	if !errors.Is(err, fs.ErrPermission) {
		return false, err
	}
	known, err := mountNumbers(first)
	if err != nil {
		return false, err
	}
	numbers, err := mountNumbers(own)
	if err != nil {
		return false, err
	}
	for n := range numbers {
		if known[n] {
			return true, nil
		}
	}
	return false, nil
}

func mountNumbers(process string) (map[string]bool, error) {
	text, err := os.ReadFile(process + "/mountinfo")
	if err != nil {
		return nil, err
	}
	numbers := make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		number, _, _ := strings.Cut(line, " ")
		numbers[number] = true
	}
	return numbers, nil
}
