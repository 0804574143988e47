// Package exceptions keeps what users ask for on the block page: that a host be let
// through. It grants nothing. The file has one JSON object a line, each written at
// once, so that several processes may add to it.
package exceptions

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// FileName is the file's name in the state directory.
const FileName = "exceptions.jsonl"

const (
	maxRequests = 1000 // in the file
	maxOfClient = 20   // of one client address
	maxOctets   = 4 << 20
)

var (
	// ErrFull means that the file, or the client's part of it, is full.
	ErrFull = errors.New("too many requests for exceptions wait for an answer")
)

// Request is what a user asked for.
type Request struct {
	Time    time.Time `json:"time"`
	Client  string    `json:"client"` // address
	Host    string    `json:"host"`
	Rule    string    `json:"rule"`    // that refused
	Cause   string    `json:"cause"`   // reason of the refusal, as in the audit entry
	Session string    `json:"session"` // in which the form was sent
	Reason  string    `json:"reason"`  // what the user wrote
}

// Store adds to a file. It is safe for concurrent use.
type Store struct {
	file string
	mu   sync.Mutex
}

// Open returns the store of a file, which need not exist.
func Open(file string) *Store { return &Store{file: file} }

// Add keeps a request. A client that asks for the same host again is not kept twice.
// The error is [ErrFull], or of the file.
func (s *Store) Add(r Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := List(s.file)
	if err != nil {
		return err
	}
	own := 0
	for _, other := range all {
		if other.Client != r.Client {
			continue
		}
		if own++; other.Host == r.Host {
			return nil
		}
	}
	if own >= maxOfClient || len(all) >= maxRequests {
		return ErrFull
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("keep request for an exception: %w", err)
	}
	f, err := os.OpenFile(s.file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("keep request for an exception: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("keep request for an exception: %w", err)
	}
	return nil
}

// List reads the requests of a file, the oldest first; none if it does not exist. A line
// that is no request, such as the last one after a crash, is left out.
func List(file string) ([]Request, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read requests for exceptions: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxOctets {
		return nil, fmt.Errorf("read requests for exceptions: %s has more than %d octets", file, maxOctets)
	}
	var all []Request
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r Request
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.Host != "" {
			all = append(all, r)
		}
	}
	return all, nil
}

// Clear removes the requests that were made until then. Requests of that moment stay.
func Clear(file string, until time.Time) error {
	all, err := List(file)
	if err != nil || len(all) == 0 {
		return err
	}
	kept := make([]byte, 0, 1024)
	for _, r := range all {
		if r.Time.Before(until) {
			continue
		}
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("clear requests for exceptions: %w", err)
		}
		kept = append(append(kept, line...), '\n')
	}
	// The same file, so that it keeps its owner. Whoever asks between reading and
	// writing is lost, and may ask again.
	if err := os.WriteFile(file, kept, 0o600); err != nil {
		return fmt.Errorf("clear requests for exceptions: %w", err)
	}
	return nil
}
