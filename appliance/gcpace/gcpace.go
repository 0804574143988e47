// Package gcpace paces the Go garbage collector. Without it, the collector works
// on a small heap all the time.
//
// The runtime collects when the heap is twice as large as the live heap. An
// appliance with few sessions has a small live heap: the runtime would collect
// after every few dozen handshakes. While there is work, this package delays the
// next collection until the heap has a floor size, if that is larger. At rest the
// runtime's own rule applies and gives garbage back.
//
// The package changes GOGC only. A memory limit (GOMEMLIMIT, debug.SetMemoryLimit)
// still applies.
package gcpace

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	tick = time.Second
	// A tick is idle if less than this part of the floor was allocated in it. The
	// process is at rest after so many idle ticks in a row. Two collections within a
	// tick are work.
	idlePart, idleTicks = 16, 3
	// At the beginning of rest, the process keeps at most this part of the floor.
	keepPart = 4
	// The smallest heap that the runtime collects is 4 MiB at GOGC=100, and in
	// proportion at others.
	runtimeMinimum = 4 << 20
)

// Pacer keeps a floor. There is one in a process.
type Pacer struct {
	floor      uint64
	configured int // GOGC without us

	cycleEnded chan struct{} // a collection has ended
	quit       chan struct{}
	done       sync.WaitGroup

	current   int // GOGC as set; this and the fields below belong to the pacer's goroutine
	idle      int // idle ticks in a row
	allocs    uint64
	lastCycle time.Time // when a collection ended last
	samples   []metrics.Sample
}

// Indexes of Pacer.samples, all in octets.
const (
	liveHeap = iota
	stackScan
	globalsScan
	allocated
	heapObjects // live or garbage
	heapFree    // of the heap, and not given back
)

// Start has the collector wait for a heap of floor octets. With a floor of 0, or a
// collector that GOGC has switched off, it does nothing. Stop it when the process
// goes on without it.
func Start(floor uint64) *Pacer {
	p := &Pacer{floor: floor, cycleEnded: make(chan struct{}, 1), quit: make(chan struct{}), samples: []metrics.Sample{
		liveHeap:    {Name: "/gc/heap/live:bytes"},
		stackScan:   {Name: "/gc/scan/stack:bytes"},
		globalsScan: {Name: "/gc/scan/globals:bytes"},
		allocated:   {Name: "/gc/heap/allocs:bytes"},
		heapObjects: {Name: "/memory/classes/heap/objects:bytes"},
		heapFree:    {Name: "/memory/classes/heap/free:bytes"},
	}}
	p.configured = debug.SetGCPercent(-1)
	debug.SetGCPercent(p.configured)
	if p.current = p.configured; p.configured <= 0 || floor == 0 {
		return p
	}
	p.done.Go(p.run)
	return p
}

// Stop brings the runtime's own rule back.
func (p *Pacer) Stop() {
	close(p.quit)
	p.done.Wait()
}

func (p *Pacer) run() {
	seconds := time.NewTicker(tick)
	defer seconds.Stop()
	p.idle = idleTicks // there was no work yet
	p.notifyCycle()
	for {
		select {
		case <-p.cycleEnded:
			metrics.Read(p.samples)
			p.notifyCycle()
			now := time.Now()
			if now.Sub(p.lastCycle) < tick {
				p.idle = 0
			}
			p.lastCycle = now
		case <-seconds.C:
			metrics.Read(p.samples)
			total := p.samples[allocated].Value.Uint64()
			if p.idle++; total-p.allocs >= p.floor/idlePart {
				p.idle = 0
			}
			p.allocs = total
			if p.idle == idleTicks && p.reclaimable() > p.floor/keepPart {
				debug.FreeOSMemory() // other goroutines go on
			}
		case <-p.quit:
			p.set(p.configured)
			return
		}
		p.set(p.target())
	}
}

// notifyCycle has cycleEnded get a value when the next collection has ended.
func (p *Pacer) notifyCycle() {
	// An object with a pointer in it: such ones do not share their memory with others.
	runtime.AddCleanup(new(*byte), func(ended chan struct{}) {
		select {
		case ended <- struct{}{}:
		default:
		}
	}, p.cycleEnded)
}

// target is the GOGC by which the next collection comes at the floor, by the last
// samples.
func (p *Pacer) target() int {
	if p.idle >= idleTicks {
		return p.configured
	}
	live := p.samples[liveHeap].Value.Uint64()
	return percent(p.floor, live, live+p.samples[stackScan].Value.Uint64()+p.samples[globalsScan].Value.Uint64(), p.configured)
}

// percent is the GOGC by which a heap of live octets, with roots included base,
// grows to floor before it is collected; no less than usual.
func percent(floor, live, base uint64, configured int) int {
	if live >= floor {
		return configured
	}
	most := floor * 100 / runtimeMinimum
	return max(configured, int(min((floor-live)*100/max(base, 1), most)))
}

// reclaimable is about what a collection would have the process give back, by the last
// samples.
func (p *Pacer) reclaimable() uint64 {
	held := p.samples[heapObjects].Value.Uint64() + p.samples[heapFree].Value.Uint64()
	return held - min(held, p.samples[liveHeap].Value.Uint64())
}

// set sets GOGC, which stops the world for a moment; not for a trifle.
func (p *Pacer) set(percent int) {
	if d := percent - p.current; d == 0 || percent != p.configured && max(d, -d) < p.current/8 {
		return
	}
	p.current = percent
	debug.SetGCPercent(percent)
}
