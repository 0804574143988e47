package wire

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf"
)

// Intervals of what a wire looks after by itself.
const (
	watchEvery   = 10 * time.Second
	lockEvery    = 100 * time.Millisecond // that another process has
	reportEvery  = time.Minute            // at most, of frames that were dropped
	heldLifetime = 60 * time.Second       // of a flow that is held or about to pass
	sweepBatch   = 1024
)

// watcher tidies up the flows that no map evicts, and reports frames that were
// dropped because they could not be judged.
type watcher struct {
	w           *wire
	log         *slog.Logger
	stop        chan struct{}
	done        chan struct{}
	reported    time.Time
	counts      map[string]uint64 // at the last report
	dropReports dropReporter
	orphans     map[kernelTuple]uint32
}

// sessions are the flows that somebody carries, with the client's initial sequence
// number.
type sessions struct {
	mu   sync.Mutex
	isns map[kernelTuple]uint32
}

func (s *sessions) add(t kernelTuple, isn uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isns == nil {
		s.isns = make(map[kernelTuple]uint32)
	}
	s.isns[t] = isn
}

func (s *sessions) remove(t kernelTuple, isn uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isns[t] == isn {
		delete(s.isns, t)
	}
}

func (s *sessions) has(t kernelTuple, isn uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.isns[t]
	return ok && known == isn
}

// watch starts a watcher, which close ends.
func (w *wire) watch() {
	w.watcher = &watcher{
		w: w, log: w.log, stop: make(chan struct{}), done: make(chan struct{}),
		dropReports: dropReporter{report: w.config.Dropped, causes: make(map[string]*dropCause), since: time.Now()},
	}
	go w.watcher.run()
}

func (x *watcher) run() {
	defer close(x.done)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	locking := time.NewTicker(lockEvery)
	defer locking.Stop()
	for {
		select {
		case <-locking.C:
			if x.w.tryLock() {
				locking.Stop()
			}
		case <-x.stop:
			if err := x.reportRemaining(); err != nil && !errors.Is(err, errClosed) {
				x.log.Warn("wire maintenance failed", "err", err)
			}
			return
		case now := <-tick.C:
			if err := x.tick(now); err != nil && !errors.Is(err, errClosed) {
				x.log.Warn("wire maintenance failed", "err", err)
			}
		}
	}
}

func (x *watcher) tick(now time.Time) error {
	x.w.mu.RLock()
	defer x.w.mu.RUnlock()
	if x.w.closed {
		return errClosed
	}
	if !x.w.replaced() {
		if err := x.sweep(); err != nil {
			return err
		}
	}
	counts, err := readPaths(x.w.program.kernelMaps.Paths)
	if err != nil {
		return err
	}
	x.report(now, counts)
	x.dropReports.update(now, counts, false)
	return nil
}

// reportRemaining tells of the frames that were dropped and not told of.
func (x *watcher) reportRemaining() error {
	x.w.mu.RLock()
	defer x.w.mu.RUnlock()
	if x.w.closed {
		return errClosed
	}
	counts, err := readPaths(x.w.program.kernelMaps.Paths)
	if err != nil {
		return err
	}
	x.dropReports.update(time.Now(), counts, true)
	return nil
}

// report logs what was dropped since the last time, at most once a minute.
func (x *watcher) report(now time.Time, counts map[string]uint64) {
	if now.Sub(x.reported) < reportEvery {
		return
	}
	var what []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if cause, ok := strings.CutSuffix(name, droppedSuffix); ok && counts[name] > x.counts[name] {
			what = append(what, fmt.Sprintf("%s %d", cause, counts[name]-x.counts[name]))
		}
	}
	x.counts = counts
	if len(what) > 0 {
		x.reported = now
		x.log.Warn("frames dropped that cannot be judged", "frames", strings.Join(what, ", "))
	}
}

// sweep forgets flows that nobody decides on or carries any more.
func (x *watcher) sweep() error {
	p := x.w.program
	now, orphans := monotonic(), make(map[kernelTuple]uint32)
	keys, flows := make([]kernelTuple, sweepBatch), make([]kernelFlow, sweepBatch)
	var cursor ebpf.MapBatchCursor
	for last := false; !last; {
		n, err := p.Flows.BatchLookup(&cursor, keys, flows, nil)
		last = errors.Is(err, ebpf.ErrKeyNotExist)
		if err != nil && !last {
			return err
		}
		for i := range n {
			t, f := keys[i], &flows[i]
			c := kernelTransition{Tuple: t, From: uint32(f.State), Isn: f.Sides[toOrigin].Isn}
			switch {
			case f.State != kernelStateSTATE_TAKEN:
				if now-f.Held < uint64(heldLifetime) {
					continue
				}
				c.To = uint32(kernelStateSTATE_GONE)
			case x.w.lock == nil, x.w.sessions.has(t, c.Isn): // another process carries sessions, too
				continue
			case x.orphans[t] != c.Isn: // it may have been taken just now
				orphans[t] = c.Isn
				continue
			default:
				c.To = uint32(kernelStateSTATE_ENDED)
			}
			if _, err := p.change(c); err != nil {
				return err
			}
		}
	}
	x.orphans = orphans
	return nil
}

// close ends the watcher and waits for it.
func (x *watcher) close() {
	close(x.stop)
	<-x.done
}
