// Package audit writes one entry for every session: client, time, origin, TLS, policy
// and outcome. An entry is one JSON object on one line. Its keys are a contract with
// readers of the log: every key is always present.
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

// Entry is the account of one ended session, or of frames that a wire dropped. The reference page is generated from the
// comments on its fields. A sentence that begins with Empty, Null or 0 says when a
// value is that.
type Entry struct {
	// When clearspan made the entry.
	Time Time `json:"time"`
	// When the client's connection arrived. For dropped frames: when the count begins.
	Start Time `json:"start"`
	// When the session ended. For dropped frames: when the count ends. Null in an interim
	// entry.
	End Time `json:"end"`
	// Whether the session goes on, see [interim entries](../operate.md#interim-entries). Its
	// last entry holds all that it counted.
	Interim bool `json:"interim"`
	// The identifier of the session: 16 hexadecimal digits, random. Empty for dropped
	// frames.
	Session string `json:"session"`
	// The name of the intake.
	Intake string `json:"intake"`
	// The client's address and port. Empty for dropped frames.
	Client netip.AddrPort `json:"client"`
	// The address and port to which the session went. Empty if it was not known.
	Origin netip.AddrPort `json:"origin"`
	// The address and port that the client chose. Empty if the session went there. The
	// server name led elsewhere by `origin.resolve: sni`.
	Intended netip.AddrPort `json:"destination"`
	// The upstream proxy by way of which clearspan reached the origin. If the origin's name
	// has no address here, `origin` holds the proxy's address. Empty without a proxy.
	Upstream string `json:"upstream"`
	// The name that the client asked for: in the request of a plain session, in CONNECT or
	// SOCKS, or else in the ClientHello. Empty if it named none.
	Host string `json:"host"`
	// The server name of the ClientHello. Empty without one.
	SNI string `json:"sni"`
	// The application protocol (ALPN) that the origin chose. Empty if it chose none.
	ALPN string `json:"alpn"`
	// The offer of application protocols to the origin. Empty if it was the client's
	// list. Words: see [reasons](reasons.md#offers-of-application-protocols).
	Offer string `json:"alpn_offer"`
	// The transport protocol: `tcp` or `quic`. Empty for dropped frames.
	Transport string `json:"transport"`
	// The protocol, such as `tls`, `quic`, `http` or `smtp`. Empty if it was never known.
	Protocol string `json:"protocol"`
	// The upgrade to TLS in a plain dialogue. Empty if nothing was said about it. Words:
	// see [reasons](reasons.md#starttls).
	StartTLS string `json:"starttls"`
	// TLS that began behind other octets of the session, see
	// [TLS that begins late](../policy.md#tls-that-begins-late). Null for other sessions.
	LateTLS *LateTLS `json:"late_tls"`
	// The session whose control connection announced this FTP data connection. Empty
	// for other sessions.
	Related string `json:"related"`
	// The rule that decided: its name, `default`, `overload`, or `event:` and an event.
	// Empty if the session ended before clearspan asked the policy.
	Rule string `json:"rule"`
	// The action: `bump`, `tunnel`, `tunnel-check` or `terminate`. Empty like `rule`.
	Action string `json:"action"`
	// The action that mode monitor did not take. Empty in mode enforce.
	Would string `json:"would"`
	// The events of the session. Words: see [reasons](reasons.md#events).
	Events []string `json:"events"`
	// The cause, if clearspan passed the session unopened: `origin`, `client` or
	// `operator`. Empty for other sessions. Words: see [reasons](reasons.md#causes-of-bypasses).
	BypassBy string `json:"bypass_by"`
	// The lesson of an earlier session for which clearspan tunneled this one. Empty
	// without one. Words: see [reasons](reasons.md#lessons).
	Learned string `json:"learned"`
	// The lesson of this session. Empty without one.
	Taught string `json:"taught"`
	// How clearspan carried the session. Words: see [reasons](reasons.md#outcomes).
	Outcome string `json:"outcome"`
	// Why the session ended, or why the wire dropped the frames. Empty if the session
	// ended in order. Words: see [reasons](reasons.md).
	Reason string `json:"reason"`
	// How clearspan told the client of a refusal. Empty if it refused nothing. Words:
	// see [reasons](reasons.md#notices).
	Notice string `json:"notice"`

	// The results of services, by name of the service. Words: see
	// [reasons](reasons.md#results-of-services). Empty without services.
	Service map[string]string `json:"service"`
	// The findings of services, by name of the service, such as the name of a virus. A
	// text has at most 256 octets and comes from the service. Empty without findings.
	Finding map[string]string `json:"service_finding"`

	// A QUIC flow, of which clearspan saw only the beginning. Null for TCP.
	QUIC *QUIC `json:"quic"`
	// The TLS of the client leg. Null if the leg had no TLS.
	TLSClient *ClientTLS `json:"tls_client"`
	// The TLS of the origin leg. Null if the leg had no TLS.
	TLSOrigin *OriginTLS `json:"tls_origin"`
	// The serial number of the forged certificate, in hexadecimal. Empty without one.
	ForgedSerial string `json:"forged_serial"`
	// Application data that clearspan took from one leg for the other. Octets of a
	// tunnel count raw.
	Octets Octets `json:"octets"`
	// Frames that a wire dropped because it could not judge them. 0 for sessions.
	Frames uint64 `json:"frames"`
	// Delivery to the mirrors, by name of the mirror. Empty if no mirror took part.
	Mirror map[string]Mirror `json:"mirror"`
	// The identity of the session as recorders see it.
	Flow Flow `json:"flow"`
	// The Community ID (version 1) of `flow`.
	CommunityID string `json:"community_id"`

	// The first 32 web requests with their answers. Empty without `audit.facts`.
	HTTP []facts.Exchange `json:"http"`
	// The number of web requests. 0 without `audit.facts`.
	HTTPTotal uint64 `json:"http_total"`
	// The first 32 requests within the session that the policy refused. Empty if it refused
	// none. These requests are part of `http`, with the status of clearspan's answer.
	Refused []Refused `json:"refused"`
	// The number of requests that the policy refused.
	RefusedTotal uint64 `json:"refused_total"`
	// The first 32 mail messages. Empty without `audit.facts`.
	Mail []facts.Mail `json:"mail"`
	// The number of mail messages. 0 without `audit.facts`.
	MailTotal uint64 `json:"mail_total"`
	// The first 32 logins. Empty without `audit.facts`. An entry never has a password.
	Logins []facts.Login `json:"logins"`
	// The number of logins. 0 without `audit.facts`.
	LoginsTotal uint64 `json:"logins_total"`
	// The first 32 transfers of files on the control connection of FTP. Empty without
	// `audit.facts`.
	Transfers []facts.Transfer `json:"transfers"`
	// The number of these transfers. 0 without `audit.facts`.
	TransfersTotal uint64 `json:"transfers_total"`
}

