package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// retryDelay is how long a file that took nothing is left alone.
	retryDelay = time.Second
	// patience is how long Close and Reopen wait for a file that hangs.
	patience = 2 * time.Second
	// maxPending bounds what is kept, in octets, while the file takes nothing.
	maxPending = 8 << 20
	// keepBuffer is the capacity, in octets, of a buffer that is kept at most.
	keepBuffer = 1 << 20
)

// Log appends entries to a file or to standard output. Each entry is handed to the
// kernel at once, by a goroutine of its own: one write for what has come meanwhile.
// A killed process loses no entry that was handed over; a power failure may. While
// the file takes nothing, as on a full disk or a pipe that nobody reads, entries are
// kept, and a write that returned an error is tried again every second; what exceeds
// 8 MiB is lost and counted. A log is safe for concurrent use.
type Log struct {
	path   string // empty: standard output
	logger *slog.Logger
	open   func(path string) (io.WriteCloser, error)

	wake    chan struct{} // something is pending
	asks    chan func()   // what the writer does next
	closing chan struct{}
	done    chan struct{} // the writer has ended

	patience time.Duration

	mu      sync.Mutex // never held while a file is written
	pending []byte     // whole lines
	taken   int        // octets of batch
	closed  bool
	full    bool // an entry was lost since the file last took something
	lost    uint64
	waiting int            // entries in pending and batch
	out     io.WriteCloser // changed by the writer alone

	// Of the writer alone.
	batch   []byte // whole lines
	partial int    // octets at the start of batch that out has taken
	failing bool
	delay   time.Duration
}

// Open opens the log at path, which is created with mode 0600 if it does not
// exist, in a directory that is created with mode 0700. The path "stdout" is
// standard output. A line that a crash left unfinished is ended first. logger
// may be nil.
func Open(path string, logger *slog.Logger) (*Log, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if path == "stdout" {
		return start("", os.Stdout, openFile, retryDelay, logger), nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create audit directory: %w", err)
	}
	out, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return start(path, out, openFile, retryDelay, logger), nil
}

// start starts the writer, which ends in Close.
func start(path string, out io.WriteCloser, open func(string) (io.WriteCloser, error), delay time.Duration, logger *slog.Logger) *Log {
	l := &Log{
		path: path, logger: logger, open: open, out: out, delay: delay, patience: patience,
		wake: make(chan struct{}, 1), asks: make(chan func()), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go l.write()
	return l
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

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Write appends e. It waits for no file, and does not fail: see [Log.Lost].
func (l *Log) Write(e Entry) {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(&e) // ends the line

	if !l.queue(buf.Bytes(), err) {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default: // it will look
	}
}

// queue keeps a line, unless there was an error, and reports whether it did.
func (l *Log) queue(line []byte, err error) bool {
	l.mu.Lock()
	over := len(l.pending)+l.taken+len(line) > maxPending
	kept := err == nil && !l.closed && !over
	first := over && !l.full && !l.closed
	if kept {
		l.pending = append(l.pending, line...)
		l.waiting++
	} else {
		l.lost++
		l.full = l.full || over
	}
	l.mu.Unlock()
	if first {
		l.logger.Error("audit log takes nothing, entries are lost", "octets", maxPending)
	}
	return kept
}

// write is the writer.
func (l *Log) write() {
	defer close(l.done)
	for {
		wake, retry := l.wake, (<-chan time.Time)(nil)
		if l.failing {
			wake, retry = nil, time.After(l.delay)
		}
		select {
		case <-wake:
			l.flush()
		case <-retry:
			l.flush()
		case ask := <-l.asks:
			ask()
		case <-l.closing:
			l.flush()
			return
		}
	}
}

// flush writes what is pending until nothing is. What the file does not take
// stays, from the start of the line that was cut: an octet is never written twice to
// one file, but a new file gets whole lines.
func (l *Log) flush() {
	for l.take() {
		n, err := l.out.Write(l.batch[l.partial:])
		taken := l.partial + n
		if err != nil {
			whole := bytes.LastIndexByte(l.batch[:taken], '\n') + 1
			l.partial = taken - whole
			entries := bytes.Count(l.batch[:whole], []byte{'\n'})
			l.batch = l.batch[:copy(l.batch, l.batch[whole:])]
			l.settle(entries)
			if !l.failing {
				l.failing = true
				l.logger.Error("audit log cannot be written", "err", err)
			}
			return
		}
		entries := bytes.Count(l.batch, []byte{'\n'})
		if l.batch, l.partial = l.batch[:0], 0; cap(l.batch) > keepBuffer {
			l.batch = nil // grown in a time of need
		}
		l.settle(entries)
		if l.failing {
			l.failing = false
			l.logger.Info("audit log is written again", "lost", l.Lost())
		}
	}
}

// take moves what is pending to the batch, and reports whether there is anything in
// that.
func (l *Log) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.batch) == 0 {
		l.batch, l.pending = l.pending, l.batch
	} else {
		l.batch = append(l.batch, l.pending...)
		l.pending = l.pending[:0]
	}
	l.taken = len(l.batch)
	return l.taken > 0
}

