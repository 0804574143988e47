package privilege

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sealed is a process that tries to reach beyond its descriptors. It prints what went.
func sealed() int {
	u, err := FindUser("")
	if err == nil {
		_, err = Confine(Rights{User: u, Sealed: true, Reads: []string{"/etc"}, Writes: []string{"/tmp"}})
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for name, try := range map[string]func() error{
		"read /etc/hosts": func() error { return readable("/etc/hosts") },
		"read of itself":  func() error { return readable("/proc/self/status") },
		"write a file":    func() error { return os.WriteFile("/tmp/clearspan-test-sealed", nil, 0o600) },
		"list the root":   func() error { _, err := os.ReadDir("/"); return err },
		"listen":          func() error { _, err := net.Listen("tcp", "127.0.0.1:0"); return err },
		"a socket":        func() error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
		"socketpair":      func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
		"run a program":   func() error { return exec.Command("/bin/true").Run() },
		"memory as file":  func() error { _, err := unix.MemfdCreate("x", 0); return err },
	} {
		if try() == nil {
			fmt.Println(name)
		}
	}
	return 0
}

// TestSealed: a sealed process opens nothing.
func TestSealed(t *testing.T) {
	t.Parallel()
	c := exec.Command("/proc/self/exe", "-test.run=^$")
	c.Env = append(os.Environ(), "CLEARSPAN_TEST_SEALED=1")
	out, err := c.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "" {
		t.Errorf("%v: it could: %s", err, out)
	}
}
