package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCompanion: a companion that dies is started again, one that another keeper adopts has one
// life at a time, and one that is closed is gone with its socket.
func TestCompanion(t *testing.T) {
	dir := t.TempDir()
	lives := filepath.Join(dir, "lives")
	c := Companion{
		Name: "companion", Key: "a", Socket: filepath.Join(dir, "s"), Title: "sh", Program: "/bin/sh",
		Arguments: []string{"-c", fmt.Sprintf("cat /proc/self/fd/%d >>%s.options; echo $$ >>%s; cat <&%d >/dev/null", CompanionOptions, lives, lives, CompanionLife)},
		Options:   []byte("options"),
	}
	await := func(n int) (pids []int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			text, _ := os.ReadFile(lives)
			if lines := strings.Fields(string(text)); len(lines) >= n {
				for _, line := range lines {
					pid, err := strconv.Atoi(line)
					if err != nil {
						t.Fatal(err)
					}
					pids = append(pids, pid)
				}
				return pids
			}
		}
		t.Fatalf("there were no %d lives", n)
		return nil
	}
	gone := func(pid int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if syscall.Kill(pid, 0) == syscall.ESRCH {
				return
			}
		}
		t.Errorf("process %d is left", pid)
	}
	r := c.Resource()
	held, err := r.Open()
	if err != nil {
		t.Fatal(err)
	}
	first := await(1)[0]
	if text, _ := os.ReadFile(lives + ".options"); string(text) != "options" {
		t.Errorf("options %q", text)
	}
	if info, err := os.Stat(c.Socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info, err)
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	gone(first)
	second := await(2)[1]

	// Another keeper takes its place: it has the descriptors, and the pipe of the former ends.
	var files []*os.File
	for _, f := range held.Files() {
		fd, err := syscall.Dup(int(f.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, os.NewFile(uintptr(fd), f.Name()))
	}
	if err := held.Stop(); err != nil {
		t.Fatal(err)
	}
	again, err := r.Adopt(files)
	if err != nil {
		t.Fatal(err)
	}
	gone(second)
	third := await(3)[2]
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	gone(third)
	if _, err := os.Stat(c.Socket); err == nil {
		t.Error("the socket is left")
	}
	if _, err := r.Adopt(nil); err == nil {
		t.Error("adopted without descriptors")
	}
}
