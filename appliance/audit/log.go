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
	// flushSize is how many buffered octets are written without waiting for
	// more, flushDelay how long fewer of them wait.
	flushSize  = 64 << 10
	flushDelay = time.Second
	// maxPending bounds what is kept, in octets, while the file takes nothing.
	maxPending = 8 << 20
)

// Log appends entries to a file or to standard output. Entries are buffered for
// at most a second. While the file takes nothing, as on a full disk, entries are
// kept and tried again every second; what exceeds 8 MiB is lost and counted.
// A log is safe for concurrent use.
type Log struct {
	path   string // empty: standard output
	logger *slog.Logger
	open   func(path string) (io.WriteCloser, error)
	delay  time.Duration

	mu      sync.Mutex
	out     io.WriteCloser
	pending []byte // whole lines
	partial int    // octets at the start of pending that out has taken
	failing bool
	closed  bool
	timer   *time.Timer // runs flush; nil unless something is pending
	lost    uint64
}

// Open opens the log at path, which is created with mode 0600 if it does not
// exist, in a directory that is created with mode 0700. The path "stdout" is
// standard output. A line that a crash left unfinished is ended first. logger
// may be nil.
func Open(path string, logger *slog.Logger) (*Log, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{path: path, logger: logger, open: openFile, delay: flushDelay}
	if path == "stdout" {
		l.path, l.out = "", os.Stdout
		return l, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create audit directory: %w", err)
	}
	out, err := l.open(path)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	l.out = out
	return l, nil
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

// Write appends e. It does not fail: see [Log.Lost]. It may wait for the file.
func (l *Log) Write(e Entry) {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(&e) // ends the line

	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || l.closed || len(l.pending)+buf.Len() > maxPending {
		l.lost++
		return
	}
	l.pending = append(l.pending, buf.Bytes()...)
	if len(l.pending) >= flushSize && !l.failing {
		l.flush()
	}
	if len(l.pending) > 0 && l.timer == nil {
		l.timer = time.AfterFunc(l.delay, l.tick)
	}
}

// tick is the timer's turn.
func (l *Log) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = nil
	if l.closed {
		return
	}
	l.flush()
	if len(l.pending) > 0 {
		l.timer = time.AfterFunc(l.delay, l.tick)
	}
}

// flush writes what is pending. What the file does not take stays, from the
// start of the line that was cut: an octet is never written twice to one file,
// but a new file gets whole lines. The caller holds mu.
func (l *Log) flush() {
	if len(l.pending) == 0 {
		return
	}
	n, err := l.out.Write(l.pending[l.partial:])
	taken := l.partial + n
	if err == nil {
		if cap(l.pending) > 4*flushSize {
			l.pending = nil // grown in a time of need
		}
		l.pending, l.partial = l.pending[:0], 0
		if l.failing {
			l.failing = false
			l.logger.Info("audit log is written again", "lost", l.lost)
		}
		return
	}
	whole := bytes.LastIndexByte(l.pending[:taken], '\n') + 1
	l.partial = taken - whole
	l.pending = l.pending[:copy(l.pending, l.pending[whole:])]
	if !l.failing {
		l.failing = true
		l.logger.Error("audit log cannot be written", "err", err)
	}
}

// Reopen opens the log's path again, so that the old file may be renamed or
// removed: what logrotate asks for. If that fails the old file stays in use.
func (l *Log) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("reopen audit log: %w", fs.ErrClosed)
	}
	if l.path == "" {
		return nil
	}
	l.flush()
	out, err := l.open(l.path)
	if err != nil {
		return fmt.Errorf("reopen audit log: %w", err)
	}
	err = l.out.Close()
	l.out, l.partial = out, 0
	l.flush()
	if err != nil {
		return fmt.Errorf("close previous audit log: %w", err)
	}
	return nil
}

// Lost returns how many entries were lost so far.
func (l *Log) Lost() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// Close writes what is pending and closes the file. Entries that come later are
// lost and counted. A second call does nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.flush()
	var err error
	if left := bytes.Count(l.pending, []byte{'\n'}); left > 0 {
		l.lost += uint64(left)
		err = fmt.Errorf("write audit log: %d entries lost", left)
	}
	if l.path == "" {
		return err
	}
	return errors.Join(err, l.out.Close())
}
