package wire

import (
	"sync/atomic"
	"time"
)

// Condition is what a wire in operation does at one moment.
type Condition struct {
	// Taking tells that connections are taken. Else they pass or are blocked, as
	// Config.Down says.
	Taking bool
	Lost   []string // legs without a carrier, those that are down included
}

// Condition tells what the wire does now. It asks the kernel for both legs.
func (w *wire) Condition() (c Condition) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return c
	}
	c.Taking = w.beating()
	for i, index := range w.indexes {
		link, err := w.namespace.Links.LinkByIndex(index)
		if err != nil || !hasCarrier(link.Attrs().RawFlags) {
			c.Lost = append(c.Lost, w.config.Legs[i])
		}
	}
	return c
}

// beating reports whether the programs see the process and all its loops alive, as
// [Status] has it. w.mu is held.
func (w *wire) beating() bool {
	now, loops := monotonic(), int(w.program.kernelMaps.Heartbeat.MaxEntries())-1
	late := func(slot int, limit time.Duration) bool {
		beat := atomic.LoadUint64(w.heartbeats.slot(slot))
		return beat == 0 || now > beat && now-beat >= uint64(limit)
	}
	limit := w.config.Stall
	if !late(loops, limit) { // the process runs: a loop may be late
		limit = max(limit, lateLoopLimit)
	}
	for i := range loops {
		if late(i, limit) {
			return false
		}
	}
	return true
}
