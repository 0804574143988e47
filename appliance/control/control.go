// Package control lets operators ask a running box and change it. [Operations] is what
// the box can do. [Server] answers with it, by HTTP/1.1 and JSON, on a socket that only
// users of this machine reach.
//
// Paths start with /api/v1. The table of them is [Routes]. Errors are of the type
// application/problem+json (RFC 9457), see [Problem]. Streams are of the type
// application/x-ndjson: one object a line.
//
// The kernel says who is at the other end of a connection (SO_PEERCRED, unix(7)):
//
//   - root and the user of the process may do everything,
//   - members of the group clearspan may read,
//   - others are refused.
//
// Everything is bounded: connections, streams, the size of requests, and the time that an
// answer may take.
package control

import (
	"context"
	"io"
	"time"

	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/watch"
	"github.com/clearspan/clearspan/decrypt/learn"
)

// Operations are what a box does for its operators. They are called concurrently. What
// they return is the caller's. An error that is a [*Problem] goes to the client as it is.
type Operations interface {
	// Status tells how the box is.
	Status() Status
	// Alerts returns what an operator must act on, and what was resolved of late.
	Alerts() []health.Alert
	// Mirrors, Services and Intakes tell how these parts are, in the order of the
	// configuration.
	Mirrors() []Mirror
	Services() []Service
	Intakes() []Intake
	// Sessions returns at most limit sessions that match, see [watch.Registry.List].
	Sessions(q *query.Query, limit int, at watch.Cursor) (List, error)
	// Session returns what is known of a session, and whether it is known.
	Session(id string) (Detail, bool)
	// EndSession resets an open session, and reports whether there is one.
	EndSession(id string) bool
	// Subscribe begins a stream of sessions. The caller must Close it.
	Subscribe(*query.Query) (*watch.Subscription, error)
	// Top measures who has most of the traffic.
	Top(ctx context.Context, window time.Duration, limit int) (Top, error)
	// Learned returns what was learned of sessions.
	Learned() []learn.Entry
	// KeepLearned has an entry stay beyond its time, or takes that back. It reports whether
	// there is one.
	KeepLearned(id string, keep bool) bool
	// DeleteLearned forgets an entry, and reports whether there was one.
	DeleteLearned(id string) bool
	// Metrics writes all metrics in the text format of Prometheus.
	Metrics(io.Writer) error
	// Configuration returns the configuration file without comments and secrets.
	Configuration() ([]byte, error)
	// Log returns the last lines of the log, without secrets.
	Log() string
	// Reload has the box read its configuration again. If the running configuration
	// stays, the error says why.
	Reload(context.Context) (Reloaded, error)
}
