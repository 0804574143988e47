package pcapng

import (
	"time"

	"github.com/clearspan/clearspan/mirror"
)

// run is the writer: it takes buffers to the disk until the sink is closed.
// Only it touches s.store after Open.
func (s *Sink) run(flush time.Duration) {
	defer close(s.done)
	ticker := time.NewTicker(flush)
	defer ticker.Stop()
	var retryAt time.Time // zero unless the storage failed
	for {
		tick := false
		select {
		case <-s.wake:
		case <-ticker.C:
			tick = true
		}
		closed := s.prepare(tick)
		now := time.Now()
		if now.Before(retryAt) && !closed {
			continue
		}
		retryAt = s.handleResult(s.drain())
		s.store.expire(now)
		if closed {
			s.end()
			return
		}
	}
}

// prepare hands over what is in the current buffer if a flush is due, and
// reports whether the sink is closed.
func (s *Sink) prepare(flush bool) (closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if flush && len(s.pending) == 0 {
		s.handOver()
	}
	return s.closed
}

// drain writes pending buffers until there are none or one fails; that one
// stays the first.
func (s *Sink) drain() error {
	for {
		s.mu.Lock()
		if len(s.pending) == 0 {
			s.mu.Unlock()
			return nil
		}
		b, waiting := s.pending[0], len(s.pending)
		s.mu.Unlock()
		start := time.Now()
		cached, large := start.Before(s.pace.cached), len(b.blocks) >= directMin
		if err := s.store.write(b, start, cached); err != nil {
			return err
		}
		if large && !cached && s.pace.behind(time.Now(), time.Since(start), 2*waiting > s.most) {
			s.log.Info("disk is slower than the frames")
		}
		s.release(b)
	}
}

// release takes the first pending buffer, which was written, back to the free
// ones.
func (s *Sink) release(b *buffer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	copy(s.pending, s.pending[1:])
	s.pending = s.pending[:len(s.pending)-1]
	clear(b.names)
	*b = buffer{blocks: b.blocks[:0], names: b.names[:0]}
	s.free = append(s.free, b)
	s.room.Broadcast() // all: the buffer has room for many of them
}

// handleResult tells the senders whether the storage works, logs when that changed,
// and returns when to try again, the zero time if nothing failed.
func (s *Sink) handleResult(err error) time.Time {
	failed := err != nil
	s.mu.Lock()
	changed := failed != s.failed
	s.failed = failed
	if changed {
		s.room.Broadcast()
	}
	s.mu.Unlock()
	switch {
	case failed && changed:
		s.log.Error("capture storage failed", "err", err)
	case changed:
		s.log.Info("capture storage works again")
	}
	if !failed {
		return time.Time{}
	}
	return time.Now().Add(s.retry)
}

// end completes the last file and counts what could not be written.
func (s *Sink) end() {
	s.store.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	var lost uint64
	for _, b := range s.pending {
		lost += b.frames
		s.stats.Frames -= b.frames
		s.stats.Octets -= b.octets
	}
	if lost > 0 {
		s.stats.Lost[mirror.LossReason(mirror.ErrStorage)] += lost
		s.log.Error("captured frames lost at close", "frames", lost)
	}
	s.pending, s.free, s.current = nil, nil, nil
	for _, free := range s.unmap {
		free()
	}
	s.unmap = nil
}
