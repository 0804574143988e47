// Package audit writes one entry for every session: who, when, where, how and
// what became of it. An entry is one JSON object on one line; its keys are a
// contract with those who read the log, and every key is always present.
//
// Entries hold metadata only, never content, keys or credentials. What an entry says
// of requests and messages is from their headers, see package facts.
package audit

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/decrypt"
)

// Entry is the account of one ended session.
type Entry struct {
	Time     Time           `json:"time"` // when the entry was made
	Start    Time           `json:"start"`
	End      Time           `json:"end"`
	Session  string         `json:"session"`
	Intake   string         `json:"intake"`
	Client   netip.AddrPort `json:"client"`
	Origin   netip.AddrPort `json:"origin"`      // original destination
	Intended netip.AddrPort `json:"destination"` // the original destination, if the server name led to another origin; else empty
	SNI      string         `json:"sni"`
	ALPN     string         `json:"alpn"`       // protocol the origin chose
	Offer    string         `json:"alpn_offer"` // what the origin was offered: "" the client's list, narrowed, retried, remembered
	Protocol string         `json:"protocol"`
	StartTLS string         `json:"starttls"` // upgrade of a plain dialogue: "" nothing heard of it, offered, used, refused, stripped
	Related  string         `json:"related"`  // session whose control connection announced this data connection; "" for others
	Rule     string         `json:"rule"`
	Action   string         `json:"action"`  // empty if the session ended before policy was asked
	Would    string         `json:"would"`   // the action that mode monitor did not take; empty in other modes
	Events   []string       `json:"events"`  // what was remarkable, such as no-sni
	Learned  string         `json:"learned"` // lesson of an earlier session for which this one was tunneled
	Taught   string         `json:"taught"`  // lesson of this one
	Outcome  string         `json:"outcome"`
	Reason   string         `json:"reason"` // empty for a session that ended in order
	Notice   string         `json:"notice"` // how the client of a refused session was told: reset, alert, page, line, proxy; else empty

	Service map[string]string `json:"service"`         // what services did, by name
	Finding map[string]string `json:"service_finding"` // what they found, such as the name of a virus: at most 256 octets, theirs

	TLSClient    *ClientTLS        `json:"tls_client"` // null for a leg without TLS
	TLSOrigin    *OriginTLS        `json:"tls_origin"` // null for a leg without TLS
	ForgedSerial string            `json:"forged_serial"`
	Octets       Octets            `json:"octets"`
	Mirror       map[string]Mirror `json:"mirror"` // by name of the sink
	Flow         Flow              `json:"flow"`
	CommunityID  string            `json:"community_id"` // of Flow

	HTTP      []facts.Exchange `json:"http"` // the first 32
	HTTPTotal uint64           `json:"http_total"`
	Mail      []facts.Mail     `json:"mail"` // the first 32
	MailTotal uint64           `json:"mail_total"`
}

// With returns the entry with what was read of web and mail.
func (e Entry) With(f facts.Report) Entry {
	e.HTTPTotal, e.MailTotal = f.HTTPTotal, f.MailTotal
	if len(f.HTTP) > 0 {
		e.HTTP = f.HTTP
	}
	if len(f.Mail) > 0 {
		e.Mail = f.Mail
	}
	return e
}

// ClientTLS describes the client leg.
type ClientTLS struct {
	Version string `json:"version"` // "1.2", "1.3"; empty if no handshake was finished
	Cipher  string `json:"cipher"`  // IANA name
	Resumed bool   `json:"resumed"` // by a ticket; forged_serial is then of the session that it was given in
	JA4     string `json:"ja4"`
	Refusal string `json:"refusal"` // how the client refused our leaf: an alert such as "unknown_ca", or "closed"
	ECH     string `json:"ech"`     // Encrypted Client Hello: offered (real or not), insisted (real, the client gave up), known (it had insisted before); else empty
}

// OriginTLS describes the origin leg.
type OriginTLS struct {
	Version     string `json:"version"`
	Cipher      string `json:"cipher"`
	Resumed     bool   `json:"resumed"` // chain_sha256 is then what the origin showed at first, judged again
	ChainSHA256 string `json:"chain_sha256"`
	Verdict     string `json:"verdict"`    // "ok" or why the origin failed
	Finding     string `json:"finding"`    // in detail, at most 256 octets; partly the origin's words
	Revocation  string `json:"revocation"` // "good", "revoked" or "unknown"; empty if nobody was asked
}

// Octets counts application data, taken from one leg for the other.
type Octets struct {
	ClientToOrigin uint64 `json:"client_to_origin"`
	OriginToClient uint64 `json:"origin_to_client"`
}

// Mirror is what one sink got of a session.
type Mirror struct {
	Frames uint64 `json:"frames"`
	Octets uint64 `json:"octets"` // of the session that are in those frames
	Lost   uint64 `json:"lost"`   // of the session that did not reach the sink
	Reason string `json:"reason"` // of the loss; empty without one

	Streams    []Stream    `json:"streams"`    // of HTTP/2 shown as HTTP/1.1, the first 256
	Transcoded *Transcoded `json:"transcoded"` // null where the payload of the frames is the session's octets
}

