package health

import (
	"fmt"
	"time"
)

// Kind is what a part is.
type Kind string

// Kinds of parts.
const (
	Intake    Kind = "intake"
	Mirror    Kind = "mirror"
	Service   Kind = "service"
	Wire      Kind = "wire"
	Authority Kind = "authority"
	Audit     Kind = "audit"
	Disk      Kind = "disk"
	Config    Kind = "config"
	Worker    Kind = "worker"
)

// Kinds lists all kinds, in the order in which parts are shown.
var Kinds = []Kind{Worker, Intake, Wire, Mirror, Service, Authority, Audit, Disk, Config}

// State is what a part can do. Larger is worse.
type State uint8

// States of a part.
const (
	OK       State = iota // it does its work
	Degraded              // it does a part of its work, or soon will not do it
	Down                  // it does not do its work
)

var stateWords = [...]string{OK: "ok", Degraded: "degraded", Down: "down"}

// String returns "ok", "degraded" or "down".
func (s State) String() string {
	if int(s) < len(stateWords) {
		return stateWords[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// MarshalText returns the word of s.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a word that MarshalText wrote.
func (s *State) UnmarshalText(text []byte) error {
	for i, word := range stateWords {
		if word == string(text) {
			*s = State(i)
			return nil
		}
	}
	return fmt.Errorf("unknown state %q", text)
}

// Reading is what a probe finds.
type Reading struct {
	State State
	Why   string // cause, for an operator; empty if all is well; no data of sessions
	Do    string // what an operator can do; empty: the advice for the kind
	Quiet bool   // nobody need act: the state makes no alert
}

// Probe finds the state of a part. It is called concurrently and often: it must return
// at once, and must not call the board.
type Probe func() Reading

// Part is one part of the box at one moment.
type Part struct {
	Kind     Kind      `json:"kind"`
	Name     string    `json:"name"` // that of the configuration, where there is one
	State    State     `json:"state"`
	Since    time.Time `json:"since"` // when it came into State
	Why      string    `json:"why,omitempty"`
	Do       string    `json:"do,omitempty"` // what an operator can do; empty if all is well
	Required bool      `json:"required"`     // the box is not ready while this part is down
}

// String describes p in one line: "mirror recorder: interface mirror0: missing".
func (p Part) String() string {
	line := string(p.Kind) + " " + p.Name
	if p.Why != "" {
		line += ": " + p.Why
	}
	return line
}
