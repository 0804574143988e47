// Package intake accepts client connections. An intake finds the original
// destination of each connection. It hands the connection to a [Handler], with this
// destination and a way to open the origin leg. There are four kinds:
//
//   - static: one listener, one origin ([NewStatic]).
//   - explicit: a proxy for HTTP CONNECT, absolute-form HTTP/1.1 and SOCKS on
//     one port ([NewExplicit]).
//   - tproxy: the kernel diverts routed traffic. Neither end sees an address of
//     this box ([NewTProxy], Linux).
//   - redirect: the kernel translates the destination of routed traffic to this
//     box. Origins see the box's address ([NewRedirect], Linux).
//
// The package does not read further octets of the client. TLS, protocols and
// policy belong to the handler.
package intake

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

// Handler runs one session and returns when it has ended. It owns in.Conn, which
// is closed in any case once Handler has returned. ctx is the one given to
// [Intake.Serve]; when it ends, so must the session. A panic in a handler ends
// its own session only. Called concurrently.
type Handler func(ctx context.Context, in *decrypt.Incoming)

// Intake accepts client connections. Its listeners are open, and what it sets up
// in the kernel is in place, from construction on; connections wait until Serve
// runs. All methods are safe for concurrent use.
type Intake interface {
	// Serve accepts connections and hands each to the handler in a goroutine of
	// its own, until Close is called or ctx ends; then it returns nil. A failure
	// to accept is counted and tried again, it never ends Serve. Sessions go on
	// after Close, until ctx ends: that is how an intake drains. Call it once.
	Serve(ctx context.Context) error
	// Addr is the address of the (first) listener.
	Addr() net.Addr
	// Close stops accepting. What the intake set up in the kernel is undone as
	// soon as no session is left, which may be before Close returns.
	Close() error
	// Wait blocks until Close was called, the last session has ended and
	// everything is undone.
	Wait()
}

