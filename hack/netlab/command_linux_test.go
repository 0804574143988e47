package netlab

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func goexit() { runtime.Goexit() }

func TestCommandRunsInside(t *testing.T) {
	ns := namespaces(t, ForTest(t), "a")[0]
	c := ns.Command(context.Background(), "sh", "-c", "cat /proc/net/dev; echo $WORD; cat; echo bad >&2")
	var stderr bytes.Buffer
	c.Env, c.Stdin, c.Stderr = []string{"WORD=hello", "PATH=" + os.Getenv("PATH")}, strings.NewReader("in\n"), &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(out), ":"); n != 1 || !strings.HasSuffix(string(out), "hello\nin\n") || stderr.String() != "bad\n" {
		t.Errorf("got %d interfaces, stderr %q, stdout:\n%s", n, stderr.String(), out)
	}
}

func TestCommandSurvivesItsStarter(t *testing.T) {
	ns := namespaces(t, ForTest(t), "a")[0]
	c := ns.Command(context.Background(), "sleep", "60")
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread of the caller of Start ends at once
		done <- c.Start()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.Done():
		t.Fatalf("process ended with the thread of its starter: %v", c.Wait())
	case <-time.After(100 * time.Millisecond):
	}
	var exit *exec.ExitError
	if err := c.Stop(2 * time.Second); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("got %v", err)
	}
}

func TestCommandEnds(t *testing.T) {
	ns := namespaces(t, ForTest(t), "a")[0]
	t.Run("by context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		if err := ns.Command(ctx, "sleep", "60").Run(); err == nil {
			t.Error("sleep ended well")
		}
	})
	t.Run("by kill", func(t *testing.T) {
		c := ns.Command(context.Background(), "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
		out := &lockedBuffer{ready: make(chan struct{}, 1)}
		c.Stdout = out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		<-out.ready
		var exit *exec.ExitError
		if err := c.Stop(100 * time.Millisecond); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("got %v", err)
		}
	})
	t.Run("missing program", func(t *testing.T) {
		if err := ns.Command(context.Background(), "/nonexistent").Run(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}

// lockedBuffer tells when something was written.
type lockedBuffer struct{ ready chan struct{} }

func (b *lockedBuffer) Write(p []byte) (int, error) {
	select {
	case b.ready <- struct{}{}:
	default:
	}
	return len(p), nil
}

func TestCloseEndsDetachedProcesses(t *testing.T) {
	lab := ForTest(t)
	ns := namespaces(t, lab, "a")[0]
	// The child detaches itself into a session of its own, its parent ends.
	out, err := ns.Command(context.Background(), "sh", "-c", "setsid sleep 61 >/dev/null 2>&1 & echo $!").Output()
	if err != nil {
		t.Fatal(err)
	}
	pids, err := inside(ns.inode)
	if err != nil || len(pids) == 0 {
		t.Fatalf("no process inside: %v, started %s", err, out)
	}
	left, err := Leftovers(TestPrefix)
	if err != nil || !strings.Contains(strings.Join(left, "\n"), "process "+strconv.Itoa(pids[0])) {
		t.Errorf("Leftovers does not show the process: %q, %v", left, err)
	}
	if err := lab.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err == nil && !zombie(pid) {
			t.Errorf("process %d lives", pid)
		}
	}
}

func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestSweepRemovesTheDead(t *testing.T) {
	const prefix = "cssweep"
	lab, err := New(prefix)
	if missing := (*CapabilityError)(nil); errors.As(err, &missing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lab.Close() }()
	namespaces(t, lab, "alive")

	gone := exec.Command("true") // a pid that is not in use any more
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	dead := &Lab{stem: prefix + "-" + strconv.Itoa(gone.Process.Pid) + "-1"}
	ns := namespaces(t, dead, "dead")[0]
	defer func() { _ = dead.Close() }()
	dir, err := dead.Dir("files")
	if err != nil {
		t.Fatal(err)
	}
	c := ns.Command(context.Background(), "sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if left, err := Leftovers(prefix); err != nil || len(left) != 4 {
		t.Errorf("before: %q, %v", left, err)
	}
	if err := Sweep(prefix); err != nil {
		t.Fatal(err)
	}
	if left, err := Leftovers(prefix); err != nil || len(left) != 1 || !strings.HasSuffix(left[0], "-alive") {
		t.Errorf("after: %q, %v", left, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory: %v", err)
	}
}
