package control

import (
	"time"

	"github.com/clearspan/clearspan/appliance/health"
)

// Condition is how a part is.
type Condition struct {
	State health.State `json:"state"`
	Since time.Time    `json:"since,omitzero"` // when it came into State; zero if nobody watches the part
	Why   string       `json:"why,omitempty"`
	Do    string       `json:"do,omitempty"` // what an operator can do
}

// Intake is a way into the box.
type Intake struct {
	Name   string `json:"name"`
	Mode   string `json:"mode"`
	Listen string `json:"listen"` // an address, or the interfaces of a wire
	Condition
	Open    int               `json:"open"`    // sessions
	Refused map[string]uint64 `json:"refused"` // connections since the start, by reason
}

// Mirror is a place that cleartext goes to.
type Mirror struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	To   string `json:"to"` // interfaces, a directory or an address
	Condition
	// Since the start.
	Frames uint64            `json:"frames"`
	Octets uint64            `json:"octets"` // of sessions, delivered
	Lost   map[string]uint64 `json:"lost"`   // octets of sessions, by reason
	// Now.
	Queued  uint64 `json:"queued"`            // octets that wait
	Readers *int   `json:"readers,omitempty"` // of a live feed
}

// Service is a device that sessions go through.
type Service struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	To   string `json:"to"` // servers or interfaces
	Condition
	Results map[string]uint64 `json:"results"` // messages, or events of an inline device, since the start
	Mean    float64           `json:"mean_seconds"`
}
