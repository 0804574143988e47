// Package starttls follows the plain dialogue of SMTP, IMAP, POP3, FTP, LDAP, XMPP,
// PostgreSQL and MySQL until it turns to TLS. It alters nothing. It reports the
// octets that can be relayed, the octets among them that negotiate TLS, and the
// place where TLS begins.
//
// The negotiation is the announcement of the capability, the command and its reply.
// A recorder that gets the dialogue without these octets, and then the cleartext of
// the TLS session, sees one plain session. In MySQL the announcement is one bit of
// the greeting, which stays; the caller corrects the sequence numbers behind it.
//
// The package follows a dialogue command by command and reply by reply. It does not
// read mail content, literals and SASL exchanges. A STARTTLS inside of them thus
// means nothing.
package starttls

import (
	"bytes"
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
	// Plain: after [Dialogue.Yield], the client goes on without TLS. What follows the
	// consumed octets is the rest of a plain session, in both directions.
	Plain
	// Foreign: after [Dialogue.Check], the client says what is no command of the
	// protocol. What follows the consumed octets may be of any.
	Foreign
)

var states = [...]string{"following", "requested", "upgraded", "done", "violation", "plain", "foreign"}

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

// Limits of a dialogue, longer than any of the protocols allows. [pipeline.Max] is that
// of commands without a reply.
const (
	maxLine = 4096 // octets; a longer line, tag or packet is not kept
	maxTags = 16   // IMAP commands that could end the dialogue, without a reply
)

// protocol is the grammar of a dialogue. Its methods run under the dialogue's lock
// and move the dialogue's state. They take octets off p, which is not empty, and
// add them to w; none, if they are to be held until there are more, which they do
// with maxLine octets at most.
type protocol interface {
	client(d *Dialogue, w *writer, p []byte)
	origin(d *Dialogue, w *writer, p []byte)
}

// Dialogue follows one session. Its methods are safe for concurrent use; the two
// directions may be fed by two goroutines.
type Dialogue struct {
	mu             sync.Mutex
	grammar        protocol
	protocol       sniff.Protocol
	state          State
	offered        bool // the origin has announced the upgrade
	omitted        bool // it has told what it can, and the upgrade was not there
	garbled        bool // the announcement was there, made unreadable
	refused        bool // it has answered no
	wait           bool // the client's next octets depend on an answer
	held           bool // and there are some
	yields         bool // the dialogue ends where the client goes on without TLS
	detained       bool // wait is for that alone
	checks         bool // the dialogue ends where the client says what is no command
	client, origin side
	marks          []mark // of the line at hand
	out            writer // of the call at hand
}

// mark is a part of a line, from included, to excluded.
type mark struct{ from, to int }

// yielder is a grammar that knows where its client goes on without TLS.
type yielder interface {
	// plain looks at the client's next line, of which p holds the beginning or more,
	// and reports whether it must not be passed now: it moves the dialogue to Plain,
	// has it await answers, or waits for more of the line.
	plain(d *Dialogue, p []byte) bool
}

// New returns a dialogue at its very beginning: the origin's greeting goes
// through it, too. It returns nil for a protocol whose upgrade is not followed.
// With [sniff.Greeting220] the client's commands decide whether it is one of SMTP
// or of FTP.
func New(p sniff.Protocol) *Dialogue {
	d := &Dialogue{protocol: p, client: newSide(), origin: newSide()}
	switch p {
	case sniff.SMTP, sniff.Greeting220:
		d.grammar = newMailGrammar()
	case sniff.IMAP:
		d.grammar = lines{new(mailbox)}
	case sniff.POP3:
		d.grammar = lines{new(postOffice)}
	case sniff.FTP:
		d.grammar = lines{new(fileGrammar)}
	case sniff.PostgreSQL:
		d.grammar = new(postgresql)
	case sniff.LDAP:
		d.grammar = new(ldap)
	case sniff.MySQL:
		d.grammar = new(mysql)
		d.await() // the origin greets first
	case sniff.XMPP:
		d.grammar = new(xmpp)
	default:
		return nil
	}
	return d
}

