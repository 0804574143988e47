package control

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestListen: one process listens; a socket that nobody listens on is taken over; a file
// of another kind stays. Long paths are fine.
func TestListen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	first, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(first.Path())
	if err != nil || info.Mode() != os.ModeSocket|0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := Listen(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("a second listener: %v", err)
	}
	if err := first.UnixListener.Close(); err != nil { // as if the process was killed
		t.Fatal(err)
	}
	second, err := Listen(dir)
	if err != nil {
		t.Fatalf("a stale socket: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(second.Path()); err != nil {
		t.Error("the first one removed the socket of the second")
	}
	for range 2 {
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(second.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
	if err := os.WriteFile(second.Path(), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(dir); err == nil {
		t.Error("a file of another kind was replaced")
	}
	if _, err := Listen(filepath.Join(dir, "nosuch")); err == nil {
		t.Error("a directory that is not there")
	}
}

// TestPaths: clients look where boxes listen.
func TestPaths(t *testing.T) {
	for state, want := range map[string]string{
		"/var/lib/clearspan/": "/run/clearspan/control.sock",
		"/srv/box":            "/srv/box/control.sock",
	} {
		paths := Paths(state)
		if got := paths[len(paths)-1]; got != want {
			t.Errorf("%s: %s, want %s", state, got, want)
		}
		if want := filepath.Join(state, SocketName); paths[0] != want {
			t.Errorf("%s: first %s, want %s", state, paths[0], want)
		}
	}
}
