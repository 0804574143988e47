// Package sessions keeps the books of the box: what metrics, mirrors and the audit log
// say about sessions, and about flows and frames that never become sessions.
package sessions

import (
	"log/slog"

	"github.com/clearspan/clearspan/appliance/admin"
	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/feed"
	"github.com/clearspan/clearspan/appliance/screen"
	"github.com/clearspan/clearspan/appliance/watch"
	"github.com/clearspan/clearspan/decrypt"
)

// Book is where sessions are accounted for. It is safe for concurrent use.
type Book struct {
	Metrics *admin.Metrics
	Feed    *feed.Feed
	Audit   *audit.Log
	Watch   *watch.Registry // of open sessions and the last ended ones
	Logger  *slog.Logger
	Screen  *screen.Screen // of a person who looks; may be nil

	datagrams rate
}

// Opened counts a session that begins.
func (b *Book) Opened(intake string) { b.Metrics.SessionOpened(intake) }

// Ended accounts for a session that has ended; t is what [feed.Feed] made of it, nil for
// nothing.
func (b *Book) Ended(s *decrypt.Session, t decrypt.Stream) {
	b.Metrics.SessionEnded(s)
	for leg, l := range map[string]decrypt.LegTLS{"client": s.ClientTLS, "origin": s.OriginTLS} {
		if l.Handshake > 0 {
			b.Metrics.Handshake(s.ID, leg, l.Handshake, l.Version != 0)
		}
	}
	r := b.Feed.Report(s, t)
	for service, finding := range s.Findings() {
		b.Logger.Warn("service found a threat", "session", s.ID, "service", service, "finding", finding, "client", s.Client, "origin", s.Origin)
	}
	entry := audit.NewEntry(s, r.Mirrors, r.Flow).With(r.Facts)
	b.Audit.Write(entry)
	b.Screen.Ended(entry)
	user := ""
	if logins := r.Facts.Logins; len(logins) > 0 {
		user = logins[0].User
	}
	b.Watch.End(s, user)
}

// Flow accounts for a QUIC flow that was judged. Whoever makes up datagrams fills the
// audit log with no more than a bounded number of entries.
func (b *Book) Flow(s *decrypt.Session) {
	b.Metrics.QUIC(s)
	if b.datagrams.affords(s.End) {
		b.Audit.Write(audit.NewEntry(s, nil, nil))
		b.Watch.End(s, "")
	} else {
		b.datagrams.unwritten.Add(1)
	}
}

// Unwritten returns how many flows have no entry in the audit log.
func (b *Book) Unwritten() uint64 { return b.datagrams.unwritten.Load() }

// Dropped accounts for frames that an intake dropped because they could not be judged.
func (b *Book) Dropped(e audit.Entry) { b.Audit.Write(e) }
