// Package starttls follows the plain dialogue of SMTP, IMAP and POP3 until it
// turns to TLS. It alters nothing: it says which octets can be relayed, which of
// them belong to the negotiation of TLS, and where TLS begins.
//
// What belongs to the negotiation is the announcement of the capability, the
// command and its reply. A recorder that is shown the dialogue without these
// octets, and then the cleartext of the TLS session, sees one plain session.
//
// A dialogue is followed command by command and reply by reply. Mail content,
// literals and SASL exchanges are opaque, so that a STARTTLS inside of them means
// nothing.
package starttls

import (
	"sync"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

// State tells what to do with the octets that were not consumed.
type State uint8

const (
	// Following: relay what was consumed, read more.
	Following State = iota
	// Requested: the meaning of the client's next octets depends on an answer of
	// the origin that is outstanding; mostly the one to STARTTLS. Keep what the
	// client sends. When Origin returns another state, call Client again with
	// what is kept, even if nothing was added.
	Requested
	// Upgraded: what follows the consumed octets is TLS, in both directions.
	Upgraded
	// Done: no upgrade can come any more; relay the rest as it is.
	Done
	// Violation: octets were sent across the upgrade (CVE-2011-0411). End the
	// session; nothing that was not consumed may reach anybody.
	Violation
)

var states = [...]string{"following", "requested", "upgraded", "done", "violation"}

// String returns the state's name in lower case.
func (s State) String() string {
	if int(s) < len(states) {
		return states[s]
	}
	return "unknown"
}

// Span is a run of N octets.
type Span struct {
	N       int
	Upgrade bool // they belong to the negotiation of TLS
}

// Limits of a dialogue. A line is longer than any of the three protocols
// allows; a client that has more commands outstanding is no mail client.
const (
	maxLine        = 4096 // octets; a longer line is passed and never taken for part of a negotiation
	maxOutstanding = 1000 // SMTP and POP3 commands without a reply
	maxTags        = 16   // IMAP commands that could end the dialogue, without a reply
)

// protocol is the grammar of a dialogue. Lines include their LF; of a line over
// maxLine only the beginning and the end are given. Methods run under the
// dialogue's lock. They mark what belongs to the negotiation with
// [Dialogue.mark] and move the dialogue's state.
type protocol interface {
	// holdClient and holdOrigin report whether the incomplete line could still
	// turn out to hold something to mark. If not, it is passed as it comes.
	holdClient(line []byte) bool
	holdOrigin(line []byte) bool
	clientLine(d *Dialogue, line []byte)
	originLine(d *Dialogue, line []byte)
}

// Dialogue follows one session. Its methods are safe for concurrent use; the two
// directions may be fed by two goroutines.
type Dialogue struct {
	mu             sync.Mutex
	grammar        protocol
	protocol       sniff.Protocol
	state          State
	offered        bool
	wait           bool // the client's next octets depend on an answer
	held           bool // and there are some
	client, origin side
	marks          []mark // of the line at hand
}

// mark is a part of a line, from included, to excluded.
type mark struct{ from, to int }

// New returns a dialogue at its very beginning: the origin's greeting goes
// through it, too. It returns nil for a protocol whose upgrade is not followed.
// With [sniff.Greeting220] the client's commands decide; the first that only FTP
// has makes the dialogue Done.
func New(p sniff.Protocol) *Dialogue {
	d := &Dialogue{protocol: p}
	switch p {
	case sniff.SMTP, sniff.Greeting220:
		d.grammar = new(smtp)
	case sniff.IMAP:
		d.grammar = new(imap)
	case sniff.POP3:
		d.grammar = new(pop3)
	default:
		return nil
	}
	return d
}

// Client borrows p, the client's octets that were not consumed yet, and says how
// many of them can be relayed now. Spans that cover exactly those are appended to
// spans. An incomplete line at the end may be left; it comes again, with more
// octets, in the next call. A state other than Following holds for both
// directions. After Upgraded or Violation nothing is consumed.
func (d *Dialogue) Client(p []byte, spans []Span) (out []Span, consumed int, s State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := writer{spans: spans, start: len(spans)}
	for w.n < len(p) {
		if d.state == Requested {
			d.state = Violation // sent before the client could know the answer
		}
		if d.state == Following && d.wait {
			d.held = true
			break
		}
		before := w.n
		d.step(&d.client, &w, p[w.n:], d.grammar.holdClient, d.grammar.clientLine)
		if w.n == before {
			break
		}
	}
	return w.spans, w.n, d.reported()
}

// Origin is [Dialogue.Client] for what the origin sends.
func (d *Dialogue) Origin(p []byte, spans []Span) (out []Span, consumed int, s State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := writer{spans: spans, start: len(spans)}
	for w.n < len(p) {
		before := w.n
		d.step(&d.origin, &w, p[w.n:], d.grammar.holdOrigin, d.grammar.originLine)
		if w.n == before {
			break
		}
		if d.state == Upgraded && w.n < len(p) {
			d.state = Violation // behind the reply, in the same flight
		}
	}
	return w.spans, w.n, d.reported()
}

// Offered reports whether the origin has announced the upgrade.
func (d *Dialogue) Offered() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.offered
}

// Protocol returns the protocol given to [New], or what [sniff.Greeting220]
// turned out to be.
func (d *Dialogue) Protocol() sniff.Protocol {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.protocol
}

func (d *Dialogue) reported() State {
	if d.state == Following && d.held {
		return Requested
	}
	return d.state
}

// await makes the client's next octets wait for an answer; answered ends that.
func (d *Dialogue) await()    { d.wait = true }
func (d *Dialogue) answered() { d.wait, d.held = false, false }

// mark says that line[from:to] belongs to the negotiation. Marks of a line come
// in ascending order.
func (d *Dialogue) mark(from, to int) { d.marks = append(d.marks, mark{from, to}) }
