package decrypt

import (
	"crypto/tls"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// meter counts what an engine relays.
type meter [2]atomic.Uint64

func (m *meter) relayed(_ *Session, dir Direction, octets uint64) { m[dir].Add(octets) }

// await waits until so many octets of a direction count.
func (m *meter) await(t *testing.T, dir Direction, octets uint64) {
	t.Helper()
	for begun := time.Now(); m[dir].Load() < octets; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("%s: %d octets count while the session is open, want %d", dir, m[dir].Load(), octets)
		}
	}
}

// blindTap counts octets that it does not see.
type blindTap struct{ passed, seen meter }

func (b *blindTap) Open(*Session) Stream                    { return b }
func (b *blindTap) Passed(dir Direction, octets uint64)     { b.passed[dir].Add(octets) }
func (b *blindTap) Data(dir Direction, _ Content, p []byte) { b.seen[dir].Add(uint64(len(p))) }
func (b *blindTap) End(Direction, Ending)                   {}
func (b *blindTap) Close()                                  {}
func (b *blindTap) all(dir Direction) (octets uint64) {
	return b.passed[dir].Load() + b.seen[dir].Load()
}
func (b *blindTap) open(change func(*testbed)) func(bed *testbed) {
	return func(bed *testbed) {
		bed.cfg.Tap = b
		change(bed)
	}
}

// TestCountsWhileOpen: what is relayed counts while the session is open, however it is
// carried; and nothing counts twice.
func TestCountsWhileOpen(t *testing.T) {
	t.Parallel()
	var blind blindTap
	tunnel := func(b *testbed) { b.cfg.Policy = always(policy.Tunnel) }
	for _, tt := range []struct {
		name   string
		change func(*testbed)
		tls    bool
		origin bool // the client sees the origin's certificate
	}{
		{"bumped", func(*testbed) {}, true, false},
		{"plain", func(*testbed) {}, false, false},
		{"tunneled past a tap", tunnel, true, true},
		{"spliced", func(b *testbed) { tunnel(b); b.cfg.Tap = nil }, true, true},
		{"spliced past a blind tap", blind.open(tunnel), true, true},
		{"by a service", func(b *testbed) { b.cfg.Services = func(*Session) []Service { return []Service{passer{}} } }, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var m meter
			change := func(b *testbed) { tt.change(b); b.cfg.Relayed = m.relayed }
			var b *testbed
			var conn net.Conn
			if tt.tls {
				b = newTLSTestbed(t, echo, nil, change)
				conn = b.client(func(c *tls.Config) {
					if tt.origin {
						c.RootCAs = b.origins.pool
					}
				})
			} else {
				b = newTestbed(t, func(_ *testbed, c net.Conn) { io.Copy(c, c) }, change)
				conn = b.dial()
			}
			conn.SetDeadline(time.Now().Add(time.Minute))
			p, sum := make([]byte, 10_000), uint64(0)
			for round := range 3 {
				if round == 2 && tt.origin {
					time.Sleep(2*time.Second + time.Second/4) // a tunnel waits without a turn then
				}
				if _, err := conn.Write(p); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(conn, p); err != nil {
					t.Fatal(err)
				}
				sum += uint64(len(p))
				m.await(t, ClientToOrigin, sum)
				m.await(t, OriginToClient, sum)
			}
			conn.Close()
			s := <-b.sessions
			for dir := range Direction(2) {
				if got := m[dir].Load(); got != s.Octets(dir) {
					t.Errorf("%s: %d octets counted, the account has %d", dir, got, s.Octets(dir))
				}
				if _, ok := b.cfg.Tap.(*blindTap); ok && (blind.all(dir) != s.Octets(dir) || blind.passed[dir].Load() == 0) {
					t.Errorf("%s: the blind tap counts %d octets, %d of them unseen, the account has %d", dir, blind.all(dir), blind.passed[dir].Load(), s.Octets(dir))
				}
			}
		})
	}
}

// TestSplicedIdle: a tunnel in which nothing moves ends, and one in which one direction
// moves does not.
func TestSplicedIdle(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, func(_ *testbed, c net.Conn) {
		io.ReadFull(c, make([]byte, 1))
		for range 12 {
			c.Write([]byte("x"))
			time.Sleep(500 * time.Millisecond)
		}
		io.Copy(io.Discard, c)
	}, func(b *testbed) {
		b.cfg.Policy, b.cfg.Tap = always(policy.Tunnel), nil
		b.cfg.Client.IdleTimeout = 3 * time.Second
	})
	conn := b.dial()
	conn.SetDeadline(time.Now().Add(time.Minute))
	conn.Write([]byte("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"))
	if _, err := io.ReadFull(conn, make([]byte, 12)); err != nil {
		t.Fatalf("one direction moves: %v", err)
	}
	last := time.Now()
	s := <-b.sessions
	if s.Reason != reasonIdle || s.Octets(OriginToClient) != 12 {
		t.Errorf("reason %q, %d octets", s.Reason, s.Octets(OriginToClient))
	}
	if waited := time.Since(last); waited < 2*time.Second {
		t.Errorf("ended %v after the last octet", waited)
	}
}

// watcher notes what an observer hears.
type watcher struct {
	mu      sync.Mutex
	words   []string
	running Running
	reached chan string
}

func (o *watcher) Reached(stage string) {
	o.mu.Lock()
	o.words = append(o.words, stage)
	o.mu.Unlock()
	if stage == StageRelay {
		o.reached <- stage
	}
}

// TestWatch: an observer hears of the stages in their order, and who watches can end the
// session.
func TestWatch(t *testing.T) {
	t.Parallel()
	o := &watcher{reached: make(chan string, 1)}
	b := newTLSTestbed(t, echo, nil, func(b *testbed) {
		b.cfg.Watch = func(r Running) Observer { o.running = r; return o }
	})
	client := b.client(nil)
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	<-o.reached
	o.running.Cut()
	s := b.session()
	if s.Reason != reasonOperator || o.running.Account() != s {
		t.Errorf("reason %q", s.Reason)
	}
	if want := []string{StagePeek, StagePeek, StageDecide, StageHandshake, StageRelay}; !slices.Equal(o.words, want) {
		t.Errorf("stages %q, want %q", o.words, want)
	}
}

// TestStagesHaveWords: each stage has one of the words.
func TestStagesHaveWords(t *testing.T) {
	for i := stagePeek; int(i) < len(stages); i++ {
		if !slices.Contains(StageWords, wordOf[i]) {
			t.Errorf("stage %d has the word %q", i, wordOf[i])
		}
	}
}
