package control

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// WorkerSocket is the place of a worker's own socket in a state directory. A worker that
// drains is asked there, when another one has taken the control socket over.
func WorkerSocket(state string, pid int) string {
	return filepath.Join(state, fmt.Sprintf("worker-%d.sock", pid))
}

// ListenWorker opens the socket of a worker. It is made as the control socket is. What
// workers that were killed have left in the directory goes away.
func ListenWorker(state string, pid int) (*Socket, error) {
	stale, err := filepath.Glob(filepath.Join(escaped(state), "worker-*.sock"))
	if err != nil {
		return nil, fmt.Errorf("find sockets of workers in %s: %w", state, err)
	}
	for _, path := range stale {
		dir, err := openDir(state)
		if err != nil {
			return nil, fmt.Errorf("remove socket %s: %w", path, err)
		}
		err = (&Socket{path: path}).removeStale(dir)
		dir.Close()
		if err != nil && !errors.Is(err, ErrInUse) && path == WorkerSocket(state, pid) {
			return nil, fmt.Errorf("remove socket %s: %w", path, err) // another's does not matter
		}
	}
	return listenAt(WorkerSocket(state, pid), groupID())
}

// escaped returns a directory as a pattern that only it matches.
func escaped(dir string) string {
	var b []byte
	for i := range len(dir) {
		switch dir[i] {
		case '*', '?', '[', '\\':
			b = append(b, '\\')
		}
		b = append(b, dir[i])
	}
	return string(b)
}

// Worker is a process that serves sessions.
type Worker struct {
	Process int       `json:"process"` // its number
	Phase   string    `json:"phase"`   // serving, draining or ending
	Since   time.Time `json:"since"`   // of the process
	// Until is when the sessions of one that drains are ended.
	Until    time.Time `json:"until,omitzero"`
	Sessions int       `json:"sessions"` // open ones
	Version  string    `json:"version,omitempty"`
	// Missing says that the worker did not answer. Sessions is what it told last.
	Missing bool `json:"missing,omitempty"`
}
