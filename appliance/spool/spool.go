// Package spool appends lines to a file that may be full, or hang, and lets no caller
// wait for it.
package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

const (
	// retryDelay is how long a file that took nothing is left alone.
	retryDelay = time.Second
	// patience is how long Close and Reopen wait for a file that hangs.
	patience = 2 * time.Second
	// Limit bounds the octets that are kept while the file takes nothing.
	Limit = 8 << 20
	// keepBuffer is the largest capacity, in octets, of a buffer that is kept.
	keepBuffer = 1 << 20
)

// Events tell the owner of a [Spool] what became of its file. Each may be nil. They are
// called by the goroutine that found it, with no lock held.
type Events struct {
	Full      func()            // lines are lost: the first one since the file last took something
	Failed    func(err error)   // a write failed; further ones are not told of
	Recovered func(lost uint64) // a write succeeded again; lines lost so far
}

// Spool appends lines to a file. Each line is handed to the kernel at once, by one
// goroutine: one write for the lines that came meanwhile. A killed process loses no
// line that was handed over; a power failure may. While the file takes nothing, as on a
// full disk or a pipe that nobody reads, lines are kept, and a write that returned an
// error is tried again every second. Lines beyond [Limit] are lost and counted. A spool
// is safe for concurrent use.
type Spool struct {
	path   string // empty: the file is not opened again, nor closed
	events Events
	open   func(path string) (io.WriteCloser, error)

	wake    chan struct{} // something is pending
	asks    chan func()   // what the writer does next
	closing chan struct{}
	done    chan struct{} // the writer has ended

	patience time.Duration

	mu      sync.Mutex // never held while the file is written
	pending []byte     // whole lines
	taken   int        // octets of batch
	closed  bool
	full    bool // a line was lost since the file last took something
	lost    uint64
	waiting int            // lines in pending and batch
	failure error          // of the last write; nil: the file took it
	moved   time.Time      // when the file last took something, or nothing waited
	out     io.WriteCloser // changed by the writer alone

	// Of the writer alone.
	batch   []byte // whole lines
	partial int    // octets at the start of batch that out has taken
	failing bool
	delay   time.Duration
}

// Open opens the file at path, which is created with mode 0600 if it does not exist. A
// line that a crash left unfinished is ended first.
func Open(path string, events Events) (*Spool, error) { return Use(path, openFile, events) }

// Use is [Open] with another way to open the file. Where a write fails in the middle of a
// line, the next write to the same file begins with the rest of the line.
func Use(path string, open func(path string) (io.WriteCloser, error), events Events) (*Spool, error) {
	out, err := open(path)
	if err != nil {
		return nil, err
	}
	return start(path, out, open, retryDelay, events), nil
}

// To returns a spool of out, which it neither closes nor opens again.
func To(out io.WriteCloser, events Events) *Spool {
	return start("", out, nil, retryDelay, events)
}

// start starts the writer, which ends in Close.
func start(path string, out io.WriteCloser, open func(string) (io.WriteCloser, error), delay time.Duration, events Events) *Spool {
	s := &Spool{
		path: path, events: events, open: open, out: out, delay: delay, patience: patience,
		wake: make(chan struct{}, 1), asks: make(chan func()), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go s.write()
	return s
}

// openFile opens path for appending whole lines.
func openFile(path string) (io.WriteCloser, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			if _, err := f.Write([]byte{'\n'}); err != nil {
				return nil, errors.Join(err, f.Close())
			}
		}
	}
	return f, nil
}

// Write appends a line, which ends in a line feed. It borrows line until it returns,
// waits for no file, and does not fail: see [Spool.Lost].
func (s *Spool) Write(line []byte) {
	s.mu.Lock()
	over := len(s.pending)+s.taken+len(line) > Limit
	kept := !s.closed && !over
	first := over && !s.full && !s.closed
	if kept {
		if s.waiting == 0 {
			s.moved = time.Now()
		}
		s.pending = append(s.pending, line...)
		s.waiting++
	} else {
		s.lost++
		s.full = s.full || over
	}
	s.mu.Unlock()
	if first && s.events.Full != nil {
		s.events.Full()
	}
	if !kept {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default: // the writer will look
	}
}

// write is the writer.
func (s *Spool) write() {
	defer close(s.done)
	for {
		wake, retry := s.wake, (<-chan time.Time)(nil)
		if s.failing {
			wake, retry = nil, time.After(s.delay)
		}
		select {
		case <-wake:
			s.flush()
		case <-retry:
			s.flush()
		case ask := <-s.asks:
			ask()
		case <-s.closing:
			s.flush()
			return
		}
	}
}

