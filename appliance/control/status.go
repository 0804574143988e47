package control

import (
	"time"

	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/watch"
)

// Status is how a box is now.
type Status struct {
	State   health.State `json:"state"`
	Ready   bool         `json:"ready"` // it accepts sessions, and no required part is down
	Phase   Phase        `json:"phase"`
	Version string       `json:"version"`
	Started time.Time    `json:"started"`
	Process int          `json:"process"` // its number

	Sessions  Sessions      `json:"sessions"`
	Memory    Memory        `json:"memory"`
	Config    Config        `json:"config"`
	Authority Authority     `json:"authority"`
	Workers   []Worker      `json:"workers,omitempty"` // the newest first; of a box on its own: none
	Parts     []health.Part `json:"parts"`
	Alerts    int           `json:"alerts"` // that hold
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
	Open  int `json:"open"`  // in all workers
	Limit int `json:"limit"` // open at once in a worker; 0: there is no limit
	// Since the start of the newest worker.
	Began uint64 `json:"began"`
	Ended uint64 `json:"ended"`
	// Recent are means over the last ten seconds.
	Recent watch.Rates `json:"recent"`
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
	Waits  []string  `json:"needs_restart"` // keys whose change needs a restart
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
