package learn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	lockEnd  = ".lock"         // behind the name of the file
	lockWait = 5 * time.Second // for a process that holds it
)

// Sync joins the table with what another process has put into the file since this one last
// read or wrote it, and writes both. So two processes that run at once learn of each other.
// What either has deleted is gone. If both changed an entry, the words of this process win,
// and it holds for the destinations of both.
func (t *Table) Sync(path string) error {
	t.syncing.Lock()
	defer t.syncing.Unlock()
	unlock, err := lockFile(path + lockEnd)
	if err != nil {
		return fmt.Errorf("write learned entries: %w", err)
	}
	defer unlock()
	theirs, known, err := t.read(path)
	if err != nil {
		return err
	}
	if theirs != nil { // a file that was deleted says nothing
		t.merge(byKey(theirs))
	}
	list := t.List()
	if theirs != nil && same(list, theirs) { // else two processes would write in turn for ever
		t.base, t.synced = byKey(theirs), known
		return nil
	}
	if err := save(path, list); err != nil {
		return err
	}
	t.base = byKey(list)
	t.synced, err = os.Stat(path)
	return err
}

// same reports whether two lists differ in nothing but how often entries were used.
func same(a, b []Entry) bool {
	text := func(list []Entry) []byte {
		list = slices.Clone(list)
		for i := range list {
			list[i].Used = 0
		}
		data, _ := json.Marshal(list) // if a time has no form there, the lists differ
		return data
	}
	x, y := text(a), text(b)
	return x != nil && bytes.Equal(x, y)
}

func byKey(entries []Entry) map[key]*Entry {
	m := make(map[key]*Entry, len(entries))
	for i := range entries {
		m[entries[i].key()] = &entries[i]
	}
	return m
}

// merge takes over what differs between the file and the base.
func (t *Table) merge(theirs map[key]*Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for k, e := range theirs {
		base, mine := t.base[k], t.entries.Find(k)
		switch {
		case !e.valid() || e.expired(now):
		case mine != nil:
			mine.join(e, base)
		case base == nil:
			t.add(*e) // new there; else it was deleted here
		}
	}
	for k := range t.base {
		if theirs[k] == nil && t.entries.Find(k) != nil {
			t.forget(k) // deleted there
		}
	}
}

// join takes over what another process changed in an entry since base, nil if it was not
// there then.
func (e *Entry) join(theirs, base *Entry) {
	for _, d := range theirs.Destinations {
		if len(e.Destinations) < maxDestinations && (base == nil || !slices.Contains(base.Destinations, d)) {
			e.addDestination(d)
		}
	}
	if base == nil {
		e.Used += theirs.Used
		return
	}
	e.Used += theirs.Used - min(base.Used, theirs.Used)
	if e.Kept == base.Kept && theirs.Kept != base.Kept {
		e.Kept, e.Expires = theirs.Kept, theirs.Expires
	}
}

// changedElsewhere reports whether the file is another one than this process knows.
func (t *Table) changedElsewhere(path string) bool {
	t.syncing.Lock()
	defer t.syncing.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	return t.synced == nil || !os.SameFile(info, t.synced) || !info.ModTime().Equal(t.synced.ModTime())
}

// lockFile waits until no other process has a lock. The kernel drops the lock of a process
// that dies.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(lockWait); ; time.Sleep(10 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) || time.Now().After(end) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}