// Client borrows p, the client's octets that were not consumed yet, and says how
// many of them can be relayed now. Spans that cover exactly those are appended to
// spans. An incomplete line at the end may be left; it comes again, with more
// octets, in the next call. A state other than Following holds for both
// directions. After Upgraded, Violation, Plain or Foreign nothing is consumed: behind Upgraded the
// rest of p is TLS, as it is where no answer is waited for (MySQL).
func (d *Dialogue) Client(p []byte, spans []Span) (out []Span, consumed int, s State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.collect(spans)
	for w.n < len(p) {
		if d.state == Requested {
			if n := d.slack(p[w.n:]); n > 0 {
				w.add(n, true)
				continue
			}
			d.state = Violation // sent before the client could know the answer
		}
		if d.state == Following && d.wait {
			d.held = true
			break
		}
		if d.foreign(p[w.n:]) {
			break
		}
		if y, ok := d.grammar.(yielder); ok && d.yields && d.state == Following && y.plain(d, p[w.n:]) {
			break
		}
		before := w.n
		d.step(&d.client, w, p[w.n:], d.grammar.client)
		if w.n == before {
			break
		}
	}
	return w.finish(), w.n, d.reported()
}

// Yield has the dialogue come to Plain as soon as the client says what only makes
// sense in a session that stays without TLS, and all it said before is answered;
// that command is not consumed. Of SMTP, IMAP and POP3; others go on as before.
func (d *Dialogue) Yield() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.yields = true
}

// Resume takes Yield back, also behind Plain, and where answers are waited for so
// that it may come. Call Client again with what is kept.
func (d *Dialogue) Resume() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.yields = false
	if d.detained {
		d.answered()
	}
	if d.state == Plain {
		d.state = Following
	}
}

// Origin is [Dialogue.Client] for what the origin sends.
func (d *Dialogue) Origin(p []byte, spans []Span) (out []Span, consumed int, s State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.collect(spans)
	for w.n < len(p) {
		before := w.n
		d.step(&d.origin, w, p[w.n:], d.grammar.origin)
		if w.n == before {
			break
		}
		if d.state == Upgraded && w.n < len(p) {
			d.state = Violation // behind the reply, in the same flight
		}
	}
	return w.finish(), w.n, d.reported()
}

// Offered reports whether the origin has announced the upgrade.
func (d *Dialogue) Offered() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.offered
}

// Offer returns what is known of the upgrade so far.
func (d *Dialogue) Offer() Offer {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.state == Upgraded:
		return Accepted
	case d.refused:
		return Refused
	case d.offered:
		return Offered
	case d.garbled:
		return Garbled
	case d.omitted:
		return Omitted
	}
	return Unknown
}

// Protocol returns the protocol given to [New], or what [sniff.Greeting220]
// turned out to be.
func (d *Dialogue) Protocol() sniff.Protocol {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.protocol
}

// collect starts the spans of a call. The writer is the dialogue's own: a grammar
// is behind an interface, and one of the call would be allocated.
func (d *Dialogue) collect(spans []Span) *writer {
	d.out = writer{spans: spans, start: len(spans)}
	return &d.out
}

func (d *Dialogue) reported() State {
	if d.state == Following && d.held {
		return Requested
	}
	return d.state
}

// await makes the client's next octets wait for an answer; answered ends that.
func (d *Dialogue) await()    { d.wait = true }
func (d *Dialogue) answered() { d.wait, d.held, d.detained = false, false, false }

// slack returns how many octets at the beginning of p mean nothing behind the
// request. Clients of XMPP send a line end, which they must not (RFC 6120, Section
// 5.3.3), but which no server takes for anything.
func (d *Dialogue) slack(p []byte) int {
	if d.protocol != sniff.XMPP {
		return 0
	}
	return len(p) - len(bytes.TrimLeft(p, blanks))
}

// step takes octets off p, which is not empty: what needs no grammar, or what the
// grammar takes.
func (d *Dialogue) step(s *side, w *writer, p []byte, grammar func(*Dialogue, *writer, []byte)) {
	switch {
	case d.state == Done:
		w.add(len(p), false)
	case d.state == Upgraded, d.state == Violation, d.state == Plain, d.state == Foreign:
	case s.opaque > 0:
		n := int(min(uint64(len(p)), s.opaque))
		s.opaque -= uint64(n)
		w.add(n, false)
	default:
		grammar(d, w, p)
	}
}

// over ends the dialogue and passes p.
func (d *Dialogue) over(w *writer, p []byte) {
	d.state = Done
	w.add(len(p), false)
}

// pass passes a packet of size octets, of which p holds the beginning or more.
func (s *side) pass(w *writer, p []byte, size uint64) {
	n := min(uint64(len(p)), size)
	s.opaque = size - n
	w.add(int(n), false)
}

// granted and refuse are the answers to a client that has asked for the upgrade.
func (d *Dialogue) granted() { d.state = Upgraded }
func (d *Dialogue) refuse()  { d.state, d.refused = Following, true }

// mark says that line[from:to] belongs to the negotiation. Marks of a line come
// in ascending order.
func (d *Dialogue) mark(from, to int) { d.marks = append(d.marks, mark{from, to}) }
