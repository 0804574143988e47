package adapt

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

var errDetached = errors.New("the message is no longer the service's")

// replayBuffer keeps the beginning of what a service reads of a body, so that it can be
// played again if the service fails. It also serializes reading.
type replayBuffer struct {
	reading sync.Mutex // held by who reads src

	mu    sync.Mutex // guards the rest
	src   io.Reader
	kept  []byte
	limit int // how much is kept
	lost  bool
	off   bool // the service has no say any more
}

// Read is the service's.
func (t *replayBuffer) Read(p []byte) (int, error) {
	t.reading.Lock()
	defer t.reading.Unlock()
	if t.detached() {
		return 0, errDetached
	}
	n, err := t.src.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	if n > 0 && !t.lost {
		if len(t.kept)+n > t.limit {
			t.kept, t.lost = nil, true
		} else {
			t.kept = append(t.kept, p[:n]...)
		}
	}
	return n, err
}

// detached reports whether the service has no say any more.
func (t *replayBuffer) detached() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.off
}

// Rest returns what further octets are read from, nil while they are kept.
func (t *replayBuffer) Rest() io.Reader {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.off || !t.lost {
		return nil
	}
	return t.src
}

// answered tells the replayBuffer that the service has taken the message on: what comes
// from now on cannot be played again.
func (t *replayBuffer) answered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept, t.lost = nil, true
}

// rewind takes the body from the service and returns all of it, or false if its
// beginning is lost. It waits for a read under way.
func (t *replayBuffer) rewind() (io.Reader, bool) {
	t.reading.Lock()
	defer t.reading.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.off = true
	if t.lost {
		return nil, false
	}
	return io.MultiReader(bytes.NewReader(t.kept), t.src), true
}