// Resolver finds the addresses of a name. [net.Resolver] is one.
type Resolver interface {
	// LookupNetIP returns addresses of host in the order in which they are to be
	// tried. network is always "ip".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Options are common to all intakes.
type Options struct {
	Name    string   // in entries and logs
	Handler Handler  // required
	Limiter *Limiter // shared by several intakes; nil does not limit

	// Guard is asked for every destination before the client is told that it
	// may go there. An error refuses the destination. It keeps clients from
	// reaching the appliance's own listeners through the appliance, and loops
	// from forming: its error then wraps [decrypt.ErrLoop]. nil permits all. Called
	// concurrently.
	Guard func(netip.AddrPort) error

	// Pages are the hosts, in lower case, that an explicit intake answers by
	// itself when a client asks for http://HOST/. No session comes of it, and no
	// destination is ever looked up under these names. A handler sees requests of
	// origin form, one at a time for each client connection.
	Pages map[string]http.Handler

	// SecurePage answers a client that asked for one of Pages by CONNECT to port 443,
	// and closes conn. nil: such a request is refused. Called concurrently.
	SecurePage func(conn net.Conn, host string)

	// Forbid is asked before an explicit intake accepts a request of CONNECT or
	// SOCKS; it borrows in, which has no connection. With forbidden the client gets
	// the page, which is HTML, with status 403, or the reply of SOCKS for it; nobody
	// else hears of the request. nil permits all. Called concurrently.
	Forbid func(in *decrypt.Incoming) (page []byte, forbidden bool)

	// DialsEarly is asked whether a request of CONNECT or SOCKS that is not forbidden is
	// accepted only when the origin has accepted the connection; it borrows in, which
	// has no connection. nil: no request. Called concurrently.
	DialsEarly func(in *decrypt.Incoming) bool

	// Unreached is told of a session that the intake ends because its destination is a
	// loop, see [decrypt.ErrLoop], has no address, or did not answer before the client was told that it
	// is connected. told says that the client has an answer to its request. in has no
	// connection. May be nil. Called concurrently.
	Unreached func(in *decrypt.Incoming, err error, told bool)

	// QUIC is told of the beginning of QUIC flows; nil: they are left to themselves, or
	// refused without a look. See [QUICVerdict].
	QUIC func(client, origin netip.AddrPort, payload []byte) QUICVerdict

	// StandIn returns an address that stands for a name without one here: an upstream
	// proxy resolves it, and the session goes there. An invalid one leaves the name
	// unresolved. Only an explicit intake asks; nil: no name has one. Called concurrently.
	StandIn func(ctx context.Context, name string) netip.Addr

	// Listeners are open already, for an intake that has a listener at an address of its
	// own, in place of those that it would open. It owns them.
	Listeners []net.Listener
	// Pulse notices that accept loops run; nil: nobody looks.
	Pulse *Pulse

	Resolver       Resolver      // nil: net.DefaultResolver
	ConnectTimeout time.Duration // to open an origin leg, all addresses together; 0: 10 s

	Count  func(Event)  // called for every event, concurrently; must not block; may be nil
	Logger *slog.Logger // nil discards
}

// complete fills in defaults and reports what is missing.
func (o Options) complete() (Options, error) {
	if o.Handler == nil {
		return o, errors.New("create intake: no handler")
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = 10 * time.Second
	}
	if o.Forbid == nil {
		o.Forbid = func(*decrypt.Incoming) ([]byte, bool) { return nil, false }
	}
	if o.DialsEarly == nil {
		o.DialsEarly = func(*decrypt.Incoming) bool { return false }
	}
	if o.Unreached == nil {
		o.Unreached = func(*decrypt.Incoming, error, bool) {}
	}
	if o.Count == nil {
		o.Count = func(Event) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = o.Logger.With("intake", o.Name)
	return o, nil
}

// Event is something to be counted. Except for PortChanged, the connection or
// request at hand was refused.
type Event uint8

const (
	// AcceptFailed: the kernel gave clearspan no connection (accept).
	// Cause: No file descriptors or no memory.
	// Do: See the log line `accept failed`. Raise `LimitNOFILE`.
	AcceptFailed Event = iota
	// LimitReached: more sessions are open than `limits.sessions`. clearspan reset the
	// connection.
	// Cause: Load, or a flood.
	// Do: Raise `limits.sessions`, or add machines.
	LimitReached
	// MemoryShort: there is no memory for one more session. clearspan reset the
	// connection.
	// Cause: Load, or a low limit of the control group.
	// Do: See `limits.memory` and `limits.overload`.
	MemoryShort
	// DescriptorsShort: there are no file descriptors for one more session. clearspan
	// reset the connection.
	// Cause: A low limit of open files.
	// Do: Raise `LimitNOFILE` of the service.
	DescriptorsShort
	// BadRequest: the client sent no proxy request, or no PROXY header, that clearspan
	// understands.
	// Cause: A client that does not speak HTTP or SOCKS to the proxy, or a port scan.
	// Do: Check the proxy setting of the client, and `proxy_protocol.from`.
	BadRequest
	// Unresolved: the name of the destination has no address.
	// Cause: A wrong name, or a DNS server that does not answer.
	// Do: Try `getent ahosts NAME` on this machine.
	Unresolved
	// Forbidden: clearspan does not connect to this destination. It is an address of
	// clearspan, of this machine or its link, or a port that the intake does not open.
	// Cause: A client asked an explicit intake for it, or connected to the intake itself.
	// Do: Nothing, or see `reach` and `connect_ports` of the intake.
	Forbidden
	// Panicked: clearspan contained a fault of its own. Only this session ended.
	// Cause: A fault in clearspan.
	// Do: Report it with the log line `session panicked`.
	Panicked
	// PortChanged: the origin sees the client's address, but another port. The
	// connection was not refused.
	// Cause: The client's port is in use on this machine.
	// Do: Nothing.
	PortChanged
	// ForeignClient: the client is not of a network that the explicit intake serves.
	// clearspan reset the connection.
	// Cause: A client with another address than `from` of the intake has, or a port scan.
	// Do: Add the network of the client to `from`.
	ForeignClient
)

var eventNames = [...]string{
	"accept-failed", "limit-reached", "memory-short", "descriptors-short", "bad-request", "unresolved", "forbidden", "panicked", "port-changed", "foreign-client",
}

// Words returns the words of all events.
func Words() []string { return slices.Clone(eventNames[:]) }

// String returns the word used in metrics.
func (e Event) String() string {
	if int(e) < len(eventNames) {
		return eventNames[e]
	}
	return "unknown"
}
