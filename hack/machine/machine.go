// Package machine boots systemd as process 1 of a machine of its own: namespaces for
// processes, mounts, network and control groups, on a copy of this machine's files that
// goes when the machine goes. Units and packages are tried there as operators have them.
package machine

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

//go:embed boot.sh
var boot string

// bootsWithin bounds the start of systemd.
const bootsWithin = 2 * time.Minute

// Machine is a booted one. Its methods may be called from any goroutine.
type Machine struct {
	group   string // its control group
	unshare *exec.Cmd
	log     bytes.Buffer // of the boot; read it after the end
	pid     int          // of systemd, as this machine has it
}

// ForTest boots a machine that ends with the test. The test is skipped with -short and
// where it may not make one, but fails there if CI is set.
func ForTest(t *testing.T) *Machine {
	t.Helper()
	if testing.Short() {
		t.Skip("boots a machine: left out with -short")
	}
	if os.Geteuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("needs root")
	}
	m, err := Boot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// Boot boots a machine. dir is an empty directory, which others must not use.
func Boot(dir string) (*Machine, error) {
	m := &Machine{}
	if err := m.boot(dir); err != nil {
		closing := m.Close()
		return nil, errors.Join(fmt.Errorf("boot a machine: %w\n%s", err, m.log.String()), closing)
	}
	return m, nil
}

func (m *Machine) boot(dir string) error {
	top, err := groups()
	if err != nil {
		return err
	}
	if m.group, err = os.MkdirTemp(top, "clearspan-machine-"); err != nil {
		return err
	}
	script := filepath.Join(dir, "boot.sh")
	root := filepath.Join(dir, "machine")
	if err := errors.Join(os.WriteFile(script, []byte(boot), 0o700), os.Mkdir(root, 0o755)); err != nil {
		return err
	}
	// The shell enters the control group, which is then the top of the namespace.
	m.unshare = exec.Command("/bin/sh", "-c", `echo $$ >"$0/cgroup.procs" && exec unshare --pid --mount --cgroup --net --ipc --uts --fork --kill-child bash "$1" "$2"`, m.group, script, root)
	m.unshare.Stdout, m.unshare.Stderr = &m.log, &m.log
	if err := m.unshare.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), bootsWithin)
	defer cancel()
	for {
		if m.booted() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/exe", m.unshare.Process.Pid)); err != nil {
			return errors.New("it ended at once")
		}
	}
}

// groups returns where control groups of version 2 are.
func groups() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1], nil
		}
	}
	return "", errors.New("no control groups of version 2 are mounted")
}

// booted reports whether systemd has reached its target.
func (m *Machine) booted() bool {
	if m.pid == 0 {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", m.unshare.Process.Pid))
		m.pid, _ = strconv.Atoi(strings.TrimSpace(string(children)))
	}
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", m.pid))
	return string(name) == "systemd\n" && m.Command("systemctl", "--quiet", "is-active", "lab.target").Run() == nil
}

// Command is a program that runs there.
func (m *Machine) Command(args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"-t", strconv.Itoa(m.pid), "--all", "--"}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0"}
	cmd.Dir = "/"
	return cmd
}

// Try runs a shell script there, and returns what it printed.
func (m *Machine) Try(script string) (string, error) {
	out, err := m.Command("bash", "-c", script).CombinedOutput()
	return string(out), err
}

// Run is Try for what must succeed.
func (m *Machine) Run(t *testing.T, script string) string {
	t.Helper()
	out, err := m.Try(script)
	if err != nil {
		journal, _ := m.Try("journalctl -b --no-pager -o cat | tail -n 40")
		t.Fatalf("%s\n%v\n%s\njournal:\n%s", script, err, out, journal)
	}
	return out
}

// Wait runs a script until it succeeds.
func (m *Machine) Wait(t *testing.T, script string) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		out, err := m.Try(script)
		if err == nil {
			return out
		}
		if time.Now().After(end) {
			return m.Run(t, script)
		}
	}
}

// Write writes a file there, and the directories above it.
func (m *Machine) Write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	here := m.Path(path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(here), 0o755), os.WriteFile(here, []byte(text), mode), os.Chmod(here, mode)); err != nil {
		t.Fatal(err)
	}
}

// Install copies a file of this machine there.
func (m *Machine) Install(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	m.Write(t, to, string(text), mode)
}

// Path is a path there, as processes of this machine have it.
func (m *Machine) Path(path string) string { return fmt.Sprintf("/proc/%d/root%s", m.pid, path) }

// Close ends all processes of the machine. Its files are gone then.
func (m *Machine) Close() error {
	if m.unshare != nil && m.unshare.Process != nil {
		m.unshare.Process.Kill() // and systemd with it
		m.unshare.Wait()
	}
	if m.group == "" {
		return nil
	}
	var err error
	for range 200 { // processes that were killed take a moment to go
		if err = removeGroups(m.group); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("end a machine: %w", err)
}

// removeGroups removes a control group and those below it.
func removeGroups(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeGroups(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return os.Remove(dir)
}
