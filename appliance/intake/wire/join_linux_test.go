package wire_test

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/hack/tempo"
)

// talk sends a line on an open connection and wants it back.
func talk(conn net.Conn) error {
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, "again\n"); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 6))
	return err
}

// TestJoin: one process takes a wire over from another one that lets its sessions end. No
// connection fails, none passes unopened, and the old sessions go on to their end. So it
// is a second time, and by a process that was killed afterwards.
func TestJoin(t *testing.T) {
	t.Parallel()
	for _, takeover := range []wire.Takeover{wire.Late, wire.Accept} {
		t.Run(string(takeover), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.echo("tcp", ":443")
			s := settings{Takeover: takeover, Down: intake.DownBlock, Grace: time.Millisecond, Join: true}
			processes := []*daemonProcess{b.start(s)}
			b.await(true)
			f := b.flood(4 * time.Millisecond)
			begun := time.Now()
			var sessions []net.Conn
			open := func() {
				t.Helper()
				conn, err := b.Client.Dial("tcp", echoV4)
				if err == nil {
					err = talk(conn)
				}
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				sessions = append(sessions, conn)
			}
			open()
			for range 2 + tempo.Rounds() {
				next := b.start(s)
				select {
				case <-next.taking:
				case <-time.After(30 * time.Second):
					t.Fatal("wire is not taken over")
				}
				t.Logf("taken over %v after the start", time.Since(begun))
				old := processes[len(processes)-1]
				if takeover == wire.Accept {
					time.Sleep(50 * time.Millisecond) // for handshakes that are half done
				}
				old.Signal(syscall.SIGTERM)
				processes = append(processes, next)
				open()
				for i, conn := range sessions {
					if err := talk(conn); err != nil {
						t.Errorf("session %d: %v", i, err)
					}
				}
			}
			tempo.Until(t, "connections come and go", func() bool { return f.ended() > 200 })
			failed, all := f.end(begun)
			if len(failed) > 0 {
				t.Errorf("%d of %d connections failed, the first %v after the start: %v", len(failed), all, failed[0].start.Sub(begun), failed[0].err)
			}
			// Longer than two rounds of tidying up: nobody forgets flows of others.
			if tempo.Thorough() {
				time.Sleep(25 * time.Second)
			}
			for i, conn := range sessions {
				if err := talk(conn); err != nil {
					t.Errorf("session %d at the end: %v", i, err)
				}
				conn.Close()
			}
			for _, p := range processes[:len(processes)-1] {
				if err := p.Wait(); err != nil {
					t.Errorf("an old process: %v\n%s", err, p.stderr)
				}
			}
			opened := 0
			for _, p := range processes {
				opened += len(p.seen())
			}
			if want := all + len(sessions); opened < want {
				t.Errorf("%d of %d connections were taken", opened, want)
			}
			last := processes[len(processes)-1]
			last.Signal(syscall.SIGKILL)
			<-last.Done()
			p := b.start(settings{Takeover: takeover, Down: intake.DownBlock})
			b.await(true)
			if err := b.once(); err != nil {
				t.Errorf("after the end of all: %v", err)
			}
			p.stop()
		})
	}
}

// TestJoinNothing: where nobody runs the wire, a process that would join starts it.
func TestJoinNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.echo("tcp", ":443")
	p := b.start(settings{Join: true})
	b.await(true)
	if err := b.once(); err != nil {
		t.Error(err)
	}
	other := b.launch(settings{})
	<-other.Done()
	if !strings.Contains(other.stderr.String(), wire.ErrInUse.Error()) {
		t.Errorf("a second one without Join: %s", other.stderr)
	}
	p.expect(1)
	p.stop()
}
