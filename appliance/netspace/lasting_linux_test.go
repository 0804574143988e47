package netspace

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/clearspan/clearspan/hack/netlab"
)

func TestLasting(t *testing.T) {
	if os.Getenv("CLEARSPAN_TEST_LASTING") != "" {
		if err := Lasting(); !errors.Is(err, ErrPassing) {
			t.Errorf("in a mount namespace of its own: %v", err)
		}
		return
	}
	netlab.ForTest(t)
	if err := Lasting(); err != nil {
		t.Errorf("in the mount namespace of PID 1: %v", err)
	}
	cmd := exec.Command("unshare", "--mount", os.Args[0], "-test.run", "^TestLasting$")
	cmd.Env = append(os.Environ(), "CLEARSPAN_TEST_LASTING=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestFirst: mounts of the first program of a container end with it.
func TestFirst(t *testing.T) {
	process := func(namespace, comm string) string {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "ns"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(namespace, filepath.Join(dir, "ns", "mnt")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "comm"), []byte(comm+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	own := process("mnt:[1]", "clearspan")
	for _, tt := range []struct {
		name, first string
		passing     bool
	}{
		{"init", process("mnt:[1]", "systemd"), false},
		{"itself", process("mnt:[1]", "clearspan"), true},
		{"elsewhere", process("mnt:[2]", "systemd"), true},
	} {
		if err := lasting(tt.first, own); errors.Is(err, ErrPassing) != tt.passing || err != nil && !tt.passing {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if err := lasting(t.TempDir(), own); err == nil || errors.Is(err, ErrPassing) {
		t.Errorf("no PID 1: %v", err)
	}
}
