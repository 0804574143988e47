package export

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/query"
)

var errNoEntry = errors.New("no audit entry")

// row is an entry as queries see it.
type row struct{ *audit.Entry }

// texts are fields of entries that are texts.
var texts = map[query.ID]func(*audit.Entry) string{
	query.Session:   func(e *audit.Entry) string { return e.Session },
	query.Host:      func(e *audit.Entry) string { return e.Host },
	query.SNI:       func(e *audit.Entry) string { return e.SNI },
	query.Intake:    func(e *audit.Entry) string { return e.Intake },
	query.Upstream:  func(e *audit.Entry) string { return e.Upstream },
	query.Transport: func(e *audit.Entry) string { return e.Transport },
	query.Protocol:  func(e *audit.Entry) string { return e.Protocol },
	query.StartTLS:  func(e *audit.Entry) string { return e.StartTLS },
	query.ALPN:      func(e *audit.Entry) string { return e.ALPN },
	query.Rule:      func(e *audit.Entry) string { return e.Rule },
	query.Action:    func(e *audit.Entry) string { return e.Action },
	query.Would:     func(e *audit.Entry) string { return e.Would },
	query.Event:     func(e *audit.Entry) string { return strings.Join(e.Events, ",") },
	query.Bypass:    func(e *audit.Entry) string { return e.BypassBy },
	query.Learned:   func(e *audit.Entry) string { return e.Learned },
	query.Taught:    func(e *audit.Entry) string { return e.Taught },
	query.Outcome:   func(e *audit.Entry) string { return e.Outcome },
	query.Reason:    func(e *audit.Entry) string { return e.Reason },
	query.Notice:    func(e *audit.Entry) string { return e.Notice },
	query.Service:   func(e *audit.Entry) string { return pairs(e.Service, "=", ",") },
	query.State:     state,
	query.User:      user,
	query.Refusal: func(e *audit.Entry) string {
		if e.TLSClient == nil {
			return ""
		}
		return e.TLSClient.Refusal
	},
	query.Verdict: func(e *audit.Entry) string {
		if e.TLSOrigin == nil {
			return ""
		}
		return e.TLSOrigin.Verdict
	},
}

// state returns whether the session goes on.
func state(e *audit.Entry) string {
	if e.Interim {
		return "open"
	}
	return "ended"
}

// user returns the name of the first login.
func user(e *audit.Entry) string {
	if len(e.Logins) == 0 {
		return ""
	}
	return e.Logins[0].User
}

// pairs returns what a map holds, in the order of keys.
func pairs(m map[string]string, is, between string) string {
	list := make([]string, 0, len(m))
	for k, v := range m {
		list = append(list, k+is+v)
	}
	slices.Sort(list)
	return strings.Join(list, between)
}

// Text implements [query.Row].
func (r row) Text(id query.ID) string {
	if f := texts[id]; f != nil {
		return f(r.Entry)
	}
	return ""
}

// Number implements [query.Row].
func (r row) Number(id query.ID) int64 {
	switch id {
	case query.ClientPort:
		return int64(r.Client.Port())
	case query.Port:
		return int64(r.Origin.Port())
	case query.Octets:
		return int64(r.Octets.ClientToOrigin + r.Octets.OriginToClient)
	case query.Sent:
		return int64(r.Octets.ClientToOrigin)
	case query.Received:
		return int64(r.Octets.OriginToClient)
	case query.Lost:
		return r.mirrorsLost()
	case query.Span:
		return int64(r.End.Sub(r.Start.Time))
	case query.Start:
		return r.Start.UnixNano()
	case query.End:
		return r.End.UnixNano()
	}
	return 0
}

// mirrorsLost returns the octets that mirrors lost.
func (r row) mirrorsLost() (n int64) {
	for _, m := range r.Mirror {
		n += int64(m.Lost)
	}
	return n
}

// Address implements [query.Row].
func (r row) Address(id query.ID) netip.AddrPort {
	if id == query.Client {
		return r.Client
	}
	return r.Origin
}
