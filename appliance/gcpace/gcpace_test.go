package gcpace

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"testing"
	"time"
)

const mib = 1 << 20

func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		name              string
		floor, live, base uint64
		usual, want       int
	}{
		{"nothing is live", 64 * mib, 0, 0, 100, 1600},
		{"little is live", 64 * mib, mib, 2 * mib, 100, 1600},
		{"some is live", 64 * mib, 16 * mib, 24 * mib, 100, 200},
		{"half is live", 64 * mib, 32 * mib, 40 * mib, 100, 100},
		{"as much is live", 64 * mib, 64 * mib, 65 * mib, 100, 100},
		{"more is live", 64 * mib, 640 * mib, 650 * mib, 100, 100},
		{"usually later", 64 * mib, 16 * mib, 24 * mib, 400, 400},
		{"usually sooner", 64 * mib, 48 * mib, 50 * mib, 20, 32},
	} {
		if got := percent(tt.floor, tt.live, tt.base, tt.usual); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

var sink []byte

// churn allocates octets that are garbage at once, and tells how many collections
// that took.
func churn(octets int) uint64 {
	cycles := []metrics.Sample{{Name: "/gc/cycles/automatic:gc-cycles"}}
	metrics.Read(cycles)
	before := cycles[0].Value.Uint64()
	for range octets / (16 << 10) {
		sink = make([]byte, 16<<10)
	}
	metrics.Read(cycles)
	return cycles[0].Value.Uint64() - before
}

// TestFloor compares the collections that the same work takes without and with a
// floor, has much become live, which ends the floor's reign, and stops.
func TestFloor(t *testing.T) {
	const work, floor = 512 * mib, 128 * mib
	usual := debug.SetGCPercent(100)
	defer debug.SetGCPercent(usual)
	without := churn(work)
	p := Start(floor)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if with := churn(work); with*4 < without {
			t.Logf("%d collections without, %d with", without, with)
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d collections without a floor, as many with", without)
		}
	}
	held := make([][]byte, 4*floor/mib)
	for i := range held {
		held[i] = make([]byte, mib)
	}
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
	runtime.GC()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		metrics.Read(goal)
		if goal[0].Value.Uint64() < 10*floor {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("a heap of %d MiB may grow to %d MiB", 4*floor/mib, goal[0].Value.Uint64()/mib)
		}
	}
	runtime.KeepAlive(held)
	p.Stop()
	if now := debug.SetGCPercent(100); now != 100 {
		t.Errorf("GOGC is %d afterwards", now)
	}
}

// TestRest has a process rest: the runtime's rule is back, and so is the memory.
func TestRest(t *testing.T) {
	usual := debug.SetGCPercent(100)
	defer debug.SetGCPercent(usual)
	p := Start(64 * mib)
	defer p.Stop()
	churn(256 * mib)
	reach := func(what string, busy, reached func(int) bool) {
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			now := []metrics.Sample{{Name: "/gc/gogc:percent"}}
			metrics.Read(now)
			g := int(now[0].Value.Uint64())
			if reached(g) {
				return
			}
			if busy(g); time.Now().After(end) {
				t.Fatalf("%s: GOGC is %d", what, g)
			}
		}
	}
	reach("at work", func(int) bool { churn(32 * mib); return true }, func(g int) bool { return g > 100 })
	reach("at rest", func(int) bool { return true }, func(g int) bool { return g == 100 && !p.holds() })
}

// holds tells whether there is much more than what is live.
func (p *Pacer) holds() bool {
	q := &Pacer{samples: slices.Clone(p.samples)}
	metrics.Read(q.samples)
	return q.reclaimable() > p.floor/2
}

// TestOff: without a floor, or with a collector that is off, nothing is changed.
func TestOff(t *testing.T) {
	usual := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(usual)
	Start(64 * mib).Stop()
	Start(0).Stop()
	if now := debug.SetGCPercent(-1); now != -1 {
		t.Errorf("GOGC is %d afterwards", now)
	}
}