// With returns the entry with what was read of web, mail, logins and transfers.
func (e Entry) With(f facts.Report) Entry {
	e.HTTPTotal, e.MailTotal, e.LoginsTotal, e.TransfersTotal = f.HTTPTotal, f.MailTotal, f.LoginsTotal, f.TransfersTotal
	if len(f.Logins) > 0 {
		e.Logins = f.Logins
	}
	if len(f.Transfers) > 0 {
		e.Transfers = f.Transfers
	}
	if len(f.HTTP) > 0 {
		e.HTTP = f.HTTP
	}
	if len(f.Mail) > 0 {
		e.Mail = f.Mail
	}
	return e
}

// LateTLS tells where TLS began in a session.
type LateTLS struct {
	// The protocol before. Empty if it was not known.
	Protocol string `json:"protocol"`
	// The server name of the TLS session that it began within. Empty without one.
	Outer string `json:"outer"`
	// The host that the client asked another proxy for, within the session. Empty without one.
	Connect string `json:"connect"`
	// The octets before.
	Octets Octets `json:"octets"`
}

// QUIC describes a QUIC flow.
type QUIC struct {
	// The QUIC version: `1`, `2`, or another one as `0xHHHHHHHH`. Empty if clearspan could
	// not read it.
	Version string `json:"version"`
	// Datagrams from the client until clearspan judged the flow.
	Datagrams int `json:"datagrams"`
	// Whether clearspan refused the flow. It passed otherwise.
	Refused bool `json:"refused"`
	// How much of the ClientHello clearspan read. Words: see
	// [reasons](reasons.md#hellos-of-quic).
	Hello string `json:"hello"`
	// The application protocols (ALPN) that the client offers. Empty without a hello.
	ALPN []string `json:"alpn"`
}

