package inline

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// inherited returns descriptors as another process has them.
func inherited(t *testing.T, files []*os.File) (list []*os.File) {
	t.Helper()
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			var twin *os.File
			if twin, err = fileOf(int(fd), f.Name()); err == nil {
				list = append(list, twin)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// turn is a device, and the sessions that it carries.
type turn struct {
	*Device
	users sync.WaitGroup
}

// TestTakesTurns has devices take each other's place between two legs, and what holds the
// legs be taken over: sessions of both go on, and none fails. At the end all is as before.
func TestTakesTurns(t *testing.T) {
	b := newLab(t)
	b.bridge()
	before := b.state()
	c := Config{Name: b.box.FullName(), Legs: [2]string{"chain0", "chain1"}, Port: 80, Timeout: 30e9, Probe: Probe{Interval: -1}}
	chain, err := openChain(c, b.host())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := chain.Close(); err != nil {
			t.Error(err)
		}
		if after := b.state(); !slices.Equal(after, before) {
			t.Errorf("after: %v\nbefore: %v", after, before)
		}
	}()
	join := func() *turn {
		t.Helper()
		d, err := Join(c, inherited(t, chain.Shared()))
		if err != nil {
			t.Fatal(err)
		}
		b.await("device is up", d.Up)
		return &turn{Device: d}
	}
	var mu sync.Mutex
	first := join()
	defer first.Close()
	current := first
	lasting := b.carry(first.Device, client4, origin4)
	say := func(word string) {
		t.Helper()
		io.WriteString(lasting.client, word)
		got := make([]byte, len(word))
		if _, err := io.ReadFull(lasting.origin, got); err != nil || string(got) != word {
			t.Fatalf("the first session: %q, %v", got, err)
		}
	}
	say("a")
	if first.pairing.slot != 0 {
		t.Errorf("slot %d", first.pairing.slot)
	}
	// What a dead process of the next slot has announced is forgotten.
	stale := tuple(client6, origin6)
	if err := first.maps.Expected.Put(stale, slot(1)); err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	var end atomic.Bool
	var done atomic.Int64
	for i := range 4 {
		clients.Go(func() {
			for n := 0; !end.Load(); n++ {
				client, origin := client4, origin8443
				if n%2 == 1 {
					client, origin = client6, origin6
				}
				mu.Lock()
				now := current
				now.users.Add(1)
				mu.Unlock()
				s := b.carry(now.Device, netip.AddrPortFrom(client.Addr(), uint16(30_000+i*5000+n%5000)), origin)
				err := talk(s, fmt.Sprint("asked ", i, n), fmt.Sprint("answered ", i, n))
				if err == nil {
					<-s.done
				}
				now.users.Done()
				if err != nil {
					t.Errorf("session %d of %d: %v", n, i, err)
					return
				}
				done.Add(1)
			}
		})
	}
	for n := range 4 {
		enough := done.Load() + 10
		b.await("sessions", func() bool { return done.Load() >= enough || t.Failed() })
		next := join()
		if old, err := next.maps.Expected.LookupBytes(stale); n == 0 && (next.pairing.slot != 1 || old != nil) {
			t.Errorf("slot %d, announced before: %v, %v", next.pairing.slot, old, err)
		}
		mu.Lock()
		previous := current
		current = next
		mu.Unlock()
		enough = done.Load() + 10
		b.await("sessions of the next one", func() bool { return done.Load() >= enough || t.Failed() })
		say("b")
		if previous != first {
			previous.users.Wait()
			if err := previous.Close(); err != nil {
				t.Error(err)
			}
		}
		if n == 1 { // another program holds the legs
			files := inherited(t, chain.Files())
			for _, f := range chain.Files() {
				f.Close()
			}
			for _, p := range chain.ports {
				p.Close()
			}
			chain.host.Close()
			if chain, err = AdoptChain(c, files); err != nil {
				t.Fatal(err)
			}
			chain.host.Close()
			chain.host = b.host()
		}
	}
	end.Store(true)
	clients.Wait()
	say("c")
	lasting.client.CloseWrite()
	lasting.origin.CloseWrite()
	<-lasting.done
	current.Close()
	t.Logf("%d sessions", done.Load())
}
