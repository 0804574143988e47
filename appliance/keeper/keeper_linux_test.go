package keeper

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
)

// TestReload: a change in place keeps the worker; another one brings a new worker, and
// refuses nobody. The old one serves the sessions that it has.
func TestReload(t *testing.T) {
	b := start(t, settings{Drain: time.Hour})
	old := b.session()
	if got := old.say("a"); got != "1 a" {
		t.Errorf("answer %q", got)
	}
	f := b.flood(4, 2*time.Millisecond)
	first := b.serving()
	if err := b.reload(settings{Drain: time.Hour, Greet: "hi "}); err != nil || b.serving() != first {
		t.Errorf("in place: %v", err)
	}
	if got := old.say("b"); got != "1 hi b" {
		t.Errorf("after a change in place: %q", got)
	}
	more := freeAddress(t)
	if err := b.reload(settings{Drain: time.Hour, Listen: []string{more}}); err != nil || b.serving() == first {
		t.Errorf("new worker: %v", err)
	}
	if got := old.say("c"); got != "1 hi c" {
		t.Errorf("the old session: %q", got)
	}
	b.takenBy("2 ")
	if conn, err := net.Dial("tcp", more); err != nil {
		t.Errorf("the new listener: %v", err)
	} else {
		conn.Close()
	}
	if err := b.reload(settings{Drain: time.Hour}); err != nil {
		t.Error(err)
	}
	b.refuses(more)
	f.stop()
	if r, l := f.refused.Load(), f.lost.Load(); r+l > 0 || f.connects.Load() < 10 {
		t.Errorf("%d connects, %d refused, %d lost: %v", f.connects.Load(), r, l, f.first.Load())
	}
	old.conn.Close()
	b.gone(first)
}

// TestBadChange: what cannot be put in force leaves all as it is.
func TestBadChange(t *testing.T) {
	b := start(t, settings{})
	pid := b.serving()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		name string
		to   settings
		want string
	}{
		{"a worker refuses", settings{Worker: "bad"}, "these settings are bad"},
		{"a worker hangs", settings{Worker: "lazy"}, "not ready after"},
		{"an address is taken", settings{Listen: []string{taken.Addr().String()}}, "address already in use"},
	} {
		err := b.reload(tt.to)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := b.session().say("x"); got != "1 x" || b.serving() != pid {
			t.Errorf("%s: then %q", tt.name, got)
		}
	}
	if err := os.WriteFile(filepath.Join(b.dir, "settings"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.order(Order{Do: "reload"}); err == nil {
		t.Error("a bad file")
	}
	if n := len(b.status().Workers); n != 1 {
		t.Errorf("%d workers", n)
	}
}

// TestDeath: a worker that is killed, hangs or breaks the contract is replaced.
// Connections wait meanwhile.
func TestDeath(t *testing.T) {
	for _, tt := range []struct {
		name   string
		worker string
		harm   func(pid int)
	}{
		{"killed", "", func(pid int) { syscall.Kill(pid, syscall.SIGKILL) }},
		{"stopped", "", func(pid int) { syscall.Kill(pid, syscall.SIGSTOP) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := start(t, settings{})
			pid := b.serving()
			f := b.flood(4, 2*time.Millisecond)
			tt.harm(pid)
			tempo.Until(t, "another worker", func() bool { now := b.serving(); return now != 0 && now != pid })
			if got := b.session().say("x"); got != "2 x" {
				t.Errorf("answer %q", got)
			}
			f.stop()
			if r := f.refused.Load(); r > 0 {
				t.Errorf("%d of %d connects refused: %v", r, f.connects.Load(), f.first.Load())
			}
			if s := b.status(); s.Deaths != 1 || s.Failed {
				t.Errorf("status %+v", s)
			}
			if !strings.Contains(b.text(), "worker ended unasked") {
				t.Error("the log does not tell")
			}
		})
	}
}

// TestManyDeaths: after five deaths connections are refused. The log has the stack.
func TestManyDeaths(t *testing.T) {
	for _, manner := range []string{"mortal", "rude"} {
		t.Run(manner, func(t *testing.T) {
			t.Parallel()
			b := prepare(t, settings{Worker: manner})
			b.run()
			tempo.Until(t, "the box is failed", func() bool { s := b.status(); return s != nil && s.Failed })
			b.refuses(b.at)
			if manner == "mortal" && !strings.Contains(b.text(), "a fault of its own") {
				t.Error("no stack in the log")
			}
			if err := b.reload(settings{}); err != nil {
				t.Errorf("better settings: %v", err)
			}
			b.session().say("x")
			if b.status().Failed {
				t.Error("still failed")
			}
		})
	}
}

// TestStop: the first signal lets sessions end and refuses new ones, the second ends
// them. Nothing is left.
func TestStop(t *testing.T) {
	b := start(t, settings{Drain: time.Hour})
	one := b.session()
	one.say("a")
	if err := b.reload(settings{Drain: time.Hour, Listen: []string{freeAddress(t)}}); err != nil {
		t.Fatal(err)
	}
	two := b.takenBy("2 ")
	b.cmd.Process.Signal(syscall.SIGTERM)
	b.refuses(b.at)
	if one.say("b") != "1 b" || two.say("b") != "2 b" {
		t.Error("a session does not go on")
	}
	if err := b.order(Order{Do: "reload"}); err == nil {
		t.Error("a reload at the end")
	}
	var pids []int
	for _, w := range b.status().Workers {
		pids = append(pids, w.PID)
	}
	b.cmd.Process.Signal(syscall.SIGTERM)
	if err := b.ended(); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		b.gone(pid)
	}
	if _, err := os.Stat(filepath.Join(b.dir, socketName)); err == nil {
		t.Error("the socket is left")
	}
}

// TestKeeperKilled: workers do not go on for ever without a keeper.
func TestKeeperKilled(t *testing.T) {
	for _, tied := range []bool{false, true} {
		t.Run(fmt.Sprintf("tied %t", tied), func(t *testing.T) {
			b := start(t, settings{Tied: tied, Drain: time.Hour})
			s := b.session()
			s.say("a")
			pids := []int{b.serving()}
			if err := b.reload(settings{Tied: tied, Drain: time.Minute}); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, b.serving())
			if err := b.order(Order{Do: "upgrade", Binary: copyOf(t, b.dir, "newer")}); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, b.serving())
			s.say("b") // no worker took the upgrade for the end of the keeper
			b.cmd.Process.Kill()
			<-b.done
			if !tied {
				s.say("c") // it drains
				s.conn.Close()
			}
			for _, pid := range pids {
				b.gone(pid)
			}
		})
	}
}

// TestPassphrase: the keeper asks once, and tells each worker. A worker may not give
// orders.
func TestAsk(t *testing.T) {
	b := start(t, settings{})
	s := b.session()
	for range 2 {
		if got := s.say("passphrase"); got != "sesame" {
			t.Errorf("passphrase %q", got)
		}
	}
	if got := s.say("upgrade"); !strings.Contains(got, "orders are taken from root") {
		t.Errorf("a worker's order: %q", got)
	}
}