// Refused describes a request that the policy refused.
type Refused struct {
	// The host that the request names. Empty if it names none, or is ambiguous.
	Host string `json:"host"`
	// The method.
	Method string `json:"method"`
	// The path, decoded and without query, at most 256 octets.
	Path string `json:"path"`
	// The rule that decided, as `rule` of the session.
	Rule string `json:"rule"`
	// The action of the rule. If it is not `terminate`, the request needs a session of its
	// own.
	Action string `json:"action"`
	// The status of clearspan's answer: `421` or `403`.
	Status int `json:"status"`
}

// refused describes the requests that the policy refused.
func refused(s *decrypt.Session) (list []Refused, total uint64) {
	first, total := s.Refused()
	list = make([]Refused, 0, len(first))
	for _, r := range first {
		list = append(list, Refused{r.Host, r.Method, r.Path, r.Rule, r.Action.String(), r.Status})
	}
	return list, total
}

// ClientTLS describes the client leg.
type ClientTLS struct {
	// The TLS version, such as `1.3`. Empty if the handshake did not finish.
	Version string `json:"version"`
	// The cipher suite, by its IANA name. Empty if the handshake did not finish.
	Cipher string `json:"cipher"`
	// Whether the client resumed an earlier session. `forged_serial` is then of that one.
	Resumed bool `json:"resumed"`
	// The JA4 fingerprint of the ClientHello.
	JA4 string `json:"ja4"`
	// How the client refused the forged certificate: a TLS alert such as `unknown_ca`, or
	// `closed`. Empty if it did not refuse. Words: see
	// [reasons](reasons.md#refusals-by-clients).
	Refusal string `json:"refusal"`
	// The client's use of Encrypted Client Hello. Empty without the extension. Words: see
	// [reasons](reasons.md#encrypted-client-hello).
	ECH string `json:"ech"`
}

// OriginTLS describes the origin leg.
type OriginTLS struct {
	// The TLS version, such as `1.3`. Empty if the handshake did not finish.
	Version string `json:"version"`
	// The cipher suite, by its IANA name. Empty if the handshake did not finish.
	Cipher string `json:"cipher"`
	// Whether clearspan resumed an earlier session. It then judged the chain of that
	// session again.
	Resumed bool `json:"resumed"`
	// The SHA-256 of all certificates of the origin in DER, in hexadecimal. Empty if the
	// origin showed none.
	ChainSHA256 string `json:"chain_sha256"`
	// `ok`, or the reason why the origin failed verification. Empty if it was not
	// verified. Words: see [reasons](reasons.md#verification-of-origins).
	Verdict string `json:"verdict"`
	// The detail behind `verdict`, at most 256 octets. Some words come from the origin.
	// Empty for a good origin.
	Finding string `json:"finding"`
	// The revocation status. Empty if clearspan asked no source. Words: see
	// [reasons](reasons.md#revocation).
	Revocation string `json:"revocation"`
	// How many certificates of issuers clearspan fetched because the origin left them out.
	Fetched int `json:"fetched"`
	// How often the origin renegotiated TLS 1.2 within the session.
	Renegotiated int `json:"renegotiated"`
}

// Octets counts application data, taken from one leg for the other.
type Octets struct {
	// Octets from the client.
	ClientToOrigin uint64 `json:"client_to_origin"`
	// Octets from the origin.
	OriginToClient uint64 `json:"origin_to_client"`
}

// Mirror is what one sink got of a session.
type Mirror struct {
	// Frames that the mirror delivered.
	Frames uint64 `json:"frames"`
	// Octets of the session in these frames.
	Octets uint64 `json:"octets"`
	// Octets of the session that the mirror did not deliver. `octets` and `lost` add up to
	// the octets of the session.
	Lost uint64 `json:"lost"`
	// The reasons of the loss, with commas between them. Empty without a loss. Words: see
	// [reasons](reasons.md#losses-of-mirrors).
	Reason string `json:"reason"`

	// The first 256 HTTP/2 streams that the mirror showed as HTTP/1.1. Empty without
	// `http2: transcode`.
	Streams []Stream `json:"streams"`
	// HTTP/2 as HTTP/1.1. Null if the mirror showed the octets of the session.
	Transcoded *Transcoded `json:"transcoded"`
}

