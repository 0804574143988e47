package watch

import (
	"encoding/json"
	"net/netip"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
)

// States of a [Row].
const (
	Open  = "open"
	Ended = "ended"
)

// List is a list of words with commas between them. In JSON it is an array.
type List string

// Words returns the words, not nil.
func (l List) Words() []string {
	if l == "" {
		return []string{}
	}
	return strings.Split(string(l), ",")
}

// MarshalJSON writes an array.
func (l List) MarshalJSON() ([]byte, error) { return json.Marshal(l.Words()) }

// UnmarshalJSON reads an array.
func (l *List) UnmarshalJSON(p []byte) error {
	var words []string
	err := json.Unmarshal(p, &words)
	*l = List(strings.Join(words, ","))
	return err
}

// Words are the fields of a session whose values are few: fixed words, and names of the
// configuration. Many sessions have the same.
type Words struct {
	Intake    string `json:"intake"`
	Transport string `json:"transport"`
	Upstream  string `json:"upstream"`
	Protocol  string `json:"protocol"`
	StartTLS  string `json:"starttls"`
	Rule      string `json:"rule"`
	Action    string `json:"action"`
	Would     string `json:"would"`
	Events    List   `json:"events"`
	BypassBy  string `json:"bypass_by"`
	Learned   string `json:"learned"`
	Taught    string `json:"taught"`
	Outcome   string `json:"outcome"` // of an open session: "" before it is known
	Reason    string `json:"reason"`
	Notice    string `json:"notice"`
	Refusal   string `json:"refusal"`
	Verdict   string `json:"verdict"`
	Service   List   `json:"service"` // name=result
}

// Row is what lists say of a session. Its names are those of audit entries, where these
// have them.
type Row struct {
	Session string `json:"session"`
	State   string `json:"state"`
	Stage   string `json:"stage"` // of an open session, see [decrypt.StageWords]; "" for others
	Words
	Client   netip.AddrPort `json:"client"`
	Origin   netip.AddrPort `json:"origin"`
	Host     string         `json:"host"` // that the client asked for, or else the server name
	SNI      string         `json:"sni"`
	ALPN     string         `json:"alpn"`
	User     string         `json:"user"`
	Start    time.Time      `json:"start"`
	Duration time.Duration  `json:"duration"` // nanoseconds; of an open session: its age
	Sent     uint64         `json:"client_to_origin"`
	Received uint64         `json:"origin_to_client"`
	Lost     uint64         `json:"lost"` // octets that mirrors did not deliver, of all together
}

// End returns when the session ended, zero for an open one.
func (r *Row) End() time.Time {
	if r.State != Ended {
		return time.Time{}
	}
	return r.Start.Add(r.Duration)
}

// Octets returns the octets of both directions.
func (r *Row) Octets() uint64 { return r.Sent + r.Received }

// Text implements [query.Row].
func (r *Row) Text(f query.ID) string {
	switch f {
	case query.Session:
		return r.Session
	case query.State:
		return r.State
	case query.Stage:
		return r.Stage
	case query.Host:
		return r.Host
	case query.SNI:
		return r.SNI
	case query.ALPN:
		return r.ALPN
	case query.User:
		return r.User
	}
	return r.Words.text(f)
}

// text returns one of the words.
func (w *Words) text(f query.ID) string {
	switch f {
	case query.Intake:
		return w.Intake
	case query.Transport:
		return w.Transport
	case query.Upstream:
		return w.Upstream
	case query.Protocol:
		return w.Protocol
	case query.StartTLS:
		return w.StartTLS
	case query.Rule:
		return w.Rule
	case query.Action:
		return w.Action
	case query.Would:
		return w.Would
	case query.Event:
		return string(w.Events)
	case query.Service:
		return string(w.Service)
	}
	return w.result(f)
}

// result returns one of the words that say what became of a session.
func (w *Words) result(f query.ID) string {
	switch f {
	case query.Bypass:
		return w.BypassBy
	case query.Learned:
		return w.Learned
	case query.Taught:
		return w.Taught
	case query.Outcome:
		return w.Outcome
	case query.Reason:
		return w.Reason
	case query.Notice:
		return w.Notice
	case query.Refusal:
		return w.Refusal
	case query.Verdict:
		return w.Verdict
	}
	return ""
}

// Number implements [query.Row].
func (r *Row) Number(f query.ID) int64 {
	switch f {
	case query.ClientPort:
		return int64(r.Client.Port())
	case query.Port:
		return int64(r.Origin.Port())
	case query.Octets:
		return int64(r.Octets())
	case query.Sent:
		return int64(r.Sent)
	case query.Received:
		return int64(r.Received)
	case query.Lost:
		return int64(r.Lost)
	case query.Span:
		return int64(r.Duration)
	case query.Start:
		return r.Start.UnixNano()
	case query.End:
		if end := r.End(); !end.IsZero() {
			return end.UnixNano()
		}
	}
	return 0
}

// Address implements [query.Row].
func (r *Row) Address(f query.ID) netip.AddrPort {
	switch f {
	case query.Client:
		return r.Client
	case query.Origin:
		return r.Origin
	}
	return netip.AddrPort{}
}
