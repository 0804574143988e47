package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/clearspan/clearspan/appliance/spool"
	"github.com/clearspan/clearspan/appliance/trail"
)

// Log appends entries to a file or to standard output, by a [spool.Spool]: no session
// waits for the file, and entries that it does not take are lost and counted. A log is
// safe for concurrent use.
type Log struct {
	spool     *spool.Spool
	unencoded atomic.Uint64 // entries that JSON has no form for
}

// Options are what operators choose for the log.
type Options struct {
	File   string        // path, or "stdout"
	Rotate trail.Options // of a file
}

// Events tell of the file of a log. Each may be nil.
type Events struct {
	Written func() // entries were written
	Ended   func() // the file has ended, and another has its name
}

// Open opens the log at o.File, which is created with mode 0600 if it does not
// exist, in a directory that is created with mode 0700. The path "stdout" is
// standard output. A line that a crash left unfinished is ended first. Other processes may
// append to the same file, see package trail. logger may be nil.
func Open(o Options, logger *slog.Logger) (*Log, error) { return OpenTold(o, Events{}, logger) }

// OpenTold is [Open] for who wants to be told of the file.
func OpenTold(o Options, told Events, logger *slog.Logger) (*Log, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	events := spool.Events{
		Full:      func() { logger.Error("audit log takes nothing, entries are lost", "octets", spool.Limit) },
		Failed:    func(err error) { logger.Error("audit log cannot be written", "err", err) },
		Recovered: func(lost uint64) { logger.Info("audit log is written again", "lost", lost) },
	}
	if o.File == "stdout" {
		return &Log{spool: spool.To(os.Stdout, events)}, nil
	}
	if err := os.MkdirAll(filepath.Dir(o.File), 0o700); err != nil {
		return nil, fmt.Errorf("create audit directory: %w", err)
	}
	s, err := spool.Use(o.File, func(path string) (io.WriteCloser, error) {
		return trail.Open(path, o.Rotate, trail.Events{
			Written: told.Written,
			Ended:   told.Ended,
			Failed:  func(err error) { logger.Error("audit log cannot be rotated, and grows", "err", err) },
		})
	}, events)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return &Log{spool: s}, nil
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Write appends e. It waits for no file, and does not fail: see [Log.Lost].
func (l *Log) Write(e Entry) {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&e); err != nil { // Encode ends the line
		l.unencoded.Add(1)
		return
	}
	l.spool.Write(buf.Bytes())
}

// Reopen opens the log's path again, see [spool.Spool.Reopen].
func (l *Log) Reopen() error {
	if err := l.spool.Reopen(); err != nil {
		return fmt.Errorf("reopen audit log: %w", err)
	}
	return nil
}

// Lost returns how many entries were lost so far. It waits for no file.
func (l *Log) Lost() uint64 { return l.spool.Lost() + l.unencoded.Load() }

// Close writes what is pending and closes the file, see [spool.Spool.Close].
func (l *Log) Close() error {
	if err := l.spool.Close(); err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}
