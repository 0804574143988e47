package export

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clearspan/clearspan/appliance/audit"
)

// The Common Event Format of ArcSight, version 0 ("Implementing ArcSight Common Event
// Format", version 26):
//
//	CEF:0|vendor|product|version|class|name|severity|key=value key=value
//
// A backslash stands before backslashes and bars in the header, and before backslashes and
// equals signs in values, whose line ends become \n and \r.

// event is what an outcome is called, and how severe it is, from 0 to 10.
type event struct {
	name     string
	severity int
}

var events = map[string]event{
	"bumped":     {"Session decrypted", 2},
	"tunneled":   {"Session tunneled", 2},
	"plain":      {"Session without TLS", 2},
	"terminated": {"Session terminated by the policy", 6},
	"failed":     {"Session failed", 4},
	"dropped":    {"Frames dropped", 4},
}

// findingSeverity is that of entries with a finding of a service.
const findingSeverity = 8

// Limits of values in octets; further octets are cut.
const (
	longText  = 4000
	text      = 1023
	shortText = 63
)

// appendCEF appends an entry.
func appendCEF(b []byte, e *audit.Entry, host, version string) []byte {
	ev, known := events[e.Outcome]
	if !known {
		ev = event{"Session", 2}
	}
	class := e.Outcome
	if e.Interim {
		class, ev.name = interimClass, "Session goes on"
	}
	if len(e.Finding) > 0 {
		ev.severity = findingSeverity
	}
	b = append(b, "CEF:0|clearspan|clearspan|"...)
	for _, field := range []string{version, class, ev.name} {
		b = append(appendEscaped(b, field, `\|`), '|')
	}
	b = append(strconv.AppendInt(b, int64(ev.severity), 10), '|')
	x := extension{b: b}
	x.times(e)
	x.ends(e)
	x.text("dvchost", host, 100)
	x.text("deviceFacility", e.Intake, text)
	x.text("externalId", e.Session, 40)
	x.session(e)
	x.labeled("cs1", "rule", e.Rule)
	x.labeled("cs2", "sni", e.SNI)
	if e.TLSClient != nil {
		x.labeled("cs3", "ja4", e.TLSClient.JA4)
	}
	if e.TLSOrigin != nil {
		x.labeled("cs4", "verdict", e.TLSOrigin.Verdict)
	}
	x.labeled("cs5", "services", pairs(e.Service, ":", " "))
	x.labeled("cs6", "communityId", e.CommunityID)
	x.labeled("flexString1", "events", strings.Join(e.Events, " "))
	if e.Frames > 0 {
		x.labeled("cn1", "frames", strconv.FormatUint(e.Frames, 10))
	}
	x.request(e)
	x.text("msg", pairs(e.Finding, ": ", "; "), text)
	return x.b
}

// extension collects the keys behind the header. Keys without a value are left out.
type extension struct {
	b    []byte
	some bool
}

// raw appends a key whose value needs no escape.
func (x *extension) raw(key, value string) {
	if x.some {
		x.b = append(x.b, ' ')
	}
	x.some = true
	x.b = append(append(append(x.b, key...), '='), value...)
}

// text appends a key and at most limit octets of its value.
func (x *extension) text(key, value string, limit int) {
	if value == "" {
		return
	}
	if len(value) > limit {
		for limit > 0 && !utf8.RuneStart(value[limit]) {
			limit--
		}
		value = value[:limit]
	}
	x.raw(key, "")
	x.b = appendEscaped(x.b, value, `\=`)
}

// labeled appends one of the keys that need a label.
func (x *extension) labeled(key, label, value string) {
	if value == "" {
		return
	}
	x.raw(key+"Label", label)
	x.text(key, value, longText)
}

func (x *extension) number(key string, n uint64) { x.raw(key, strconv.FormatUint(n, 10)) }

// times appends times in milliseconds since 1970.
func (x *extension) times(e *audit.Entry) {
	for _, t := range []struct {
		key string
		at  audit.Time
	}{{"rt", e.Time}, {"start", e.Start}, {"end", e.End}} {
		if !t.at.IsZero() {
			x.raw(t.key, strconv.FormatInt(t.at.UnixMilli(), 10))
		}
	}
}

// ends appends addresses and ports. IPv6 has keys of its own.
func (x *extension) ends(e *audit.Entry) {
	x.address("src", "c6a2", "Source IPv6 Address", "spt", e.Client)
	x.address("dst", "c6a3", "Destination IPv6 Address", "dpt", e.Origin)
	x.text("dhost", e.Host, text)
}

func (x *extension) address(v4, v6, label, port string, a netip.AddrPort) {
	if !a.IsValid() {
		return
	}
	if a.Addr().Is4() {
		x.raw(v4, a.Addr().String())
	} else {
		x.labeled(v6, label, a.Addr().WithZone("").String())
	}
	x.number(port, uint64(a.Port()))
}

// session appends what became of the session. To CEF, octets that go from the source to
// the destination are those that come in.
func (x *extension) session(e *audit.Entry) {
	x.text("proto", map[string]string{"tcp": "TCP", "quic": "UDP"}[e.Transport], shortText)
	x.text("app", e.Protocol, shortText)
	x.text("act", e.Action, shortText)
	x.text("outcome", e.Outcome, shortText)
	x.text("reason", e.Reason, text)
	x.text("duser", user(e), text)
	if e.Session != "" {
		x.number("in", e.Octets.ClientToOrigin)
		x.number("out", e.Octets.OriginToClient)
	}
}

// request appends the first web request.
func (x *extension) request(e *audit.Entry) {
	if len(e.HTTP) == 0 {
		return
	}
	scheme := "http://"
	if e.TLSClient != nil {
		scheme = "https://"
	}
	x.text("requestMethod", e.HTTP[0].Method, text)
	x.text("request", scheme+e.HTTP[0].Host+e.HTTP[0].Path, text)
}

// appendEscaped appends s with a backslash before each of special. Line ends become \n and
// \r, other control characters a blank.
func appendEscaped(b []byte, s, special string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c < ' ' || c == 0x7f:
			b = append(b, ' ')
		case strings.IndexByte(special, c) >= 0:
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return b
}
