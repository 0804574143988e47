package export

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/trail"
)

const (
	batch    = 512                    // entries that are sent at a time
	maxAhead = 64 << 10               // entries that are sent and not acknowledged
	minRetry = 100 * time.Millisecond // before the first attempt to connect again
	maxRetry = 5 * time.Second        // doubled up to this
	minPoll  = time.Millisecond       // for acknowledgements
	maxPoll  = 200 * time.Millisecond
	idlePoll = time.Second // for entries of other processes
)

// sender sends the entries of one output.
type sender struct {
	Output
	trail   string // path of the log
	rotate  trail.Options
	query   *query.Query
	tls     *tls.Config
	encoder encoder
	log     *slog.Logger
	ended   func() // told when a file of this output has ended
	cursor  *cursor
	wake    chan struct{}   // there are new entries
	idle    chan chan error // asks to be told when everything is sent

	written, lost atomic.Uint64
	oldest        atomic.Int64 // time of the oldest entry that was not acknowledged, in ns since 1970; 0: there is none

	mu  sync.Mutex
	at  trail.Position // that was read
	err error

	// Of run alone.
	reader *trail.Reader
	marks  marks
	ack    trail.Position // what the receiver has, or does not want
	asked  []chan error
	stored trail.Position
}

func newSender(cfg Config, o Output, hostname string, ended func()) (*sender, error) {
	s := &sender{
		Output: o, trail: cfg.Trail, rotate: cfg.Rotate, log: cfg.Logger.With("output", o.Name),
		ended: ended, wake: make(chan struct{}, 1), idle: make(chan chan error, 1),
	}
	var err error
	if s.query, err = o.query(); err != nil {
		return nil, err
	}
	if s.tls, err = o.tls(); err != nil {
		return nil, err
	}
	s.encoder = newEncoder(o.Format, o.Network != File, hostname, cfg.Version)
	var fresh bool
	if s.cursor, s.at, fresh, err = openCursor(cursorPath(cfg.State, o.Name)); err != nil {
		return nil, err
	}
	if fresh {
		if s.at, err = trail.End(cfg.Trail); err == nil {
			err = s.cursor.store(s.at)
		}
	}
	if err != nil {
		s.cursor.close()
		return nil, err
	}
	return s, nil
}

func (s *sender) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// askIdle returns a channel that gets something when everything is sent and acknowledged.
func (s *sender) askIdle() <-chan error {
	told := make(chan error, 1)
	select {
	case s.idle <- told:
	default:
	}
	return told
}

func (s *sender) place() trail.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

func (s *sender) status() Status {
	st := Status{Name: s.Name, Written: s.written.Load(), Lost: s.lost.Load()}
	if t := s.oldest.Load(); t != 0 {
		st.Lag = max(0, time.Since(time.Unix(0, t)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Err = s.err
	return st
}

// fault notes why nothing is sent, nil if that is over, and tells the log once.
func (s *sender) fault(err error) {
	s.mu.Lock()
	before := s.err
	s.err = err
	s.mu.Unlock()
	switch {
	case err != nil && before == nil:
		s.log.Warn("audit output is not reached, entries wait in the audit files", "to", s.Address, "err", err)
	case err == nil && before != nil:
		s.log.Info("audit output is reached again", "to", s.Address)
	}
}

// run sends until ctx ends. The cursor may have moved in another process since it was
// opened.
func (s *sender) run(ctx context.Context) {
	if at, found := s.cursor.load(); found {
		s.mu.Lock()
		s.at = at
		s.mu.Unlock()
	}
	s.ack, s.stored = s.at, s.at
	s.reader = trail.NewReader(s.trail, s.ack)
	defer s.reader.Close()
	retry := minRetry
	for s.await(ctx) {
		began := time.Now()
		err := s.connected(ctx)
		s.rewind()
		if ctx.Err() != nil {
			break
		}
		s.fault(err)
		if time.Since(began) > maxRetry {
			retry = minRetry
		}
		if !pause(ctx, retry) {
			break
		}
		retry = min(2*retry, maxRetry)
	}
	if err := s.cursor.sync(); err != nil {
		s.log.Error("cursor of an audit output cannot be written", "err", err)
	}
}

// await waits for an entry that the receiver does not have, and reports whether there is
// one.
func (s *sender) await(ctx context.Context) bool {
	for {
		line, err := s.next()
		if err == nil {
			s.oldest.Store(timeOf(line))
			s.reader.Seek(s.ack)
			return true
		}
		if err != io.EOF {
			s.fault(err)
		} else {
			s.told()
		}
		if !s.wait(ctx, nil, idlePoll) {
			return false
		}
	}
}

// next returns the next line of the log. Files that are gone or damaged are told of.
func (s *sender) next() ([]byte, error) {
	line, err := s.reader.Next()
	if what := s.reader.Missed(); what != nil {
		s.log.Error("audit file that an output has not sent is gone or damaged", "err", what)
	}
	return line, err
}

// wait waits for new entries, but not longer than d, and reports whether ctx goes on.
// broken may be nil.
func (s *sender) wait(ctx context.Context, broken <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case told := <-s.idle:
		s.asked = append(s.asked, told)
	case <-s.wake:
	case <-broken:
	case <-timer.C:
	}
	return true
}

// told tells who asked that everything is sent.
func (s *sender) told() {
	for _, c := range s.asked {
		c <- nil
	}
	s.asked = nil
}

func (s *sender) close() { s.cursor.close() }

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
