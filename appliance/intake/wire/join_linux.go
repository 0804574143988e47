package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
)

// Two processes run a wire for a while: one that has just begun, and one that lets its
// sessions end.
//
//	the new one   sets everything up beside the old one, on the same namespace. Its programs
//	              share the maps of flows, and have rings, heartbeats and listeners of their own.
//	              When its loops run, its programs replace the old ones, link by link.
//	the old one   gets no more frames from its rings. Its sockets are in the same namespace,
//	              and the new programs find them by the shared flows.
//
// A flow that the old one holds at that moment is decided by either: the first change of
// its state counts. The lock of the wire passes on when the old one ends. Only the process
// that has the lock forgets flows that nobody carries.

// openShared opens the maps that programs of another process share, and fits specs to
// them. The caller closes them.
func openShared(name string, specs map[string]*ebpf.MapSpec) (map[string]*ebpf.Map, error) {
	shared := make(map[string]*ebpf.Map, len(sharedMaps))
	for _, word := range sharedMaps {
		m, err := ebpf.LoadPinnedMap(filepath.Join(pinDir(name), word), nil)
		if err == nil {
			shared[word] = m
			specs[word].MaxEntries = m.MaxEntries() // of the configuration then
			err = specs[word].Compatible(m)
		}
		if err != nil {
			closeMaps(shared)
			return nil, fmt.Errorf("share map %s of the process that runs the wire, stop that first: %w", word, err)
		}
	}
	return shared, nil
}

func closeMaps(maps map[string]*ebpf.Map) {
	for _, m := range maps {
		m.Close()
	}
}

// takeOver replaces the programs of the process that ran the wire before.
func (w *wire) takeOver() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if err := w.attach(); err != nil {
		w.log.Error("wire is not taken over", "err", err)
		return
	}
	if w.linkFollower != nil {
		w.linkFollower.start()
	}
	close(w.taking)
}

// replaced reports whether another process has taken the wire over from this one.
func (w *wire) replaced() bool {
	p := w.program
	if p == nil || !p.attached.Load() {
		return false
	}
	at, err := p.links[0].Info()
	if err != nil {
		return false
	}
	own, err := p.WireEgress.Info() // the program of the first link
	if err != nil {
		return false
	}
	id, ok := own.ID()
	return ok && at.Program != id
}

// tryLock takes the lock of the wire if the process before this one has ended. It reports
// whether this process has it.
func (w *wire) tryLock() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.lock != nil {
		return true
	}
	l, err := lockOne(w.name)
	if err != nil {
		return false // it is tried again
	}
	w.lock = l
	return true
}

// linkCopies makes the way of copied frames, or keeps that of a process that still uses
// it.
func (w *wire) linkCopies() (copies, error) {
	if w.joined {
		c, err := w.namespace.findCopies(w.name, w.config)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
	}
	return w.namespace.linkCopies(w.name, w.config)
}

// findCopies returns fs.ErrNotExist if there is no link that fits.
func (n *namespace) findCopies(name string, c Config) (found copies, err error) {
	if c.Copy.To == "" {
		return found, fs.ErrNotExist
	}
	host, err := hostLinks()
	if err != nil {
		return found, err
	}
	defer host.Close()
	index := func(h *netlink.Handle, name string) int {
		l, err := h.LinkByName(name)
		if err != nil {
			return 0
		}
		return l.Attrs().Index
	}
	found = copies{port: index(host, c.Copy.To), outer: index(host, outerCopies(name)), kept: true}
	err = n.Do(func() error {
		found.inner = index(n.Links, innerCopies)
		return nil
	})
	if err == nil && (found.port == 0 || found.outer == 0 || found.inner == 0) {
		err = fs.ErrNotExist
	}
	return found, err
}