// Stream tells from which port of the client recorders see an HTTP/2 stream.
type Stream struct {
	ID   uint32 `json:"id"`
	Port uint16 `json:"port"`
}

// Transcoded is what one sink got of an HTTP/2 session that was shown as
// HTTP/1.1.
type Transcoded struct {
	Streams  uint64 `json:"streams"`  // shown
	Octets   uint64 `json:"octets"`   // payload in the frames
	Lost     uint64 `json:"lost"`     // payload that did not reach the sink
	Replaced uint64 `json:"replaced"` // fields that HTTP/1.1 could not hold as they were
	Raw      uint64 `json:"raw"`      // octets of the session that were shown as HTTP/2
	Reason   string `json:"reason"`   // why; empty if there are none
}

// Flow is the identity under which recorders see a session. Its port may differ
// from the true one, because mirrors map ports.
type Flow struct {
	Client netip.AddrPort    `json:"client"`
	Origin netip.AddrPort    `json:"origin"`
	Ports  map[string]uint16 `json:"ports"` // the origin's port by name of the sink
}

// Time is a time that is written in UTC with nine digits behind the second (RFC
// 3339), so that the order of texts is the order of times. Zero is null.
type Time struct{ time.Time }

// MarshalJSON writes the fixed form.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().AppendFormat(make([]byte, 0, 40), `"2006-01-02T15:04:05.000000000Z"`), nil
}

// NewEntry describes s, which has ended. mirrors holds what each sink got and is
// kept; it may be nil. flow is what recorders saw, nil if they saw the true
// addresses or nothing.
func NewEntry(s *decrypt.Session, mirrors map[string]Mirror, flow *Flow) Entry {
	e := Entry{
		Time: Time{time.Now()}, Start: Time{s.Start}, End: Time{s.End},
		Session: s.ID, Intake: s.Intake,
		Client: unmap(s.Client), Origin: unmap(s.Origin), Intended: unmap(s.Destination),
		SNI: s.SNI, ALPN: s.ALPN, Offer: s.Offer.String(), Protocol: s.Protocol,
		StartTLS: s.StartTLS.String(), Related: s.Related,
		Rule: s.Decision.Rule, Outcome: s.Outcome.String(), Reason: s.Reason, Notice: s.Notice.String(), Service: s.Services(), Finding: s.Findings(),
		Learned: s.Decision.Learned, Taught: string(s.Taught),
		Events: s.Events().Names(), ForgedSerial: s.ForgedSerial,
		Octets: Octets{
			ClientToOrigin: s.Octets(decrypt.ClientToOrigin),
			OriginToClient: s.Octets(decrypt.OriginToClient),
		},
		Mirror: mirrors,
		HTTP:   []facts.Exchange{}, Mail: []facts.Mail{},
	}
	if e.Service == nil {
		e.Service = map[string]string{}
	}
	if e.Finding == nil {
		e.Finding = map[string]string{}
	}
	if e.Rule != "" {
		e.Action = s.Decision.Action.String()
		if s.Decision.Monitored {
			e.Would = s.Decision.Would.String()
		}
	}
	if l := s.ClientTLS; l != (decrypt.LegTLS{}) {
		e.TLSClient = &ClientTLS{Version: versionName(l.Version), Cipher: cipherName(l.Cipher), Resumed: l.Resumed, JA4: l.JA4, Refusal: s.Refusal, ECH: l.ECH.String()}
	}
	if l := s.OriginTLS; l != (decrypt.LegTLS{}) {
		e.TLSOrigin = &OriginTLS{
			Version: versionName(l.Version), Cipher: cipherName(l.Cipher), Resumed: l.Resumed,
			ChainSHA256: l.ChainSHA256, Verdict: l.Verdict, Finding: l.Finding, Revocation: l.Revocation,
		}
	}
	e.Flow = Flow{Client: e.Client, Origin: e.Origin}
	if flow != nil {
		e.Flow = Flow{Client: unmap(flow.Client), Origin: unmap(flow.Origin), Ports: flow.Ports}
	}
	e.CommunityID = CommunityID(e.Flow.Client, e.Flow.Origin)
	if e.Mirror == nil {
		e.Mirror = map[string]Mirror{}
	}
	for name, m := range e.Mirror {
		if m.Streams == nil {
			m.Streams = []Stream{}
			e.Mirror[name] = m
		}
	}
	if e.Flow.Ports == nil {
		e.Flow.Ports = map[string]uint16{}
	}
	return e
}

// unmap turns an IPv4 address in IPv6 form into its own.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// versionName returns "1.3" for tls.VersionTLS13 and so on.
func versionName(v uint16) string {
	switch v {
	case 0:
		return ""
	case tls.VersionTLS10:
		return "1.0"
	case tls.VersionTLS11:
		return "1.1"
	case tls.VersionTLS12:
		return "1.2"
	case tls.VersionTLS13:
		return "1.3"
	}
	return fmt.Sprintf("0x%04x", v)
}

// cipherName returns the IANA name of a cipher suite, or its number.
func cipherName(id uint16) string {
	if id == 0 {
		return ""
	}
	return tls.CipherSuiteName(id)
}
