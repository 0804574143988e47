package sessions

import (
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/decrypt"
)

// Open implements [decrypt.Tap]: the mirrors get the session's octets.
func (b *Book) Open(s *decrypt.Session) decrypt.Stream {
	t := b.Feed.Open(s)
	b.Watch.Attach(s, t)
	return t
}

// Entry returns what the audit entry of an open session would say now, and whether there is
// such a session. What is read of web, mail and logins is not in it before the end.
func (b *Book) Entry(id string) (e audit.Entry, open bool) {
	row, s, t := b.Watch.Snapshot(id)
	if s == nil {
		return e, false
	}
	e = audit.NewEntry(s, b.Feed.Progress(t), nil).With(facts.Report{})
	e.Octets = audit.Octets{ClientToOrigin: row.Sent, OriginToClient: row.Received}
	e.Events = row.Events.Words()
	return e, true
}
