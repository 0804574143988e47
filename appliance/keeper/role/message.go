package role

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Contract is the version of this contract. A keeper starts only programs of the same
// version.
const Contract = 1

// Kind says what a message is.
type Kind string

const (
	// Of the keeper.
	KindStart  Kind = "start"  // [Start], the first message
	KindReload Kind = "reload" // configuration to put in force in place; a file goes with it
	KindDrain  Kind = "drain"  // take no more, let sessions end
	KindAnswer Kind = "answer" // to an ask
	// A change was refused, and what is in force stays.
	KindRefused Kind = "refused"

	// Of a role.
	KindReady Kind = "ready" // it serves
	KindBeat  Kind = "beat"  // the loop that does the work runs
	KindState Kind = "state" // what status shows of it
	KindAsk   Kind = "ask"   // for something that the keeper has
	KindDone  Kind = "done"  // a reload is finished

	// Of both: end at once; the role ends, for this reason.
	KindEnd Kind = "end"
)

// Message is what both sides send. Each kind uses the members that its comment names.
type Message struct {
	Kind Kind `json:"kind"`

	Start   *Start        `json:"start,omitempty"`   // start
	Drain   *Drain        `json:"drain,omitempty"`   // drain
	State   *State        `json:"state,omitempty"`   // state
	Ask     *Ask          `json:"ask,omitempty"`     // ask
	Answer  *Answer       `json:"answer,omitempty"`  // answer
	Result  *Result       `json:"result,omitempty"`  // done, refused, end of a role
	Version string        `json:"version,omitempty"` // ready
	Files   []Descriptors `json:"files,omitempty"`   // of the descriptors beside the message, in order
}

// Start is all that a role gets at its beginning. The configuration is a file beside
// it, see [FileConfiguration].
type Start struct {
	Contract int             `json:"contract"`
	Number   int             `json:"number"`            // of the process, counted by the keeper
	Options  json.RawMessage `json:"options,omitempty"` // of the command line; the keeper does not read them
	Prompts  bool            `json:"prompts,omitempty"` // the keeper can ask for a passphrase
	Tied     bool            `json:"tied,omitempty"`    // it dies with the keeper
	Users    []int           `json:"users,omitempty"`   // as whom the other processes run
	Check    bool            `json:"check,omitempty"`   // look at the configuration, say ready, and end
}

// Drain tells a role to take no more work.
type Drain struct {
	For time.Duration `json:"for"` // how long sessions may go on
	// Replaced says that another process does the role's work now: it leaves the
	// listeners of operators to that, too.
	Replaced bool `json:"replaced,omitempty"`
}

// State is what a role tells of itself for status.
type State struct {
	Sessions int    `json:"sessions"`
	Summary  string `json:"summary,omitempty"` // one line, for the service manager
}

// maxSummary bounds a summary, in octets.
const maxSummary = 512

// What a role may ask for.
const (
	AskPassphrase = "passphrase" // of the authority's key, from the terminal
	AskReload     = "reload"     // read the configuration again
	AskStatus     = "status"     // of all processes
)

// Ask is a question of a role.
type Ask struct {
	ID   uint64 `json:"id"`
	What string `json:"what"`
}

// Answer is the keeper's.
type Answer struct {
	ID     uint64  `json:"id"`
	Text   string  `json:"text,omitempty"` // the passphrase
	Error  string  `json:"error,omitempty"`
	Result *Result `json:"result,omitempty"` // of a reload
	Status *Status `json:"status,omitempty"`
}

// Result tells how a reload, or a role, ended.
type Result struct {
	Error   string          `json:"error,omitempty"`  // empty: well
	Code    int             `json:"code,omitempty"`   // exit code that goes with the error
	Detail  json.RawMessage `json:"detail,omitempty"` // of the error, for who asked; the keeper does not read it
	Changed []string        `json:"changed,omitempty"`
	Restart []string        `json:"restart,omitempty"` // keys whose change needs a restart
	Worker  int             `json:"worker,omitempty"`  // process that serves from now on; 0: the same
}

// Err returns the result as an error, nil if it is well.
func (r *Result) Err() error {
	if r == nil || r.Error == "" {
		return nil
	}
	return &EndError{Code: r.Code, Text: r.Error, Detail: r.Detail}
}

// EndError is why a role ended, or a change was refused.
type EndError struct {
	Code   int // of the exit, as the role chose it
	Text   string
	Detail json.RawMessage
}

func (e *EndError) Error() string { return e.Text }

// Status is what the keeper knows of its processes.
type Status struct {
	Workers []WorkerStatus `json:"workers"` // the newest first
	Deaths  int            `json:"deaths"`  // in the last minute
	Failed  bool           `json:"failed,omitempty"`
}

// WorkerStatus is one process.
type WorkerStatus struct {
	Number   int       `json:"number"`
	PID      int       `json:"pid"`
	State    string    `json:"state"` // starting, serving, draining, ending
	Since    time.Time `json:"since"` // of the process
	Until    time.Time `json:"until,omitzero"`
	Sessions int       `json:"sessions"`
}

// Descriptors is a name and how many of the descriptors beside a message have it.
type Descriptors struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// errContract is wrapped by errors about messages that the contract does not know.
var errContract = errors.New("breaks the contract")

// check reports what is wrong with a message that came from a role.
func (m *Message) check(fromRole bool) error {
	ok := false
	switch m.Kind {
	case KindReady, KindBeat:
		ok = fromRole
	case KindState:
		ok = fromRole && m.State != nil && m.State.Sessions >= 0 && len(m.State.Summary) <= maxSummary
	case KindAsk:
		ok = fromRole && m.Ask != nil
	case KindDone:
		ok = fromRole && m.Result != nil
	case KindEnd:
		ok = !fromRole || m.Result != nil
	case KindStart:
		ok = !fromRole && m.Start != nil
	case KindReload:
		ok = !fromRole
	case KindDrain:
		ok = !fromRole && m.Drain != nil && m.Drain.For >= 0
	case KindAnswer:
		ok = !fromRole && m.Answer != nil
	case KindRefused:
		ok = !fromRole && m.Result.Err() != nil
	}
	if !ok {
		return fmt.Errorf("message of kind %.20q %w", m.Kind, errContract)
	}
	return nil
}
