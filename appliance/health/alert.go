package health

import (
	"slices"
	"time"
)

const (
	// keepResolved and maxResolved bound the resolved alerts that are still told.
	keepResolved = 24 * time.Hour
	maxResolved  = 100
)

// Severity is how soon somebody must act.
type Severity string

// Severities of alerts.
const (
	Warning  Severity = "warning"  // soon
	Critical Severity = "critical" // now
)

// Alert is a state that an operator must act on.
type Alert struct {
	Name     string    `json:"name"` // of the condition, such as "mirror-down" or "loss"
	Severity Severity  `json:"severity"`
	Part     string    `json:"part,omitempty"` // name of the part; empty: the whole box
	Since    time.Time `json:"since"`
	Resolved time.Time `json:"resolved,omitzero"` // zero: it still holds
	Why      string    `json:"why"`
	Do       string    `json:"do"` // what an operator can do
}

// Condition is a state of the whole box, beside those of its parts.
type Condition struct {
	Name     string // of its alerts
	Severity Severity
	Do       string // what an operator can do
	// Holds reports whether the state is there, and why, as of now. It is called a few
	// times a second, one call at a time, must return at once, and must not call the
	// board.
	Holds func(now time.Time) (why string, holds bool)
}

type condition struct{ Condition }

// Watch adds a condition.
func (b *Board) Watch(c Condition) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conditions = append(b.conditions, &condition{c})
}

// Alerts returns the alerts that hold, the oldest first, then those that were resolved
// in the last 24 hours, at most 100, the latest first.
func (b *Board) Alerts() []Alert {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refresh()
	return b.alerts.list(b.now())
}

// alerts keeps what holds and what has ended. The board's lock guards it.
type alerts struct {
	open     map[alertKey]*Alert
	resolved []Alert // the oldest first
}

type alertKey struct{ name, kind, part string }

// alert looks at all parts and conditions. b.mu is held.
func (b *Board) alert(now time.Time) {
	if b.alerts.open == nil {
		b.alerts.open = make(map[alertKey]*Alert)
	}
	holding := make(map[alertKey]bool, len(b.alerts.open))
	for _, e := range b.order {
		p := &e.part
		if p.State == OK || e.quiet {
			continue
		}
		severity := Warning
		if p.State == Down {
			severity = Critical
		}
		name := string(p.Kind) + "-" + p.State.String()
		k := alertKey{name, string(p.Kind), p.Name}
		holding[k] = true
		b.alerts.raise(k, Alert{Name: name, Severity: severity, Part: p.Name, Since: p.Since, Why: p.Why, Do: p.Do})
	}
	for _, c := range b.conditions {
		if why, holds := c.Holds(now); holds {
			k := alertKey{name: c.Name}
			holding[k] = true
			b.alerts.raise(k, Alert{Name: c.Name, Severity: c.Severity, Since: now, Why: why, Do: c.Do})
		}
	}
	b.alerts.resolve(holding, now)
}

// raise notes that an alert holds. Since when it does stays as first told.
func (a *alerts) raise(k alertKey, is Alert) {
	if before := a.open[k]; before != nil {
		before.Why, before.Do = is.Why, is.Do
		return
	}
	a.open[k] = &is
}

// resolve ends the alerts that do not hold any more.
func (a *alerts) resolve(holding map[alertKey]bool, now time.Time) {
	for k, is := range a.open {
		if holding[k] {
			continue
		}
		delete(a.open, k)
		is.Resolved = now
		a.resolved = append(a.resolved, *is)
	}
	if n := len(a.resolved) - maxResolved; n > 0 {
		a.resolved = slices.Delete(a.resolved, 0, n)
	}
}

func (a *alerts) list(now time.Time) []Alert {
	list := make([]Alert, 0, len(a.open)+len(a.resolved))
	for _, is := range a.open {
		list = append(list, *is)
	}
	slices.SortFunc(list, func(a, b Alert) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return compareNames(a, b)
	})
	for _, is := range slices.Backward(a.resolved) {
		if now.Sub(is.Resolved) < keepResolved {
			list = append(list, is)
		}
	}
	return list
}