// flush writes what is pending until nothing is. What the file does not take stays,
// from the start of the line that was cut: an octet is never written twice to one file,
// but the next file gets whole lines.
func (s *Spool) flush() {
	for s.take() {
		n, err := s.out.Write(s.batch[s.partial:])
		taken := s.partial + n
		if err != nil {
			whole := bytes.LastIndexByte(s.batch[:taken], '\n') + 1
			s.partial = taken - whole
			lines := bytes.Count(s.batch[:whole], []byte{'\n'})
			s.batch = s.batch[:copy(s.batch, s.batch[whole:])]
			s.account(lines, err)
			if !s.failing {
				s.failing = true
				if s.events.Failed != nil {
					s.events.Failed(err)
				}
			}
			return
		}
		lines := bytes.Count(s.batch, []byte{'\n'})
		if s.batch, s.partial = s.batch[:0], 0; cap(s.batch) > keepBuffer {
			s.batch = nil // grown in a time of need
		}
		s.account(lines, nil)
		if s.failing {
			s.failing = false
			if s.events.Recovered != nil {
				s.events.Recovered(s.Lost())
			}
		}
	}
}

// take moves what is pending to the batch, and reports whether there is anything in
// that.
func (s *Spool) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.batch) == 0 {
		s.batch, s.pending = s.pending, s.batch
	} else {
		s.batch = append(s.batch, s.pending...)
		s.pending = s.pending[:0]
	}
	s.taken = len(s.batch)
	return s.taken > 0
}

// account notes how many lines the file took, why it took no more, and what is left of
// the batch.
func (s *Spool) account(lines int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
	if lines > 0 {
		s.full, s.moved = false, time.Now()
	}
	s.waiting -= lines
	s.taken = len(s.batch)
}

// Reopen opens the spool's path again, so that the old file may be renamed or removed:
// logrotate asks for that. If it fails, the old file stays in use. Reopen leaves an old
// file that hangs after two seconds, if the kernel can. After Close the error is
// [fs.ErrClosed].
func (s *Spool) Reopen() error {
	result := make(chan error, 1)
	asks, ask := s.asks, func() { result <- s.reopen() }
	for range 4 {
		select {
		case asks <- ask:
			asks = nil
		case err := <-result:
			return err
		case <-s.done:
			return fs.ErrClosed
		case <-time.After(s.patience):
			s.deadline(time.Unix(1, 0))
		}
	}
	return errors.New("the file that is open takes nothing")
}

// reopen is the writer's part of Reopen.
func (s *Spool) reopen() error {
	if s.path == "" {
		return nil
	}
	s.flush()
	out, err := s.open(s.path)
	if err != nil {
		s.deadline(time.Time{})
		return err
	}
	err = s.out.Close()
	s.mu.Lock()
	s.out, s.partial = out, 0
	s.mu.Unlock()
	s.flush()
	if err != nil {
		return fmt.Errorf("close previous file: %w", err)
	}
	return nil
}

// deadline ends a write that waits, where the file has deadlines, as pipes do. The
// zero time is no deadline.
func (s *Spool) deadline(t time.Time) {
	s.mu.Lock()
	out := s.out
	s.mu.Unlock()
	if f, ok := out.(interface{ SetWriteDeadline(time.Time) error }); ok {
		f.SetWriteDeadline(t) // an error: it has none
	}
}

// Lost returns how many lines were lost. It waits for no file.
func (s *Spool) Lost() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// State is how the file of a spool does.
type State struct {
	Err     error         // of the last write; nil: the file took it
	Full    bool          // lines are lost, since the file last took something
	Waiting int           // lines that the file has not taken
	Stalled time.Duration // how long it has taken nothing while lines wait
}

// State tells how the file does. It waits for no file.
func (s *Spool) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := State{Err: s.failure, Full: s.full, Waiting: s.waiting}
	if s.waiting > 0 {
		state.Stalled = time.Since(s.moved)
	}
	return state
}

// Close writes what is pending and closes the file. It waits two seconds for a file
// that hangs, counts the lines that are left as lost, and returns an error about them.
// Later lines are lost and counted. A second call does nothing.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.closing)
	ended := s.ended(s.patience)
	if !ended {
		s.deadline(time.Unix(1, 0))
		ended = s.ended(s.patience / 4)
	}
	s.mu.Lock()
	left := s.waiting
	s.lost += uint64(left)
	out := s.out
	s.mu.Unlock()
	var err error
	if left > 0 {
		err = fmt.Errorf("%d entries lost", left)
	}
	if s.path == "" || !ended {
		return err
	}
	return errors.Join(err, out.Close())
}

// ended waits for the writer, and reports whether it has ended.
func (s *Spool) ended(wait time.Duration) bool {
	select {
	case <-s.done:
		return true
	case <-time.After(wait):
		return false
	}
}
