package api

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// LogName is the log of accesses in the directory of a recorder, a line of JSON each.
const LogName = "access.jsonl"

// Log is a log of accesses. It is safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	file *os.File
}

// OpenLog opens the log in the directory of a recorder.
func OpenLog(dir string) (*Log, error) {
	f, err := os.OpenFile(filepath.Join(dir, LogName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &Log{file: f}, nil
}

// Write appends an access. It is on the disk when Write returns.
func (l *Log) Write(a Access) error {
	line, err := json.Marshal(a)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return err
	}
	return l.file.Sync()
}

// Close closes the log.
func (l *Log) Close() error { return l.file.Close() }

// lastLines returns the last lines of a log, at most n.
func lastLines(name string, n int) ([]json.RawMessage, error) {
	list := []json.RawMessage{}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for in.Scan() {
		if !json.Valid(in.Bytes()) {
			continue // torn
		}
		list = append(list, append(json.RawMessage(nil), in.Bytes()...))
		if len(list) > 2*n {
			list = append(list[:0], list[len(list)-n:]...)
		}
	}
	return list[max(len(list)-n, 0):], in.Err()
}
