package inline

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// unplug takes the cable of a leg out of the device, or puts it back.
func (b *testbed) unplug(port string, out bool) {
	b.t.Helper()
	if err := b.device.SetUp(port, !out); err != nil {
		b.t.Fatal(err)
	}
}

// TestUnplugged: new sessions do what is configured from the moment that the
// carrier is lost; running ones are reset once the device holds octets of theirs
// for too long, and go on if it comes back before.
func TestUnplugged(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		open bool
		port string
	}{{"open", true, "dev0"}, {"closed", false, "dev1"}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newLab(t)
			b.bridge()
			b.open(func(c *Config) { c.FailOpen = tt.open })
			idle := b.carry(b.Device, client4, origin4)
			busy := b.carry(b.Device, netip.AddrPortFrom(client4.Addr(), 40008), origin4)
			for _, s := range []*session{idle, busy} {
				io.WriteString(s.client, "hello")
				if _, err := io.ReadFull(s.origin, make([]byte, 5)); err != nil {
					t.Fatal(err)
				}
			}
			var moved atomic.Int64
			go func() {
				for {
					if n, err := busy.client.Write(make([]byte, 10_000)); err != nil {
						return
					} else {
						moved.Add(int64(n))
					}
				}
			}()
			go io.Copy(io.Discard, busy.origin)
			b.await("the session is under load", func() bool { return moved.Load() > 10<<20 })

			b.unplug(tt.port, true)
			b.await("the device is down", func() bool { return !b.Up() })
			s := b.carry(b.Device, client6, origin6)
			if tt.open {
				b.exchange(s, request, answer)
				b.end(s, b.Device, Bypassed)
			} else {
				if _, err := io.ReadAll(s.client); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("client read %v, want a reset", err)
				}
				b.end(s, b.Device, Refused)
			}
			b.end(busy, b.Device, TimedOut)

			b.unplug(tt.port, false)
			b.await("the device is up", b.Up)
			b.exchange(idle, request, answer)
			b.end(idle, b.Device, Carried)
			s = b.carry(b.Device, client6, origin6)
			b.exchange(s, request, answer)
			b.end(s, b.Device, Carried)
			if log := b.log.String(); !strings.Contains(log, "unplugged") || !strings.Contains(log, "plugged in") {
				t.Error("the log does not tell")
			}
		})
	}
}

// TestUnpluggedUnderLoad: no session is left hanging, and none is told an orderly
// end that was none.
func TestUnpluggedUnderLoad(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{true, false} {
		t.Run(fmt.Sprintf("open=%v", open), func(t *testing.T) {
			t.Parallel()
			b := newLab(t)
			b.bridge()
			b.open(func(c *Config) { c.FailOpen, c.Timeout = open, time.Second })
			b.load(open)
		})
	}
}

// load has sessions come and go while the device is unplugged, and plugged in again.
func (b *testbed) load(open bool) {
	b.t.Helper()
	failed := Refused
	if open {
		failed = Bypassed
	}
	var mu sync.Mutex
	words := make(map[string]int)
	reached := func(word string, n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return words[word] >= n
		}
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop.Store(true)
	for worker := range 8 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				s := b.carry(b.Device, netip.AddrPortFrom(client4.Addr(), uint16(20_000+1000*worker+i%1000)), origin4)
				err := talk(s, request, answer)
				s.client.Close()
				s.origin.Close()
				<-s.done
				word := s.Services()[b.config.Name]
				if good := word == Carried || word == PortChanged || word == Bypassed; good != (err == nil) {
					b.t.Errorf("session was %s: %v", word, err)
				}
				mu.Lock()
				words[word]++
				mu.Unlock()
			}
		})
	}
	b.await("sessions are carried", reached(Carried, 40))
	b.unplug("dev0", true)
	b.await("sessions meet a device that is down", reached(failed, 40))
	b.unplug("dev0", false)
	b.await("the device is up", b.Up)
	mu.Lock()
	n := words[Carried]
	mu.Unlock()
	b.await("sessions are carried again", reached(Carried, n+40))
}

// TestProbe: a device that has a carrier and passes nothing is found out without
// any session, and so is its recovery.
func TestProbe(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	m := b.middlebox()
	b.open(func(c *Config) {
		c.FailOpen = true
		c.Probe = Probe{Interval: 50 * time.Millisecond}
	})
	b.await("probes come through", func() bool { return b.counter("probe-ok") >= 3 })
	m.set(func(int, []byte) (on, back [][]byte) { return nil, nil })
	b.await("the device is down", func() bool { return !b.Up() })
	s := b.carry(b.Device, client4, origin4)
	b.exchange(s, request, answer)
	b.end(s, b.Device, Bypassed)
	if s.Session.Services()[b.config.Name] != Bypassed {
		t.Error("not bypassed")
	}
	m.set(nil)
	b.await("the device is up again", b.Up)
	s = b.carry(b.Device, client4, origin4)
	b.exchange(s, request, answer)
	b.end(s, b.Device, Carried)
	for _, want := range []string{"inline device is down", "inline device is up again"} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
}
