package learn

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/decrypt/memo"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Closed: the client closed the connection after it saw the forged certificate, without
// an alert and without data.
const Closed = "closed"

// Entry is what was learned, as operators see it and as the file holds it.
type Entry struct {
	ID           string        `json:"id"`
	Lesson       Lesson        `json:"lesson"`
	Client       netip.Addr    `json:"client"` // zero, in JSON "": every client
	Host         string        `json:"host"`
	Offer        string        `json:"offer"`        // of application protocols that it holds for; FailedOrigin only
	Destinations []Destination `json:"destinations"` // where it was learned and holds, at most 16, the latest last
	Why          string        `json:"why"`          // what the last one said that taught it
	By           netip.Addr    `json:"by"`           // client whose session taught it
	Learned      time.Time     `json:"learned"`
	Expires      time.Time     `json:"expires"`
	Kept         bool          `json:"kept"` // by an operator: it does not expire, and holds where the lesson only alerts
	Used         uint64        `json:"used"` // sessions that were carried by it
}

func (e *Entry) key() key { return key{e.Lesson, e.Client, e.Host, e.Offer} }

func (e *Entry) expired(now time.Time) bool { return !e.Kept && !now.Before(e.Expires) }

// at reports whether the entry holds at a destination.
func (e *Entry) at(d Destination) bool { return slices.Contains(e.Destinations, d) }

const maxDestinations = 16

// addDestination notes a destination and reports whether it is new.
func (e *Entry) addDestination(d Destination) bool {
	if slices.Contains(e.Destinations, d) {
		return false
	}
	e.Destinations = append(e.Destinations, d)
	if len(e.Destinations) > maxDestinations {
		e.Destinations = slices.Delete(e.Destinations, 0, 1)
	}
	return true
}

// Config is what a table needs beside its options.
type Config struct {
	Logger *slog.Logger     // nil discards
	Now    func() time.Time // nil: time.Now
}

// Table holds what was learned. It is safe for concurrent use.
type Table struct {
	log   *slog.Logger
	now   func() time.Time
	size  atomic.Int64  // of entries and strikes: most sessions need not look further
	dirty chan struct{} // something waits in it after a change

	syncing sync.Mutex     // one at a time; guards the two below; taken before mu
	base    map[key]*Entry // what the file held when this process last read or wrote it
	synced  os.FileInfo    // that file; nil if there was none

	mu       sync.Mutex // guards the rest
	options  Options
	entries  memo.Memo[key, netip.Prefix, Entry]
	strikes  memo.Memo[key, netip.Prefix, strikes]
	counters counters
}

type counters struct {
	learned   map[Lesson]uint64
	forgotten uint64
}

// New returns an empty table.
func New(o Options, c Config) *Table {
	t := &Table{log: c.Logger, now: c.Now, dirty: make(chan struct{}, 1), options: o}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if t.now == nil {
		t.now = time.Now
	}
	t.entries.Spared = func(e *Entry) bool { return e.Kept }
	t.counters.learned = make(map[Lesson]uint64)
	return t
}

// SetOptions puts o in force. What is there stays until it expires, and holds as
// far as o lets it; bounds take effect with the next entry.
func (t *Table) SetOptions(o Options) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.options = o
}

