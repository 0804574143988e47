package sessions

import (
	"context"
	"fmt"
	"time"

	"github.com/clearspan/clearspan/appliance/audit"
	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/watch"
)

// Bounds of the time between two looks at all open sessions.
const (
	minLook = 100 * time.Millisecond
	maxLook = 10 * time.Second
)

// Interim writes an entry for each session that goes on for a multiple of every, until ctx
// ends. Sessions do no work for that, and have no timer.
func (b *Book) Interim(ctx context.Context, every time.Duration) {
	long, err := query.Parse(fmt.Sprintf("state:open duration>=%dms", every.Milliseconds()))
	if err != nil {
		return // not with a duration
	}
	tick := time.NewTicker(min(max(every/10, minLook), maxLook))
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		b.sweep(long, every, last, now)
		last = now
	}
}

// sweep writes the entries of sessions that passed a multiple of every since last.
func (b *Book) sweep(long *query.Query, every time.Duration, last, now time.Time) {
	for at := watch.Cursor(""); ; {
		rows, next, err := b.Watch.List(long, watch.MaxList, at)
		if err != nil {
			return
		}
		for i := range rows {
			r := &rows[i]
			if now.Sub(r.Start)/every == last.Sub(r.Start)/every {
				continue
			}
			if r, ok := b.Watch.Get(r.Session); ok && r.State == watch.Open {
				b.Audit.Write(interim(&r, now))
			}
		}
		if at = next; at == "" {
			return
		}
	}
}

// interim describes a session that goes on. What is known at its end only is missing.
func interim(r *watch.Row, now time.Time) audit.Entry {
	e := audit.Entry{
		Time: audit.Time{Time: now}, Start: audit.Time{Time: r.Start}, Interim: true,
		Session: r.Session, Intake: r.Intake, Client: r.Client, Origin: r.Origin, Upstream: r.Upstream,
		Host: r.Host, SNI: r.SNI, ALPN: r.ALPN, Transport: r.Transport, Protocol: r.Protocol, StartTLS: r.StartTLS,
		Rule: r.Rule, Action: r.Action, Would: r.Would, Events: r.Events.Words(), BypassBy: r.BypassBy,
		Learned: r.Learned, Taught: r.Taught, Outcome: r.Outcome, Notice: r.Notice,
		Service: map[string]string{}, Finding: map[string]string{}, Mirror: map[string]audit.Mirror{},
		Octets: audit.Octets{ClientToOrigin: r.Sent, OriginToClient: r.Received},
		Flow:   audit.Flow{Client: r.Client, Origin: r.Origin, Ports: map[string]uint16{}},
		HTTP:   []facts.Exchange{}, Refused: []audit.Refused{}, Mail: []facts.Mail{}, Logins: []facts.Login{}, Transfers: []facts.Transfer{},
	}
	e.CommunityID = audit.CommunityID(e.Flow.Client, e.Flow.Origin)
	return e
}
