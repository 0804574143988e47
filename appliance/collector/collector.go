// Package collector paces the Go garbage collector. Without it, the collector works
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
package collector

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	tick = time.Second
	// A tick in which less than this part of the floor was allocated is one of rest;
	// so many of them in a row are rest. Two collections within a tick are work.
	restPart, restTicks = 16, 3
	// At the beginning of rest no more than this part of the floor is kept.
	giveBack = 4
	// The smallest heap that the runtime collects is 4 MiB at GOGC=100, and in
	// proportion at others.
	runtimeMinimum = 4 << 20
)

// Pacer keeps a floor. There is one in a process.
type Pacer struct {
	floor uint64
	usual int // GOGC without us

	collected chan struct{} // a collection has ended
	quit      chan struct{}
	done      sync.WaitGroup

	now      int // GOGC as set; this and the rest are the pacer's goroutine's own
	rested   int // ticks in a row
	allocs   uint64
	last     time.Time // a collection ended
	readings []metrics.Sample
}

// What is read of the runtime, all in octets.
const (
	liveReading = iota
	stackReading
	globalsReading
	allocsReading
	objectsReading // live or garbage
	freeReading    // of the heap, and not given back
)

// Start has the collector wait for a heap of floor octets. With a floor of 0, or a
// collector that GOGC has switched off, it does nothing. Stop it when the process
// goes on without it.
func Start(floor uint64) *Pacer {
	p := &Pacer{floor: floor, collected: make(chan struct{}, 1), quit: make(chan struct{}), readings: []metrics.Sample{
		liveReading:    {Name: "/gc/heap/live:bytes"},
		stackReading:   {Name: "/gc/scan/stack:bytes"},
		globalsReading: {Name: "/gc/scan/globals:bytes"},
		allocsReading:  {Name: "/gc/heap/allocs:bytes"},
		objectsReading: {Name: "/memory/classes/heap/objects:bytes"},
		freeReading:    {Name: "/memory/classes/heap/free:bytes"},
	}}
	p.usual = debug.SetGCPercent(-1)
	debug.SetGCPercent(p.usual)
	if p.now = p.usual; p.usual <= 0 || floor == 0 {
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
	p.rested = restTicks // there was no work yet
	p.await()
	for {
		select {
		case <-p.collected:
			metrics.Read(p.readings)
			p.await()
			now := time.Now()
			if now.Sub(p.last) < tick {
				p.rested = 0
			}
			p.last = now
		case <-seconds.C:
			metrics.Read(p.readings)
			allocated := p.readings[allocsReading].Value.Uint64()
			if p.rested++; allocated-p.allocs >= p.floor/restPart {
				p.rested = 0
			}
			p.allocs = allocated
			if p.rested == restTicks && p.spare() > p.floor/giveBack {
				debug.FreeOSMemory() // other goroutines go on
			}
		case <-p.quit:
			p.set(p.usual)
			return
		}
		p.set(p.wanted())
	}
}

// await has collected get a value when the next collection has ended.
func (p *Pacer) await() {
	// An object with a pointer in it: such ones do not share their memory with others.
	runtime.AddCleanup(new(*byte), func(collected chan struct{}) {
		select {
		case collected <- struct{}{}:
		default:
		}
	}, p.collected)
}

// wanted is the GOGC by which the next collection comes at the floor, by the last
// readings.
func (p *Pacer) wanted() int {
	if p.rested >= restTicks {
		return p.usual
	}
	live := p.readings[liveReading].Value.Uint64()
	return percent(p.floor, live, live+p.readings[stackReading].Value.Uint64()+p.readings[globalsReading].Value.Uint64(), p.usual)
}

// percent is the GOGC by which a heap of live octets, with roots included base,
// grows to floor before it is collected; no less than usual.
func percent(floor, live, base uint64, usual int) int {
	if live >= floor {
		return usual
	}
	most := floor * 100 / runtimeMinimum
	return max(usual, int(min((floor-live)*100/max(base, 1), most)))
}

// spare is about what a collection would have the process give back, by the last
// readings.
func (p *Pacer) spare() uint64 {
	held := p.readings[objectsReading].Value.Uint64() + p.readings[freeReading].Value.Uint64()
	return held - min(held, p.readings[liveReading].Value.Uint64())
}

// set sets GOGC, which stops the world for a moment; not for a trifle.
func (p *Pacer) set(percent int) {
	if d := percent - p.now; d == 0 || percent != p.usual && max(d, -d) < p.now/8 {
		return
	}
	p.now = percent
	debug.SetGCPercent(percent)
}
