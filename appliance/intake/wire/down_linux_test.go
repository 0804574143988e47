package wire_test

import (
	"context"
	"io"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/tempo"
)

// flood opens connections at a steady pace and exchanges one line on each.
type flood struct {
	mu      sync.Mutex
	results []result
	stop    context.CancelFunc
	done    sync.WaitGroup
}

type result struct {
	start time.Time
	took  time.Duration
	err   error
}

func (b *bench) flood(every time.Duration) *flood {
	ctx, cancel := context.WithCancel(context.Background())
	f := &flood{stop: cancel}
	f.done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			f.done.Go(func() {
				start := time.Now()
				err := b.once()
				f.mu.Lock()
				f.results = append(f.results, result{start, time.Since(start), err})
				f.mu.Unlock()
			})
		}
	})
	return f
}

// ended is how many connections have come and gone.
func (f *flood) ended() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.results)
}

// once exchanges one line on a connection of its own.
func (b *bench) once() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := b.Client.DialContext(ctx, "tcp", echoV4)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 6))
	return err
}

// end stops the flood and returns what became of connections begun since.
func (f *flood) end(since time.Time) (failed []result, all int) {
	f.stop()
	f.done.Wait()
	for _, r := range f.results {
		if r.start.Before(since) {
			continue
		}
		all++
		if r.err != nil {
			failed = append(failed, r)
		}
	}
	return failed, all
}

// After the daemon's death, or while it stands still, new connections pass.
func TestFailToWire(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sig   syscall.Signal
		stall time.Duration
		limit time.Duration // for connections begun after the signal to be lost
	}{
		{"kill", syscall.SIGKILL, 0, 10 * time.Millisecond},
		{"stop", syscall.SIGSTOP, 100 * time.Millisecond, 150 * time.Millisecond},
	} {
		for _, takeover := range []wire.Takeover{wire.Accept, wire.Late} {
			t.Run(tt.name+"/"+string(takeover), func(t *testing.T) {
				for range tempo.Rounds() {
					b := newBench(t)
					b.echo("tcp", ":443")
					p := b.start(settings{Takeover: takeover, Stall: tt.stall})
					b.await(true)
					f := b.flood(2 * time.Millisecond)
					tempo.Until(t, "connections come and go", func() bool { return f.ended() > 20 })
					at := time.Now()
					if err := p.Signal(tt.sig); err != nil {
						t.Fatal(err)
					}
					time.Sleep(400 * time.Millisecond)
					failed, all := f.end(at)
					last := time.Duration(0)
					for _, r := range failed {
						last = max(last, r.start.Sub(at))
					}
					if all < 10 {
						t.Errorf("only %d connections were begun", all)
					}
					t.Logf("%s, %s: %d of %d connections begun after the signal failed, the last one after %v", tt.name, takeover, len(failed), all, last)
					if last > tt.limit*4 { // the figure is for a quiet machine
						t.Errorf("connections failed for %v, limit %v", last, tt.limit)
					}
					if tt.sig == syscall.SIGSTOP {
						p.Signal(syscall.SIGKILL)
					}
					<-p.Done()
				}
			})
		}
	}
}

// A restarted daemon takes connections again, once, and connections pass
// meanwhile.
func TestRestart(t *testing.T) {
	pairs := [][2]wire.Takeover{{wire.Accept, wire.Late}, {wire.Late, wire.Accept}}
	if tempo.Thorough() {
		pairs = append(pairs, [2]wire.Takeover{wire.Accept, wire.Accept}, [2]wire.Takeover{wire.Late, wire.Late})
	}
	for _, takeover := range pairs {
		t.Run(string(takeover[0])+" to "+string(takeover[1]), func(t *testing.T) {
			b := newBench(t)
			b.echo("tcp", ":443")
			p := b.start(settings{Takeover: takeover[0]})
			b.await(true)
			p.Signal(syscall.SIGKILL)
			<-p.Done()
			at := time.Now()
			f := b.flood(10 * time.Millisecond)
			p = b.start(settings{Takeover: takeover[1]})
			b.await(true)
			took := time.Since(at)
			t.Logf("taking connections %v after the start", took)
			if took > 2*time.Second {
				t.Errorf("takes connections again after %v, limit 1s", took)
			}
			flaps := 0
			for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				if !b.status().Taking {
					flaps++
				}
			}
			if flaps > 0 {
				t.Errorf("%d times not taking connections after it began", flaps)
			}
			failed, all := f.end(at)
			if len(failed) > 0 {
				t.Errorf("%d of %d connections failed during the restart, the first: %v", len(failed), all, failed[0].err)
			}
			if len(p.seen()) == 0 {
				t.Error("no session was taken afterwards")
			}
			p.stop()
		})
	}
}

// With down: block nothing that would be taken passes, everything else does.
func TestBlock(t *testing.T) {
	t.Parallel()
	for _, takeover := range []wire.Takeover{wire.Accept, wire.Late} {
		t.Run(string(takeover), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.echo("tcp", ":443")
			b.echo("tcp", ":80")
			p := b.start(settings{Takeover: takeover, Down: intake.DownBlock, Ports: []policy.PortRange{{First: 443, Last: 443}}})
			b.await(true)
			if err := b.once(); err != nil {
				t.Fatal(err)
			}
			old, err := b.Client.Dial("tcp", echoV4)
			if err != nil {
				t.Fatal(err)
			}
			defer old.Close()
			p.Signal(syscall.SIGKILL)
			<-p.Done()
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			if conn, err := b.Client.DialContext(ctx, "tcp", echoV4); err == nil {
				conn.Close()
				t.Error("a connection passed a blocked wire")
			}
			io.WriteString(old, "x")
			old.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			if n, _ := old.Read(make([]byte, 1)); n > 0 {
				t.Error("an older connection passed a blocked wire")
			}
			if other, err := b.Client.Dial("tcp", "192.0.2.10:80"); err != nil {
				t.Errorf("another port: %v", err)
			} else {
				other.Close()
			}
			if b.status().Paths["blocked"] == 0 {
				t.Error("no frame was counted as blocked")
			}
			p = b.start(settings{Takeover: takeover, Down: intake.DownBlock, Ports: []policy.PortRange{{First: 443, Last: 443}}})
			b.await(true)
			if err := b.once(); err != nil {
				t.Errorf("after restart: %v", err)
			}
			p.stop()
		})
	}
}
