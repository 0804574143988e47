package intake

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// here is what a session is told that is redirected.
var here = netip.MustParseAddrPort("192.0.2.1:1")

// accept serves a listener of a redirection, as a worker does.
func (l *lab) accept(t *testing.T, f *os.File) {
	t.Helper()
	listener, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { listener.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				fmt.Fprintln(c, here)
				io.Copy(c, c)
			})
		}
	})
}

// inherited returns descriptors as a program has them that takes another one's place.
func inherited(t *testing.T, files []*os.File) (list []*os.File) {
	t.Helper()
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		fd := -1
		if failed := raw.Control(func(s uintptr) { fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) }); failed != nil || err != nil {
			t.Fatal(failed, err)
		}
		list = append(list, os.NewFile(uintptr(fd), "inherited"))
	}
	return list
}

// TestAdoptRedirection has a program take over the rules of another one: connections are
// redirected all the while, then routed, and at the end nothing is left.
func TestAdoptRedirection(t *testing.T) {
	l := newLab(t)
	l.listen(t, l.origin, 443)
	before := l.state(t)
	var first, second *Redirection
	l.in(t, l.box, func() (err error) {
		first, err = OpenRedirection(nat.Name, nat.Redirect)
		return err
	})
	for _, f := range first.Shared() {
		l.accept(t, f)
	}
	dial := func(when string, redirected bool) *talk {
		t.Helper()
		conn := l.dial(t, netip.AddrPortFrom(origin4, 443))
		if got := conn.seen == here; got != redirected {
			t.Errorf("%s: redirected %t", when, got)
		}
		return conn
	}
	old := dial("at first", true)

	files := inherited(t, first.Files())
	l.in(t, l.box, func() error {
		if _, err := AdoptRedirection(nat.Name, nat.Redirect, files); err == nil {
			t.Error("adopted what somebody has")
		}
		if err := first.claims.Close(); err != nil {
			return err
		}
		if _, err := AdoptRedirection(nat.Name, nat.Redirect, files[:1]); err == nil {
			t.Error("adopted without an owner of the rules")
		}
		if _, err := AdoptRedirection(nat.Name, nat.Redirect, []*os.File{files[2], files[0]}); err == nil {
			t.Error("adopted a listener as the owner of the rules")
		}
		for _, f := range first.Files() {
			f.Close()
		}
		dial("between two programs", true)
		var err error
		second, err = AdoptRedirection(nat.Name, nat.Redirect, files)
		return err
	})
	dial("after the second program has begun", true)
	if n := len(second.Shared()); n != 2 || len(second.Files()) != 3 {
		t.Errorf("%d listeners, %d files", n, len(second.Files()))
	}
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	dial("after the end of listening", false)
	old.echo(t)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, l.state(t)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}