// Recall returns the lesson for which a session that the policy would bump is to
// be tunneled, "" if it is not. It borrows f.
func (t *Table) Recall(f *policy.Facts, tr *policy.Treatment) Lesson {
	if t.size.Load() == 0 {
		return ""
	}
	s, ok := newSubject(f)
	if !ok {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range Lessons {
		action := t.options.action(l, tr)
		if l == NarrowOffer || tr != nil && Action(tr.Learn) == Off {
			continue
		}
		for _, scope := range []Scope{ClientHost, Host} {
			if e := t.lookup(s.key(l, scope), s.destination); e != nil && (action == Tunnel || e.Kept) {
				e.Used++
				return l
			}
			if l != Pinned {
				break
			}
		}
	}
	return ""
}

// Knows reports whether a lesson is known of a session. It borrows f.
func (t *Table) Knows(l Lesson, f *policy.Facts) bool {
	if t.size.Load() == 0 {
		return false
	}
	s, ok := newSubject(f)
	if !ok {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.lookup(s.key(l, t.options.Scope), s.destination)
	if e == nil || t.options.action(l, nil) != Tunnel && !e.Kept {
		return false
	}
	e.Used++
	return true
}

// lookup returns the entry at k if it holds at d, and counts as a use of it.
func (t *Table) lookup(k key, d Destination) *Entry {
	e := t.entries.Find(k)
	switch {
	case e == nil:
		return nil
	case e.expired(t.now()):
		t.forget(k)
		return nil
	case !e.at(d):
		return nil
	}
	t.entries.Touch(k)
	return e
}

// Learn is told what a session taught that d decided on; why is a fixed word for
// it, [Closed] or another. For a pinned client the origin must have proven the
// host it was asked for. It reports whether sessions of the kind are tunneled from
// now on. It borrows f.
func (t *Table) Learn(l Lesson, f *policy.Facts, d policy.Decision, why string) bool {
	s, ok := newSubject(f)
	if !ok {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	action := t.options.action(l, d.Treatment)
	if action == Off {
		return false
	}
	now := t.now()
	k := s.key(l, t.options.Scope)
	e := t.entries.Find(k)
	if e != nil && e.expired(now) {
		t.forget(k)
		e = nil
	}
	if e != nil {
		// A destination more: it has proven the same host.
		if e.addDestination(s.destination) {
			t.changed()
		}
		e.Why = why
		return action == Tunnel || e.Kept
	}
	if l == Pinned && !t.addStrike(k, &s, why, now) {
		return false
	}
	t.add(Entry{
		ID: k.id(), Lesson: l, Client: k.client, Host: k.host, Offer: k.offer, Destinations: []Destination{s.destination},
		Why: why, By: s.client, Learned: now, Expires: now.Add(t.options.lifetime(l)),
	})
	t.counters.learned[l]++
	level := slog.LevelInfo
	if l == Pinned || l == FailedOrigin {
		level = slog.LevelWarn
	}
	t.log.Log(context.Background(), level, messages[l], "lesson", string(l), "client", s.client, "host", s.host, "origin", s.destination.String(),
		"rule", d.Rule, "action", string(action), "reason", why, "id", k.id(), "lifetime", t.options.lifetime(l).String())
	return action == Tunnel
}

var messages = map[Lesson]string{
	Pinned:            "client refuses our certificates for a host",
	ClientCertificate: "origin asks for client certificates",
	FailedOrigin:      "no handshake can be made with an origin",
	NarrowOffer:       "origin refuses fewer application protocols",
}

// limits bound the entries, and the strikes.
func (t *Table) limits() memo.Limits {
	return memo.Limits{Entries: cmp.Or(t.options.Entries, defaultEntries), Each: cmp.Or(t.options.ClientEntries, defaultClientEntries)}
}

// add keeps an entry and says what had to go for it.
func (t *Table) add(e Entry) {
	t.entries.Limits = t.limits()
	for _, out := range t.entries.Put(e.key(), owner(e.By), 0, e) {
		t.counters.forgotten++
		t.log.Warn("learned entry forgotten, the table is full", "lesson", string(out.Lesson), "client", out.By, "host", out.Host, "id", out.ID)
	}
	t.changed()
}

// forget removes an entry.
func (t *Table) forget(k key) {
	t.entries.Remove(k)
	t.changed()
}

// changed has the file written.
func (t *Table) changed() {
	t.updateSize()
	select {
	case t.dirty <- struct{}{}:
	default:
	}
}

func (t *Table) updateSize() { t.size.Store(int64(t.entries.Len() + t.strikes.Len())) }
