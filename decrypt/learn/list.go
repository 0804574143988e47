package learn

import (
	"cmp"
	"maps"
	"slices"
)

// List returns all entries that hold, by lesson, host and client. The caller may
// change what it gets.
func (t *Table) List() []Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]Entry, 0, t.entries.Len())
	now := t.now()
	for k, e := range t.entries.All() {
		entry := *e
		if entry.expired(now) {
			t.forget(k)
			continue
		}
		entry.Destinations = slices.Clone(entry.Destinations)
		list = append(list, entry)
	}
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Lesson, b.Lesson), cmp.Compare(a.Host, b.Host), a.Client.Compare(b.Client), cmp.Compare(a.Offer, b.Offer))
	})
	return list
}

// byID finds an entry that holds.
func (t *Table) byID(id string) (key, *Entry) {
	for k, e := range t.entries.All() {
		if e.ID == id && !e.expired(t.now()) {
			return k, e
		}
	}
	return key{}, nil
}

// Keep has an entry outlast its time and hold even where its lesson only alerts,
// or takes that back. It reports whether there is one of that ID.
func (t *Table) Keep(id string, keep bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, e := t.byID(id)
	if e == nil {
		return false
	}
	if e.Kept != keep {
		e.Kept = keep
		if !keep {
			e.Expires = t.now().Add(t.options.lifetime(e.Lesson))
		}
		t.log.Info("learned entry changed by operator", "lesson", string(e.Lesson), "host", e.Host, "id", id, "kept", keep)
		t.changed()
	}
	return true
}

// Delete forgets an entry. It reports whether there was one of that ID.
func (t *Table) Delete(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, e := t.byID(id)
	if e == nil {
		return false
	}
	t.log.Info("learned entry deleted by operator", "lesson", string(e.Lesson), "host", e.Host, "id", id)
	t.forget(k)
	return true
}

// Stats are counts of what a table did.
type Stats struct {
	Entries   map[Lesson]int    // there now
	Learned   map[Lesson]uint64 // since the start
	Forgotten uint64            // for want of room
}

// Stats returns the counts.
func (t *Table) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Stats{Entries: make(map[Lesson]int), Learned: maps.Clone(t.counters.learned), Forgotten: t.counters.forgotten}
	for k := range t.entries.All() {
		s.Entries[k.lesson]++
	}
	return s
}
