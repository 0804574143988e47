package health

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	// maxParts bounds the parts of a board. A configuration stays far below.
	maxParts = 10_000
	// pollInterval is how late a board sees what nobody tells it.
	pollInterval = 200 * time.Millisecond
)

// Board holds the parts of a box. It is safe for concurrent use. Make one with [New].
type Board struct {
	now func() time.Time

	mu         sync.Mutex
	parts      map[key]*entry
	order      []*entry // as parts are shown
	conditions []*condition
	alerts     alerts
}

type key struct {
	kind Kind
	name string
}

type entry struct {
	part  Part
	quiet bool
	probe Probe // nil: the part is set
}

// New returns a board without parts.
func New() *Board {
	return &Board{now: time.Now, parts: make(map[key]*entry)}
}

// Add adds a part, or gives the part of that kind and name another probe. Since when it
// is in its state stays known. A board takes no part beyond 10,000.
func (b *Board) Add(kind Kind, name string, probe Probe) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entry(kind, name); e != nil {
		e.probe = probe
		e.read(b.now())
	}
}

// Set says what state a part is in. It adds the part if there is none, and takes its
// probe away. A board takes no part beyond 10,000.
func (b *Board) Set(kind Kind, name string, r Reading) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entry(kind, name); e != nil {
		e.probe = nil
		e.set(r, b.now())
		b.alert(b.now())
	}
}

// Remove takes a part away, if there is one.
func (b *Board) Remove(kind Kind, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.parts[key{kind, name}]; e != nil {
		delete(b.parts, key{kind, name})
		b.order = slices.DeleteFunc(b.order, func(other *entry) bool { return other == e })
	}
}

// Require says whether the box is ready without a part. A part that is not there is
// added: it is down until something else is known.
func (b *Board) Require(kind Kind, name string, required bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.entry(kind, name); e != nil {
		e.part.Required = required
	}
}

// entry returns that of a part, and adds it if there is none; nil if there is no room.
// b.mu is held.
func (b *Board) entry(kind Kind, name string) *entry {
	if e := b.parts[key{kind, name}]; e != nil {
		return e
	}
	if len(b.parts) >= maxParts {
		return nil
	}
	e := &entry{quiet: true, part: Part{Kind: kind, Name: name, State: Down, Since: b.now(), Why: "not started", Do: advice(kind)}}
	b.parts[key{kind, name}] = e
	at, _ := slices.BinarySearchFunc(b.order, e, compare)
	b.order = slices.Insert(b.order, at, e)
	return e
}

// compare orders parts by kind, then by name.
func compare(a, b *entry) int {
	if a.part.Kind != b.part.Kind {
		return slices.Index(Kinds, a.part.Kind) - slices.Index(Kinds, b.part.Kind)
	}
	return strings.Compare(a.part.Name, b.part.Name)
}

func (e *entry) read(now time.Time) {
	if e.probe != nil {
		e.set(e.probe(), now)
	}
}

func (e *entry) set(r Reading, now time.Time) {
	if e.part.State != r.State {
		e.part.State, e.part.Since = r.State, now
	}
	e.quiet = r.Quiet
	e.part.Why, e.part.Do = oneLine(r.Why), r.Do
	if r.State != OK && r.Do == "" {
		e.part.Do = advice(e.part.Kind)
	}
}

// maxWhy bounds a cause, in octets: it may quote what a server answered.
const maxWhy = 500

// oneLine returns a cause as it is shown: bounded, and without control characters.
func oneLine(why string) string {
	if len(why) > maxWhy {
		why = why[:maxWhy]
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(why, ""))
}

// refresh asks all probes. b.mu is held.
func (b *Board) refresh() {
	now := b.now()
	for _, e := range b.order {
		e.read(now)
	}
	b.alert(now)
}

// Parts returns all parts as they are now, ordered by kind and name.
func (b *Board) Parts() []Part {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refresh()
	parts := make([]Part, 0, len(b.order))
	for _, e := range b.order {
		parts = append(parts, e.part)
	}
	return parts
}

// Health is the state of a box at one moment.
type Health struct {
	Ready bool   `json:"ready"` // no required part is down
	State State  `json:"state"` // down if not ready, degraded if a part is not ok
	Parts []Part `json:"parts"`
}

// Health returns the state of the box now.
func (b *Board) Health() Health {
	h := Health{Ready: true, Parts: b.Parts()}
	for _, p := range h.Parts {
		if p.State != OK {
			h.State = max(h.State, Degraded)
		}
		if p.State == Down && p.Required {
			h.Ready, h.State = false, Down
		}
	}
	return h
}

// Run asks all probes several times a second until ctx ends, so that the time of a
// change is known without anybody looking. Call it once.
func (b *Board) Run(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.mu.Lock()
			b.refresh()
			b.mu.Unlock()
		}
	}
}
