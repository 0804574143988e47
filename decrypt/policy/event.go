package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Event is something about a session that is worth a log entry, and an action if
// the operator gives it one.
type Event uint8

const (
	// NoSNI: the hello has no usable server name.
	NoSNI Event = iota
	// SNIMismatch: the server name differs from the CONNECT name, or from the host of a
	// request inside TLS.
	SNIMismatch
	// SNIUnresolved: the server name does not resolve to the destination.
	SNIUnresolved
	// NoSharedCipher: the client or the origin shares no TLS version, cipher suite, group
	// or signature algorithm with clearspan.
	NoSharedCipher
	// ECHRequired: the hello hides another one in earnest. The client ended such a session
	// before, because clearspan could not read the hidden hello (RFC 9849, Section 6.1.6).
	ECHRequired
	// ECH: the hello hides another one, or pretends to (RFC 9849, Section 6.2).
	ECH
	// LateTLS: TLS began behind other octets of the session, and no dialogue that is
	// followed has negotiated it.
	LateTLS
	// TunnelUnproven: a rule tunnels the session by a name, and neither the DNS nor the
	// certificate of the destination shows that the destination has that name. Without an
	// action the session is decrypted.
	TunnelUnproven

	eventCount
)

var eventNames = [eventCount]string{"no-sni", "sni-mismatch", "sni-unresolved", "no-shared-cipher", "ech-required", "ech", "late-tls", "tunnel-unproven"}

// eventRules are the names of events in place of a rule's.
var eventRules = [eventCount]string{
	"event:no-sni", "event:sni-mismatch", "event:sni-unresolved", "event:no-shared-cipher", "event:ech-required", "event:ech", "event:late-tls",
	"event:tunnel-unproven",
}

// String returns the word used in configuration, audit entries and metrics.
func (e Event) String() string {
	if int(e) < len(eventNames) {
		return eventNames[e]
	}
	return "unknown"
}

// ParseEvent accepts the words of [Event.String].
func ParseEvent(s string) (Event, error) {
	for e, name := range eventNames {
		if s == name {
			return Event(e), nil
		}
	}
	return 0, fmt.Errorf("unknown event %q, want one of %s", s, strings.Join(eventNames[:], ", "))
}

// EventNames returns the names that [ParseEvent] accepts.
func EventNames() []string { return slices.Clone(eventNames[:]) }

// Events is a set of events. The zero value is empty.
type Events uint16

// With returns the set with e.
func (s Events) With(e Event) Events { return s | 1<<e }

// Has reports whether e is in the set.
func (s Events) Has(e Event) bool { return s&(1<<e) != 0 }

// without returns the set less e.
func (s Events) without(e Event) Events { return s &^ (1 << e) }

// Names returns the words of the events, never nil.
func (s Events) Names() []string {
	names := []string{}
	for e := range eventCount {
		if s.Has(e) {
			names = append(names, e.String())
		}
	}
	return names
}

// EventActions are the actions of events that have one; others are logged only.
type EventActions map[Event]Action

// WithEvents returns a table in which events decide, too: once a rule, or the
// default, has matched that does not terminate, the first event of the session
// that has the action terminate, else the first that has any, replaces the action.
func (t *Table) WithEvents(actions EventActions) (*Table, error) {
	c := *t
	c.events = nil
	if len(actions) == 0 {
		return &c, nil
	}
	c.events = make(EventActions, len(actions))
	for e, a := range actions {
		if e >= eventCount || int(a) >= len(actionNames) {
			return nil, fmt.Errorf("event %v: unknown action %d", e, uint8(a))
		}
		c.events[e] = a
	}
	return &c, nil
}

// Event returns the action of e, false if it is logged only.
func (t *Table) Event(e Event) (Action, bool) {
	a, ok := t.events[e]
	return a, ok
}

// event returns which of the events decides, if any does.
func (t *Table) event(events Events) (decides Event, ok bool) {
	if events == 0 || len(t.events) == 0 {
		return 0, false
	}
	for e := range eventCount {
		action, has := t.events[e]
		switch {
		case !has || !events.Has(e):
		case action == Terminate:
			return e, true
		case !ok:
			decides, ok = e, true
		}
	}
	return decides, ok
}
