package keeper

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
)

// TestOverlappingAddresses moves the listener between addresses that overlap, back and
// forth: connections to the address that all have are neither refused nor reset.
func TestOverlappingAddresses(t *testing.T) {
	b := start(t, settings{Drain: time.Hour})
	old := b.session()
	old.say("a")
	_, port, err := net.SplitHostPort(b.at)
	if err != nil {
		t.Fatal(err)
	}
	f := b.flood(8, time.Millisecond)
	rounds := 2
	if tempo.Rounds() > 1 {
		rounds = 30
	}
	for range rounds {
		for _, as := range []string{":" + port, "0.0.0.0:" + port, "localhost:" + port, "[::]:" + port, b.at} {
			b.as = as
			if err := b.reload(settings{Drain: time.Hour}); err != nil {
				t.Fatalf("%s: %v", as, err)
			}
			other, wide := "127.0.0.2:"+port, as != b.at && as != "localhost:"+port
			tempo.Until(t, as+" has the addresses that it names", func() bool {
				conn, err := net.Dial("tcp", other)
				if err != nil {
					return !wide
				}
				defer conn.Close()
				return wide
			})
		}
	}
	old.say("b")
	f.stop()
	t.Logf("%d connects, %d refused, %d lost", f.connects.Load(), f.refused.Load(), f.lost.Load())
	if r, l := f.refused.Load(), f.lost.Load(); r+l > 0 || f.connects.Load() < 10 {
		t.Errorf("%d connects, %d refused, %d lost: %v", f.connects.Load(), r, l, f.first.Load())
	}
	if os.Getuid() != 0 {
		return
	}
	// The address is no other user's.
	shared := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return reusePort(c, true) }}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with its goroutine
		syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0)
		l, err := shared.Listen(context.Background(), "tcp", b.at)
		if err == nil {
			l.Close()
		}
		done <- err
	}()
	if err := <-done; !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("another user listens at the same address: %v", err)
	}
}

// TestNarrowerAddress: a listener of every address becomes that of one.
func TestNarrowerAddress(t *testing.T) {
	t.Parallel()
	for range 3 {
		b := prepare(t, settings{Drain: time.Hour})
		_, port, err := net.SplitHostPort(b.at)
		if err != nil {
			t.Fatal(err)
		}
		b.as = ":" + port
		b.write(settings{Drain: time.Hour})
		b.run()
		tempo.Until(t, "a worker serves", func() bool { return b.status() != nil && b.serving() != 0 })
		f := b.flood(8, time.Millisecond)
		tempo.Until(t, "connects", func() bool { return f.connects.Load() > 20 })
		b.as = ""
		if err := b.reload(settings{Drain: time.Hour}); err != nil {
			t.Error(err)
		}
		b.refuses("127.0.0.2:" + port)
		f.stop()
		if r, l := f.refused.Load(), f.lost.Load(); r+l > 0 {
			t.Errorf("%d connects, %d refused, %d lost: %v", f.connects.Load(), r, l, f.first.Load())
		}
		b.cmd.Process.Kill()
		<-b.done
	}
}
