package intake

import (
	"errors"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// nat is an intake of most tests.
var nat = boxRedirect{"nat", Redirect{Listen: ":8098", From: []string{"lan0"}, Ports: only(443, 465)}}

// The box's addresses on the origin's side.
var wan4, wan6 = netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("fd02::1")

func TestRedirect(t *testing.T) {
	l := newLab(t)
	for _, port := range []uint16{443, 465, 22} {
		l.listen(t, l.origin, port)
	}
	l.listen(t, l.box, 443)
	before := l.state(t)
	early := l.dial(t, netip.AddrPortFrom(origin4, 443)) // connection tracking picks it up in the middle
	b := l.start(t, boxConfig{Redirects: []boxRedirect{nat}})
	b.ready(t)

	for _, c := range []struct {
		name string
		to   netip.AddrPort
		from netip.Addr // as the origin sees it; invalid: not redirected
	}{
		{"IPv4", netip.AddrPortFrom(origin4, 443), wan4},
		{"IPv6", netip.AddrPortFrom(origin6, 443), wan6},
		{"IPv4 second port", netip.AddrPortFrom(origin4, 465), wan4},
		{"IPv6 second port", netip.AddrPortFrom(origin6, 465), wan6},
		{"IPv4 port not selected", netip.AddrPortFrom(origin4, 22), netip.Addr{}},
		{"IPv6 port not selected", netip.AddrPortFrom(origin6, 22), netip.Addr{}},
		{"IPv4 box itself", netip.AddrPortFrom(box4, 443), netip.Addr{}},
		{"IPv6 box itself", netip.AddrPortFrom(box6, 443), netip.Addr{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := l.dial(t, c.to)
			if !c.from.IsValid() {
				if conn.seen != conn.local {
					t.Errorf("other end sees %v, client is %v", conn.seen, conn.local)
				}
				return
			}
			if conn.seen.Addr() != c.from {
				t.Errorf("origin sees %v, want %v", conn.seen, c.from)
			}
			want := boxEvent{Intake: "nat", Client: conn.local.String(), Origin: c.to.String(), MAC: l.clientMAC(t)}
			if diff := cmp.Diff(want, b.next(t)); diff != "" {
				t.Errorf("session (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("connection from before", early.echo)
	t.Run("ruleset flushed by others", func(t *testing.T) {
		l.in(t, l.box, func() error { return exec.Command("nft", "flush", "ruleset").Run() })
		conn := l.dial(t, netip.AddrPortFrom(origin6, 443))
		if e := b.next(t); e.Client != conn.local.String() {
			t.Errorf("session %+v, want client %v", e, conn.local)
		}
	})

	b.close(t)
	early.echo(t)
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

func TestRedirectEveryPort(t *testing.T) {
	l := newLab(t)
	l.listen(t, l.origin, 7777)
	l.listen(t, l.box, 22)
	b := l.start(t, boxConfig{Redirects: []boxRedirect{{"all", Redirect{Listen: ":0", From: []string{"lan0"}}}}})
	b.ready(t)
	for _, to := range []netip.AddrPort{netip.AddrPortFrom(origin4, 7777), netip.AddrPortFrom(origin6, 7777)} {
		conn := l.dial(t, to)
		if e := b.next(t); e.Client != conn.local.String() || e.Origin != to.String() {
			t.Errorf("client %v to %v, session %+v", conn.local, to, e)
		}
	}
	if conn := l.dial(t, netip.AddrPortFrom(box4, 22)); conn.seen != conn.local { // still reaches the box
		t.Errorf("box sees %v, client is %v", conn.seen, conn.local)
	}
	b.close(t)
}

// Who connects to the listener itself has no destination.
func TestRedirectDirect(t *testing.T) {
	for _, c := range []struct {
		name, rules string
	}{
		{"tracked", ""},
		{"untracked", "add table inet other; add chain inet other c { type filter hook prerouting priority raw; }; add rule inet other c tcp dport 8098 notrack"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			if c.rules != "" {
				l.in(t, l.box, func() error { return exec.Command("nft", c.rules).Run() })
			}
			b := l.start(t, boxConfig{Redirects: []boxRedirect{nat}})
			b.ready(t)
			for _, addr := range []netip.Addr{box4, box6, wan4, wan6} {
				to := netip.AddrPortFrom(addr, 8098).String()
				var err error
				l.in(t, l.client, func() error { err = ending(to); return nil })
				if !errors.Is(err, unix.ECONNRESET) {
					t.Errorf("%s: %v, want a reset", to, err)
				}
				if e := b.next(t); e.Event != "forbidden" {
					t.Errorf("%s: %+v, want event forbidden", to, e)
				}
			}
			b.close(t)
		})
	}
}

// The rules go with the process, and so do those of an earlier kind of intake.
func TestRedirectKilled(t *testing.T) {
	l := newLab(t)
	l.listen(t, l.origin, 443)
	before := l.state(t)
	old := l.start(t, boxConfig{Intakes: []boxIntake{{"nat", https.TProxy}}})
	old.ready(t)
	old.cmd.Process.Kill()
	old.cmd.Wait()
	if l.state(t) == before {
		t.Error("a killed tproxy intake leaves nothing: the test does not show that it is swept")
	}

	b := l.start(t, boxConfig{Redirects: []boxRedirect{nat}})
	b.ready(t)
	if !strings.Contains(l.state(t), "clearspan_nat") {
		t.Error("no table clearspan_nat")
	}
	for _, addr := range []netip.Addr{origin4, origin6} {
		l.dial(t, netip.AddrPortFrom(addr, 443))
		if e := b.next(t); e.Intake != "nat" {
			t.Fatalf("no session: %+v", e)
		}
	}
	b.cmd.Process.Kill()
	b.cmd.Wait()
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
	for _, addr := range []netip.Addr{origin4, origin6} {
		conn := l.dial(t, netip.AddrPortFrom(addr, 443))
		if conn.seen != conn.local {
			t.Errorf("routed: origin sees %v, client is %v", conn.seen, conn.local)
		}
	}
}

// While it drains, an intake takes nothing new and keeps what it has, to the last
// octet.
func TestRedirectDrain(t *testing.T) {
	l := newLab(t)
	l.window = 4096
	l.listen(t, l.origin, 443)
	before := l.state(t)
	b := l.start(t, boxConfig{Redirects: []boxRedirect{nat}, Drain: true})
	b.ready(t)
	open := l.dial(t, netip.AddrPortFrom(origin6, 443))
	b.next(t)
	b.stop()
	if e := b.next(t); !e.Closing {
		t.Fatalf("got %+v, want the intake to close", e)
	}
	routed := l.dial(t, netip.AddrPortFrom(origin6, 443))
	if routed.seen != routed.local {
		t.Errorf("routed: origin sees %v, client is %v", routed.seen, routed.local)
	}
	open.echo(t)
	open.readAll(t, 1<<18)
	if e := b.next(t); !e.Closed {
		t.Errorf("got %+v, want the end", e)
	}
	routed.echo(t)
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

func TestRedirectRefused(t *testing.T) {
	l := newLab(t)
	l.listen(t, l.box, 9000)
	b := l.start(t, boxConfig{Redirects: []boxRedirect{nat}})
	b.ready(t)
	before := l.state(t)
	for _, c := range []struct {
		name, intake string
		Redirect
		want string
	}{
		{"no such interface", "refused", Redirect{Listen: ":8099", From: []string{"lan7"}}, "find interface lan7"},
		{"loopback", "refused", Redirect{Listen: ":8099", From: []string{"lo"}}, "own traffic"},
		{"no interface", "refused", Redirect{Listen: ":8099"}, "no interface"},
		{"address", "refused", Redirect{Listen: "127.0.0.1:8099", From: []string{"lan0"}}, "give :port"},
		{"no port", "refused", Redirect{Listen: "8099", From: []string{"lan0"}}, "not :port"},
		{"port 0", "refused", Redirect{Listen: ":8099", From: []string{"lan0"}, Ports: only(0)}, "port 0"},
		{"name", "a b", Redirect{Listen: ":8099", From: []string{"lan0"}}, "not 1 to 64"},
		{"name taken", "nat", Redirect{Listen: ":8099", From: []string{"lan0"}}, "in use by another intake"},
		{"port taken", "refused", Redirect{Listen: ":9000", From: []string{"lan0"}}, "address already in use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			other := l.start(t, boxConfig{Redirects: []boxRedirect{{c.intake, c.Redirect}}})
			if e := other.next(t); !strings.Contains(e.Error, c.want) {
				t.Errorf("got %+v, want error with %q", e, c.want)
			}
			if diff := cmp.Diff(before, l.state(t)); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
			other.ready(t)
			other.close(t)
		})
	}
	b.close(t)
}

// A table belongs to the socket that made it.
func TestOwnedTable(t *testing.T) {
	l := newLab(t)
	before := l.state(t)
	var table *ownedTable
	l.in(t, l.box, func() (err error) { table, err = newOwnedTable("clearspan_own", 0); return err })
	if state := l.state(t); !strings.Contains(state, "flags owner") {
		t.Errorf("no owned table in:\n%s", state)
	}
	l.in(t, l.box, func() error {
		if second, err := newOwnedTable("clearspan_own", 0); !errors.Is(err, unix.EPERM) {
			t.Errorf("second table of that name: %v, %v", second, err)
		}
		if out, err := exec.Command("nft", "delete", "table", "inet", "clearspan_own").CombinedOutput(); err == nil {
			t.Errorf("another process deletes it: %s", out)
		}
		return nil
	})
	if err := table.Close(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}
