package export

import (
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/syslog"
)

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
	x := extension{syslog.CEF(b, version, syslog.Event{Class: class, Name: ev.name, Severity: ev.severity})}
	x.times(e)
	x.Ends(e.Client, e.Origin)
	x.Text("dhost", e.Host, syslog.Text)
	x.Text("dvchost", host, 100)
	x.Text("deviceFacility", e.Intake, syslog.Text)
	x.Text("externalId", e.Session, 40)
	x.session(e)
	x.Labeled("cs1", "rule", e.Rule)
	x.Labeled("cs2", "sni", e.SNI)
	if e.TLSClient != nil {
		x.Labeled("cs3", "ja4", e.TLSClient.JA4)
	}
	if e.TLSOrigin != nil {
		x.Labeled("cs4", "verdict", e.TLSOrigin.Verdict)
	}
	x.Labeled("cs5", "services", pairs(e.Service, ":", " "))
	x.Labeled("cs6", "communityId", e.CommunityID)
	x.Labeled("flexString1", "events", strings.Join(e.Events, " "))
	if e.Frames > 0 {
		x.Labeled("cn1", "frames", strconv.FormatUint(e.Frames, 10))
	}
	x.request(e)
	x.Text("msg", pairs(e.Finding, ": ", "; "), syslog.Text)
	return x.B
}

// extension collects the keys behind the header.
type extension struct{ syslog.Extension }

// times appends times in milliseconds since 1970.
func (x *extension) times(e *audit.Entry) {
	for _, t := range []struct {
		key string
		at  audit.Time
	}{{"rt", e.Time}, {"start", e.Start}, {"end", e.End}} {
		if !t.at.IsZero() {
			x.Raw(t.key, strconv.FormatInt(t.at.UnixMilli(), 10))
		}
	}
}

// session appends what became of the session. To CEF, octets that go from the source to
// the destination are those that come in.
func (x *extension) session(e *audit.Entry) {
	x.Text("proto", map[string]string{"tcp": "TCP", "quic": "UDP"}[e.Transport], syslog.ShortText)
	x.Text("app", e.Protocol, syslog.ShortText)
	x.Text("act", e.Action, syslog.ShortText)
	x.Text("outcome", e.Outcome, syslog.ShortText)
	x.Text("reason", e.Reason, syslog.Text)
	x.Text("duser", user(e), syslog.Text)
	if e.Session != "" {
		x.Number("in", e.Octets.ClientToOrigin)
		x.Number("out", e.Octets.OriginToClient)
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
	x.Text("requestMethod", e.HTTP[0].Method, syslog.Text)
	x.Text("request", scheme+e.HTTP[0].Host+e.HTTP[0].Path, syslog.Text)
}