// Stream tells from which port of the client recorders see an HTTP/2 stream.
type Stream struct {
	// The number of the HTTP/2 stream.
	ID uint32 `json:"id"`
	// The client port of its HTTP/1.1 conversation.
	Port uint16 `json:"port"`
}

// Transcoded is what one sink got of an HTTP/2 session that was shown as
// HTTP/1.1.
type Transcoded struct {
	// Streams that the mirror showed.
	Streams uint64 `json:"streams"`
	// Octets of payload in the frames.
	Octets uint64 `json:"octets"`
	// Octets of payload that the mirror did not deliver.
	Lost uint64 `json:"lost"`
	// Header fields that HTTP/1.1 cannot hold as they were.
	Replaced uint64 `json:"replaced"`
	// Octets of the session that the mirror showed as HTTP/2.
	Raw uint64 `json:"raw"`
	// Why the mirror showed octets as HTTP/2. Empty if `raw` is 0. Words: see
	// [reasons](reasons.md#http2-that-cannot-be-transcoded).
	Reason string `json:"reason"`
}

// Flow is the identity under which recorders see a session. Its port may differ
// from the true one, because mirrors map ports.
type Flow struct {
	// The client's address and port on the first mirror. The port may be another than the
	// true one, if two sessions would have the same pair of ports.
	Client netip.AddrPort `json:"client"`
	// The origin's address and port on the first mirror.
	Origin netip.AddrPort `json:"origin"`
	// The origin's port, by name of the mirror. Empty if no mirror showed the session.
	Ports map[string]uint16 `json:"ports"`
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
		Client: unmap(s.Client), Origin: unmap(s.Origin), Intended: unmap(s.Destination), Upstream: s.Upstream,
		Host: s.AskedFor(), SNI: s.SNI, ALPN: s.ALPN, Offer: s.Offer.String(), Protocol: s.Protocol,
		Transport: "tcp", StartTLS: s.StartTLS.String(), Related: s.Related,
		Rule: s.Decision.Rule, Outcome: s.Outcome.String(), Reason: s.Reason, Notice: s.Notice.String(), Service: s.Services(), Finding: s.Findings(),
		BypassBy: string(s.BypassBy), Learned: s.Decision.Learned, Taught: string(s.Taught),
		Events: s.Events().Names(), ForgedSerial: s.ForgedSerial,
		Octets: Octets{
			ClientToOrigin: s.Octets(decrypt.ClientToOrigin),
			OriginToClient: s.Octets(decrypt.OriginToClient),
		},
		Mirror: mirrors,
		HTTP:   []facts.Exchange{}, Mail: []facts.Mail{}, Logins: []facts.Login{}, Transfers: []facts.Transfer{},
	}
	if l := s.Late; l != nil {
		e.LateTLS = &LateTLS{
			Protocol: l.Protocol, Outer: l.Outer, Connect: l.Connect,
			Octets: Octets{l.Octets[decrypt.ClientToOrigin], l.Octets[decrypt.OriginToClient]},
		}
	}
	e.Refused, e.RefusedTotal = refused(s)
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
			ChainSHA256: l.ChainSHA256, Verdict: l.Verdict, Finding: l.Finding, Revocation: l.Revocation, Fetched: l.Fetched, Renegotiated: l.Renegotiated,
		}
	}
	e.Flow = Flow{Client: e.Client, Origin: e.Origin}
	if flow != nil {
		e.Flow = Flow{Client: unmap(flow.Client), Origin: unmap(flow.Origin), Ports: flow.Ports}
	}
	e.CommunityID = CommunityID(e.Flow.Client, e.Flow.Origin)
	if q := s.QUIC; q != nil {
		e.Transport, e.CommunityID = "quic", communityID(udp, e.Client, e.Origin)
		e.QUIC = &QUIC{Version: quicVersion(q.Version), Datagrams: q.Datagrams, Refused: q.Refused, Hello: q.Hello, ALPN: append([]string{}, q.ALPN...)}
	}
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

// quicVersion returns "1" for 1, "2" for the number of that version (RFC 9369), and
// so on.
func quicVersion(v uint32) string {
	switch v {
	case 0:
		return ""
	case 1:
		return "1"
	case 0x6b3343cf:
		return "2"
	}
	return fmt.Sprintf("0x%08x", v)
}

// cipherName returns the IANA name of a cipher suite, or its number.
func cipherName(id uint16) string {
	if id == 0 {
		return ""
	}
	return tls.CipherSuiteName(id)
}
