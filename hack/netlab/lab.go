// Package netlab builds small networks out of Linux network namespaces: for
// tests, for benchmarks and for the demonstration. It makes named namespaces,
// joins them with veth pairs, runs functions and processes inside them, and
// takes everything away again.
//
// It talks to the kernel directly and executes no ip(8). It knows no program
// that may run inside a namespace; package lab does. It needs CAP_NET_ADMIN and
// CAP_SYS_ADMIN. The names of a lab carry the id of the process that made it,
// so that several labs and several processes never meet.
package netlab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is returned by everything that is asked of a closed lab.
var ErrClosed = errors.New("lab is closed")

// maxNamespaces bounds the namespaces of one lab.
const maxNamespaces = 64

// labs numbers the labs of this process.
var labs atomic.Int64

// Lab owns namespaces, the links between them, the processes inside them and
// directories for these. Safe for concurrent use.
type Lab struct {
	stem string // prefix-pid-number, what all names of the lab begin with

	mu         sync.Mutex
	closed     bool
	namespaces []*Namespace
	links      int // made so far
	cleanups   []func() error

	closing  sync.Once
	closeErr error
}

// New returns an empty lab whose namespaces and directories are named
// prefix-PID-NUMBER-name. It first sweeps what labs of the same prefix have
// left whose process is gone (see [Sweep]). The prefix consists of lower case
// letters and digits. Without the capabilities the lab needs, the error is a
// [*CapabilityError].
func New(prefix string) (*Lab, error) {
	if !validPrefix(prefix) {
		return nil, fmt.Errorf("make lab: prefix %q has other characters than a-z and 0-9", prefix)
	}
	if err := checkCapabilities(); err != nil {
		return nil, err
	}
	if err := Sweep(prefix); err != nil {
		return nil, fmt.Errorf("make lab: %w", err)
	}
	return &Lab{stem: fmt.Sprintf("%s-%d-%d", prefix, os.Getpid(), labs.Add(1))}, nil
}

// Namespace returns the namespace of that name and makes it if there is none.
// A new one has its loopback interface up, and IPv6 on without router
// advertisements and without duplicate address detection.
func (l *Lab) Namespace(name string) (*Namespace, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	for _, n := range l.namespaces {
		if n.name == name {
			return n, nil
		}
	}
	if len(l.namespaces) == maxNamespaces {
		return nil, fmt.Errorf("make namespace %s: lab has %d already", name, maxNamespaces)
	}
	n, err := newNamespace(name, l.stem+"-"+name)
	if err != nil {
		return nil, fmt.Errorf("make namespace %s: %w", name, err)
	}
	l.namespaces = append(l.namespaces, n)
	return n, nil
}

// Dir makes a directory that every user may enter and read, as servers that
// drop their privileges need it. Close removes it and its content. Its path is
// short enough for unix sockets below it.
func (l *Lab) Dir(name string) (string, error) {
	dir := filepath.Join(os.TempDir(), l.stem+"-"+name)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return "", ErrClosed
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	l.cleanups = append(l.cleanups, func() error { return os.RemoveAll(dir) })
	return dir, os.Chmod(dir, 0o755) // whatever the umask
}

// OnClose has Close call f after the lab's processes have ended and before its
// namespaces go, the last f first. On a closed lab f is called at once.
func (l *Lab) OnClose(f func() error) {
	l.mu.Lock()
	if !l.closed {
		l.cleanups = append(l.cleanups, f)
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	_ = f()
}

// stopGrace is how long Close waits between SIGTERM and SIGKILL.
const stopGrace = 5 * time.Second

// Close ends every process in the lab's namespaces (SIGTERM, after 5 s SIGKILL)
// and waits for their end, those that detached themselves included; then it
// removes directories, links and namespaces. It does all of this whatever part
// fails, and returns the errors joined. Further calls return the same error.
func (l *Lab) Close() error {
	l.closing.Do(func() { l.closeErr = l.close() })
	return l.closeErr
}

func (l *Lab) close() error {
	l.mu.Lock()
	l.closed = true
	namespaces, cleanups := l.namespaces, l.cleanups
	l.mu.Unlock()

	errs := make([]error, len(namespaces), len(namespaces)*2+len(cleanups))
	var wg sync.WaitGroup
	for i, n := range namespaces {
		wg.Go(func() { errs[i] = n.endProcesses(stopGrace) })
	}
	wg.Wait()
	for i := len(cleanups) - 1; i >= 0; i-- {
		errs = append(errs, cleanups[i]())
	}
	for i := len(namespaces) - 1; i >= 0; i-- {
		if err := namespaces[i].remove(); err != nil {
			errs = append(errs, fmt.Errorf("remove namespace %s: %w", namespaces[i].full, err))
		}
	}
	return errors.Join(errs...)
}
