// Package policy decides about sessions by an ordered table of rules. The first rule
// that matches wins, else the default. The package knows addresses, names and
// protocols. It knows neither sockets nor certificates.
package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Action is what the engine does with a session.
type Action uint8

const (
	// Bump: clearspan terminates TLS on both legs. Cleartext goes to the taps.
	Bump Action = iota
	// Tunnel: clearspan passes the client's octets unchanged, ClientHello included.
	Tunnel
	// TunnelCheck: clearspan tunnels only if the server name belongs to the destination.
	TunnelCheck
	// Terminate: clearspan ends the session. The origin gets no data.
	Terminate
)

var actionNames = [...]string{"bump", "tunnel", "tunnel-check", "terminate"}

// String returns the name used in configuration, audit entries and metrics.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return "unknown"
}

// mayTerminate reports whether sessions with the action may be terminated by it.
func (a Action) mayTerminate() bool { return a == Terminate || a == TunnelCheck }

// ParseAction accepts the canonical names and the words of other products:
// decrypt, splice, bypass, "tunnel with sni check".
func ParseAction(s string) (Action, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "bump", "decrypt":
		return Bump, nil
	case "tunnel", "splice", "bypass":
		return Tunnel, nil
	case "tunnel-check", "tunnel with sni check":
		return TunnelCheck, nil
	case "terminate":
		return Terminate, nil
	}
	return 0, fmt.Errorf("unknown action %q, want bump, tunnel, tunnel-check or terminate", s)
}

// Claim is a name that a client gives, by which a rule lets its session go.
type Claim uint8

const (
	NoClaim   Claim = iota
	HostClaim       // the host that the client asked for
	SNIClaim        // the server name of its hello
)

// Facts are what is known of a session when a decision is asked for. Unknown
// facts are zero; a rule that asks for an unknown fact does not match.
type Facts struct {
	Intake   string         // name of the intake
	Client   netip.AddrPort // client's address
	Origin   netip.AddrPort // original destination
	Protocol string         // "tls", "quic", "http", "smtp", "imap", "pop3", "ssh", ...; "" while unknown
	TLS      bool           // a ClientHello was seen, at once or after STARTTLS
	Host     string         // CONNECT name or HTTP Host, as the client gave it

	// HostDoubt tells that servers may take the client's request for different hosts.
	// A rule that terminates then meets its condition on the host, whatever that is.
	HostDoubt bool

	SNI    string   // server name of the ClientHello
	ALPN   []string // protocols the client offered
	JA4    string
	Time   time.Time // of the decision
	Events Events

	// Request is one of the requests within the session. Nil: none is known yet.
	Request *Request

	// Certificate is the origin's. Nil: it was not asked for yet. Of an origin that
	// was asked and showed none it is empty.
	Certificate *Certificate
}

// Decision is the answer to Facts.
type Decision struct {
	Rule      string // name of the rule; "default" when none matched, "event:NAME" for an event
	Action    Action
	Treatment *Treatment // beside the action; nil: nothing. Shared, not to be changed

	// Pending tells that another rule may decide once the origin's certificate is
	// known: the action is what is to be done if it cannot be had.
	Pending bool

	// Claim says on which name the action rests, if it is tunnel or tunnel-check and the
	// rule says nothing of the destination's address: the name may be false.
	Claim Claim

	// Monitored tells that Action is not what the table says, which is Would.
	Monitored bool
	Would     Action
	Learned   string // lesson for which Action is no longer the rule's, see package learn; "" if it is
}