// settle accounts for entries that the file took, and what is left of the batch.
func (l *Log) settle(entries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if entries > 0 {
		l.full = false
	}
	l.waiting -= entries
	l.taken = len(l.batch)
}

// Reopen opens the log's path again, so that the old file may be renamed or
// removed: what logrotate asks for. If that fails the old file stays in use. Of an
// old file that hangs, Reopen lets go after two seconds, if the kernel can.
func (l *Log) Reopen() error {
	result := make(chan error, 1)
	asks, ask := l.asks, func() { result <- l.reopen() }
	for range 4 {
		select {
		case asks <- ask:
			asks = nil
		case err := <-result:
			return err
		case <-l.done:
			return fmt.Errorf("reopen audit log: %w", fs.ErrClosed)
		case <-time.After(l.patience):
			l.deadline(time.Unix(1, 0))
		}
	}
	return errors.New("reopen audit log: the file that is open takes nothing")
}

// reopen is the writer's part of Reopen.
func (l *Log) reopen() error {
	if l.path == "" {
		return nil
	}
	l.flush()
	out, err := l.open(l.path)
	if err != nil {
		l.deadline(time.Time{})
		return fmt.Errorf("reopen audit log: %w", err)
	}
	err = l.out.Close()
	l.mu.Lock()
	l.out, l.partial = out, 0
	l.mu.Unlock()
	l.flush()
	if err != nil {
		return fmt.Errorf("close previous audit log: %w", err)
	}
	return nil
}

// deadline ends a write that waits, where the file has deadlines, as pipes do. The
// zero time is no deadline.
func (l *Log) deadline(t time.Time) {
	l.mu.Lock()
	out := l.out
	l.mu.Unlock()
	if f, ok := out.(interface{ SetWriteDeadline(time.Time) error }); ok {
		f.SetWriteDeadline(t) // an error: it has none
	}
}

// Lost returns how many entries were lost so far. It waits for no file.
func (l *Log) Lost() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// Close writes what is pending and closes the file. It waits two seconds for a file
// that hangs, and counts what is left as lost. Entries that come later are lost and
// counted. A second call does nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.closing)
	ended := l.ended(l.patience)
	if !ended {
		l.deadline(time.Unix(1, 0))
		ended = l.ended(l.patience / 4)
	}
	l.mu.Lock()
	left := l.waiting
	l.lost += uint64(left)
	out := l.out
	l.mu.Unlock()
	var err error
	if left > 0 {
		err = fmt.Errorf("write audit log: %d entries lost", left)
	}
	if l.path == "" || !ended {
		return err
	}
	return errors.Join(err, out.Close())
}

// ended waits for the writer, and reports whether it has ended.
func (l *Log) ended(wait time.Duration) bool {
	select {
	case <-l.done:
		return true
	case <-time.After(wait):
		return false
	}
}
