// Package control lets operators ask a running box and change it. [Operations] is what
// the box can do. [Server] answers with it, by HTTP/1.1 and JSON, on a socket that only
// users of this machine reach.
//
// Paths start with /api/v1. The table of them is [Routes]. Errors are of the type
// application/problem+json (RFC 9457), see [Problem]. Streams are of the type
// application/x-ndjson: one object a line.
//
// The kernel says who is at the other end of a connection (SO_PEERCRED, unix(7)):
//
//   - root and the user of the process may do everything,
//   - members of the group clearspan may read,
//   - others are refused.
//
// Everything is bounded: connections, streams, the size of requests, and the time that an
// answer may take.
package control

import (
	"context"
	"time"
)

// Operations are what a box does for its operators. They are called concurrently. What
// they return is the caller's.
type Operations interface {
	// Status tells how the box is.
	Status() Status
	// Reload has the box read its configuration again. If the running configuration
	// stays, the error says why; a [*Problem] goes to the client as it is.
	Reload(context.Context) (Reloaded, error)
}

// State says how the box, or a part of it, is.
type State string

// The states, from good to bad.
const (
	OK       State = "ok"       // all of it works
	Degraded State = "degraded" // sessions are served, and something is amiss
	Down     State = "down"     // no sessions are accepted
)

// Status is how a box is now.
type Status struct {
	State   State     `json:"state"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	Process int       `json:"process"` // its number

	Phase    Phase    `json:"phase"`
	Sessions Sessions `json:"sessions"`
	Memory   Memory   `json:"memory"`
	Config   Config   `json:"config"`

	Intakes   []Intake  `json:"intakes"`
	Mirrors   []Named   `json:"mirrors"`
	Services  []Named   `json:"services"`
	Authority Authority `json:"authority"`
}

// Phase is where in its life a process is.
type Phase string

// The phases, in order.
const (
	Starting Phase = "starting" // what it needs is not open yet
	Serving  Phase = "serving"  // it accepts sessions
	Draining Phase = "draining" // it accepts none; those that are open go on
)

// Sessions are counts of sessions.
type Sessions struct {
	Open  int `json:"open"`
	Limit int `json:"limit"` // open at once; 0: there is no limit
}

// Memory is what the process has, in octets.
type Memory struct {
	Used  uint64 `json:"used"`
	Limit uint64 `json:"limit"`
}

// Config is the configuration that is in force.
type Config struct {
	File   string    `json:"file,omitempty"` // absolute; "": built in
	State  string    `json:"state"`          // state directory
	Loaded time.Time `json:"loaded"`
	Rules  int       `json:"rules"`
	Waits  []string  `json:"needs_restart,omitempty"` // keys whose change needs a restart
}

// Intake is a way into the box.
type Intake struct {
	Name   string `json:"name"`
	Mode   string `json:"mode"`
	Listen string `json:"listen"`
}

// Named is a part that the configuration names.
type Named struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

// Authority is what signs the certificates that clients are shown.
type Authority struct {
	Fingerprint string    `json:"fingerprint"`
	Expires     time.Time `json:"expires"`
}

// Reloaded is what a reload did.
type Reloaded struct {
	File string `json:"file,omitempty"` // that was read; "": built in
	// Changed are the keys of the configuration whose new values are in force.
	Changed []string `json:"changed"`
	// Restart are the keys whose new values need a restart.
	Restart []string `json:"needs_restart"`
	// Worker is the number of the process that serves new sessions from now on; 0 if it
	// is the same as before.
	Worker int `json:"worker_replaced,omitempty"`
}
