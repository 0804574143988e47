package keeper

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
)

// TestUpgrade: the keeper becomes the new program, with its process number, listeners
// and workers. Nobody is refused, and sessions go on.
func TestUpgrade(t *testing.T) {
	b := start(t, settings{Drain: time.Hour})
	old := b.session()
	old.say("a")
	f := b.flood(4, 2*time.Millisecond)
	if err := b.order(Order{Do: "upgrade", Binary: copyOf(t, b.dir, "newer")}); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(filepath.Join("/proc", itoa(b.cmd.Process.Pid), "exe")); err != nil || filepath.Base(to) != "newer" {
		t.Errorf("the keeper runs %s, %v", to, err)
	}
	if name, err := os.ReadFile(filepath.Join("/proc", itoa(b.cmd.Process.Pid), "comm")); err != nil || string(name) != "clearspan\n" {
		t.Errorf("process listings name it %q, %v", name, err)
	}
	if got := old.say("b"); got != "1 b" {
		t.Errorf("the old session: %q", got)
	}
	b.takenBy("2 ").conn.Close()
	// The new keeper can do what the old one could.
	if err := b.reload(settings{Drain: time.Hour, Listen: []string{freeAddress(t)}}); err != nil {
		t.Error(err)
	}
	if got := old.say("d"); got != "1 d" {
		t.Errorf("the oldest session: %q", got)
	}
	f.stop()
	if r, l := f.refused.Load(), f.lost.Load(); r+l > 0 {
		t.Errorf("%d connects, %d refused, %d lost: %v", f.connects.Load(), r, l, f.first.Load())
	}
	tempo.Until(t, "the oldest and the newest worker are left", func() bool { return len(b.status().Workers) == 2 })
	old.conn.Close()
}

// TestBadUpgrade: a program that is not fit leaves the old one serving.
func TestBadUpgrade(t *testing.T) {
	b := start(t, settings{Drain: time.Hour})
	s := b.session()
	f := b.flood(2, 5*time.Millisecond)
	for _, tt := range []struct{ program, want string }{
		{"dies", "does not start"},
		{"hangs", "does not answer"},
		{"older", "is older than"},
		{"confused", "does not understand"}, // the worker does, the keeper does not
		{"lazy", "not ready after"},         // it passes the check, and its worker hangs
		{"script", "exec format error"},
	} {
		path := filepath.Join(b.dir, tt.program)
		if tt.program == "script" {
			if err := os.WriteFile(path, []byte("no program"), 0o700); err != nil {
				t.Fatal(err)
			}
		} else {
			copyOf(t, b.dir, tt.program)
		}
		if err := b.order(Order{Do: "upgrade", Binary: path}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.program, err)
		}
		if to, err := os.Readlink(filepath.Join("/proc", itoa(b.cmd.Process.Pid), "exe")); err != nil || filepath.Base(to) != "keeper" {
			t.Errorf("%s: the keeper runs %s, %v", tt.program, to, err)
		}
		if got := s.say("x"); got != "1 x" {
			t.Errorf("%s: the session: %q", tt.program, got)
		}
		if got := b.session().say("y"); got != "1 y" {
			t.Errorf("%s: a new session: %q", tt.program, got)
		}
	}
	f.stop()
	if r, l := f.refused.Load(), f.lost.Load(); r+l > 0 {
		t.Errorf("%d connects, %d refused, %d lost: %v", f.connects.Load(), r, l, f.first.Load())
	}
	if err := b.order(Order{Do: "upgrade", Binary: "newer"}); err == nil {
		t.Error("a relative path")
	}
}

// TestUpgradeKeepsOwn: what no worker has outlives upgrades, also those that fail, and goes
// with the keeper.
func TestUpgradeKeepsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tie")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ends := make(chan error, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, err := conn.Read(make([]byte, 1))
				ends <- err
				conn.Close()
			}()
		}
	}()
	s := settings{Drain: time.Hour, Tie: path}
	b := start(t, s)
	old := b.session()
	old.say("a")
	for _, tt := range []struct{ program, fails string }{{"confused", "does not understand"}, {"lazy", "not ready after"}, {"newer", ""}} {
		err := b.order(Order{Do: "upgrade", Binary: copyOf(t, b.dir, tt.program)})
		if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%s: %v", tt.program, err)
		}
		old.say("b")
		if err := b.reload(settings{Drain: time.Hour, Tie: path, Listen: []string{freeAddress(t)}}); err != nil {
			t.Errorf("%s: reload: %v", tt.program, err)
		}
	}
	select {
	case err := <-ends:
		t.Fatalf("the keeper let go: %v", err)
	default:
	}
	b.cmd.Process.Kill()
	select {
	case <-ends:
	case <-time.After(patience):
		t.Error("somebody else has what is the keeper's")
	}
	old.say("c") // its worker drains
}

// TestOlder compares versions.
func TestOlder(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"v1.2.3", "v1.2.4", true},
		{"v1.2.3", "v1.2.3", false},
		{"v1.10.0", "v1.9.9", false},
		{"v1.2.3-4-gabcdef", "v1.2.3-5-gabcdef", true},
		{"v1.2.3", "v1.2.3-1-gabcdef-dirty", true},
		{"unknown", "v1.2.3", false},
		{"v1.2.3", "abcdef", false},
	} {
		if got := older(tt.a, tt.b); got != tt.want {
			t.Errorf("%s older than %s: %t", tt.a, tt.b, got)
		}
	}
}
