// Package learn remembers lessons from sessions, for later sessions. It remembers
//
//   - clients that refuse the leaf,
//   - origins that ask for a client certificate,
//   - origins that refuse a narrowed offer of application protocols,
//   - origins with which no handshake succeeds.
//
// All lessons but the offer lead to sessions that are not decrypted. An attacker
// must not get them cheaply:
//
//   - A lesson holds only for the destinations where it was learned. If the server
//     name of a session is false, its octets still go to an origin that has proven
//     that name.
//   - A client's refusals count for that client alone. Optionally they count as one
//     voice among several.
//   - The entries that one client can add are bounded.
//   - An entry only ever turns bump into tunnel, as far as the action of its lesson
//     and the deciding rule allow.
//
// The package knows neither sockets nor TLS. If it has a file, it keeps its entries
// there.
package learn

import (
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// Lesson is a kind of what is learned. The words stand in audit entries, metrics
// and the file.
type Lesson string

const (
	// Pinned: the client refuses the forged certificate, though the origin's certificate
	// is good. It takes several refusals.
	Pinned Lesson = "pinned"
	// ClientCertificate: the origin asks for a client certificate.
	ClientCertificate Lesson = "client-certificate"
	// FailedOrigin: no TLS handshake with the origin is possible, for a reason other than
	// trust. The entry holds for the same offer of application protocols, which may be the
	// reason.
	FailedOrigin Lesson = "failed-origin"
	// NarrowOffer: the origin refuses fewer application protocols than the client's, and
	// takes the client's. clearspan then offers the client's list and tunnels nothing.
	NarrowOffer Lesson = "alpn-offer"
)

// Lessons are all there are, those that tunnel first, in the order in which they
// are looked up.
var Lessons = []Lesson{Pinned, ClientCertificate, FailedOrigin, NarrowOffer}

// Action is what follows from a lesson.
type Action string

const (
	Off    Action = "off"    // nothing is learned
	Alert  Action = "alert"  // it is learned and told, and changes nothing
	Tunnel Action = "tunnel" // sessions are tunneled; for NarrowOffer: the client's offer is made
)

// Scope is whom a lesson of a pinned client concerns.
type Scope string

const (
	// ClientHost: the client that refused, and the host.
	ClientHost Scope = "client-host"
	// Host: every client; then the refusals must be of different clients, of which
	// those of an IPv6 network of 64 bits are one.
	Host Scope = "host"
)

// Options say what is learned. The zero value learns nothing.
type Options struct {
	Pinned            Action
	ClientCertificate Action
	FailedOrigin      Action
	NarrowOffer       Action

	PinnedFor            time.Duration // how long an entry lasts
	ClientCertificateFor time.Duration
	FailedOriginFor      time.Duration
	NarrowOfferFor       time.Duration

	After  int           // refusals that make a pinned client, at least 1
	Within time.Duration // in that time
	Scope  Scope         // "": ClientHost

	Entries       int // at most; beyond, what was not used for longest is forgotten. 0: 10000
	ClientEntries int // learned of one client, at most; beyond, its own are forgotten. 0: 100
}

const (
	defaultEntries       = 10_000
	defaultClientEntries = 100
)

// action returns what follows from a lesson in a session with that treatment.
// A rule's word off or alert bounds all lessons that tunnel; its word tunnel has
// pinned clients tunneled whatever is said for others.
func (o *Options) action(l Lesson, t *policy.Treatment) Action {
	a := map[Lesson]Action{Pinned: o.Pinned, ClientCertificate: o.ClientCertificate, FailedOrigin: o.FailedOrigin, NarrowOffer: o.NarrowOffer}[l]
	if a == "" {
		a = Off
	}
	if t == nil || l == NarrowOffer {
		return a
	}
	switch Action(t.Learn) {
	case Off:
		return Off
	case Alert:
		if a == Tunnel {
			return Alert
		}
	case Tunnel:
		if l == Pinned {
			return Tunnel
		}
	}
	return a
}

// lifetime returns how long an entry lasts.
func (o *Options) lifetime(l Lesson) time.Duration {
	switch l {
	case Pinned:
		return o.PinnedFor
	case ClientCertificate:
		return o.ClientCertificateFor
	case FailedOrigin:
		return o.FailedOriginFor
	}
	return o.NarrowOfferFor
}
