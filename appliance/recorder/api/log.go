package api

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/clearspan/clearspan/appliance/recorder"
)

// Log is a log of accesses. It is safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	file *os.File
}

// OpenLog opens the log in the directory of a recorder. A new one belongs to the owner of the
// directory. What stands there in place of a file is not followed.
func OpenLog(dir string) (*Log, error) {
	name := filepath.Join(dir, recorder.AccessName)
	const flags = os.O_WRONLY | os.O_APPEND | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	f, err := os.OpenFile(name, flags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = os.OpenFile(name, flags|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			own(f, dir)
		}
	}
	if err != nil {
		return nil, err
	}
	if i, err := f.Stat(); err != nil || !i.Mode().IsRegular() {
		return nil, errors.Join(err, f.Close(), fmt.Errorf("%s is no file", name))
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
