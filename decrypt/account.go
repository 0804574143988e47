package decrypt

import (
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Session is the account of one session. The engine fills it while facts become
// known; taps read it in [Tap.Open], the observer when the session has ended.
// Other goroutines may read only the fields that are set at the start (the first
// block) and the octet counters.
type Session struct {
	ID     string // 16 hexadecimal digits, random
	Intake string
	Client netip.AddrPort
	Origin netip.AddrPort
	Name   string // CONNECT or SOCKS name
	Link   Link
	Start  time.Time

	// Destination is where the client was going if the session went elsewhere, by
	// its server name; else zero.
	Destination netip.AddrPort
	// Upstream is the proxy by way of which the origin leg was opened, "" for none.
	Upstream string

	End       time.Time
	Protocol  string // application protocol or "tls"; "" when never known
	Host      string // HTTP Host of a plain session
	SNI       string
	ALPN      string // protocol the origin chose
	Offer     Offer  // of application protocols, to the origin
	StartTLS  StartTLS
	Late      *Late  // TLS that began late; nil for none
	Related   string // identifier of the session that announced this one; "" for none
	Decision  policy.Decision
	Outcome   Outcome
	Reason    string // fixed word, "" for a session that ended in order
	Err       error  // detail behind Reason, may be nil
	Notice    Notice // what the client was told of a refusal
	ClientTLS LegTLS
	OriginTLS LegTLS
	QUIC      *QUIC // of a QUIC flow, which the engine did not carry; nil for TCP

	BypassBy Cause // who caused that the session passed unopened; "" if it did not

	Refusal string       // how the client refused our leaf: "unknown_ca" or another alert, "closed"; "" if it did not
	Taught  learn.Lesson // what the session taught, "" if nothing; whether it was learned is the Learner's

	ForgedSerial string // hexadecimal, of the leaf shown to the client, in an earlier session if it resumed
	Untrusted    bool   // the leaf was signed by the untrusted authority

	octets   [2]atomic.Uint64
	took     [stepCount]atomic.Int64 // nanoseconds
	missed   atomic.Uint64
	events   atomic.Uint32
	resolves atomic.Bool
	forcedBy Cause // by whom the session is tunneled whatever the decision says; "" for nobody
	routed   bool  // we have looked the server name up to find the way

	mu       sync.Mutex // guards the rest
	services map[string]string
	findings map[string]string
	requests []Refused
	refusals [4]uint64 // by action of the rule
}

// Served notes the word for what a service did with the session; the last one of
// a name stays. Safe for concurrent use.
func (s *Session) Served(name, result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.services == nil {
		s.services = make(map[string]string)
	}
	s.services[name] = result
}

// Services returns what services did, by their names; nil if there was none. Safe
// for concurrent use.
func (s *Session) Services() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.services)
}

// Found notes what a service found in the session, in the service's own words, which
// are to be printable and short; the first of a name stays. Safe for concurrent use.
func (s *Session) Found(name, finding string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.findings == nil {
		s.findings = make(map[string]string)
	}
	if _, ok := s.findings[name]; !ok {
		s.findings[name] = finding
	}
}

// Findings returns what services found, by their names; nil if nothing. Safe for
// concurrent use.
func (s *Session) Findings() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.findings)
}

// Resolves reports whether the DNS, or a check of the policy, was seen to lead the
// server name to the origin. Look-ups beside the session may find it late. Safe for
// concurrent use.
func (s *Session) Resolves() bool { return s.resolves.Load() }

// Resolved notes it. Safe for concurrent use.
func (s *Session) Resolved() { s.resolves.Store(true) }

// AskedFor returns the name that the client asked for, as rules judge it: the host of the
// request of a plain session, else the name in CONNECT or SOCKS, else the server name; ""
// without any. A client chooses it freely.
func (s *Session) AskedFor() string {
	switch {
	case s.Host != "":
		return s.Host
	case s.Name != "":
		return s.Name
	}
	return s.SNI
}

// Octets returns how many octets of application data were taken from one leg to
// be relayed in direction d so far. What was relayed to taps and what was
// counted here is the same number. Octets of a tunnel count raw. Safe for
// concurrent use.
func (s *Session) Octets(d Direction) uint64 { return s.octets[d].Load() }

// Miss counts octets that a tap was given, or should have been, and did not deliver. Safe
// for concurrent use.
func (s *Session) Miss(octets uint64) { s.missed.Add(octets) }

// Missed returns how many octets taps did not deliver so far, of all taps together. Safe
// for concurrent use.
func (s *Session) Missed() uint64 { return s.missed.Load() }

// LegTLS describes the TLS of one leg; zero if it has none.
type LegTLS struct {
	Version uint16 // tls.VersionTLS12, ...
	Cipher  uint16
	Resumed bool   // by a ticket of an earlier session, without a certificate shown
	JA4     string // client leg: fingerprint of the client's hello
	ECH     ECH    // client leg

	ChainSHA256 string // origin leg: hash over the DER of the whole chain, hexadecimal
	Verdict     string // origin leg: "ok" or a reason
	Finding     string // origin leg: what the reason was found in, at most 256 octets; words in it may be the origin's
	Revocation  string // origin leg: the word of an [Assessor]

	Fetched      int // origin leg: issuers' certificates that the origin left out and that were fetched
	Renegotiated int // origin leg: further handshakes that it began and that were completed

	Handshake time.Duration // how long it took; Version is 0 if it failed
}

// Outcome says how a session was carried.
type Outcome uint8

const (
	// Failed: the session ended before clearspan carried any data.
	Failed Outcome = iota
	// Bumped: clearspan decrypted the session and encrypted it again.
	Bumped
	// Tunneling: clearspan passed the session unopened.
	Tunneling
	// Passed: the session had no TLS. clearspan passed it as it is.
	Passed
	// Terminated: the policy ended the session.
	Terminated
)

var outcomeNames = [...]string{"failed", "bumped", "tunneled", "plain", "terminated"}

// String returns the word used in audit entries and metrics.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}
