package decrypt

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/ticket"
)

// Resolver finds the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config configures an [Engine]. Policy, Forger and Verifier are required; the
// zero value of everything else means its documented default.
type Config struct {
	Policy   Policy
	Forger   Forger
	Verifier Verifier // asked for more if it is an [Assessor]

	Tap      Tap      // nil: no taps
	Learner  Learner  // nil: nothing is remembered
	Resolver Resolver // for tunnel-check and [policy.SNIUnresolved]; nil: the origin's certificate alone decides
	// Addresses remembers what Resolver said; nil: the engine's own do. It may be
	// shared among engines.
	Addresses *Addresses
	Ended     func(s *Session, t Stream) // called when a session has ended, after the stream's Close
	Logger    *slog.Logger               // nil discards

	// Watch is called with each session that begins in [Engine.Serve]; nil: nobody watches.
	// It may return nil. Ended is called for the same sessions, and for some others.
	Watch func(Running) Observer
	// Relayed is called with the octets of a session as they are counted: what it was told
	// of a session adds up to [Session.Octets]. The goroutine of the direction calls it, and
	// it may read the decision. Nil: nobody is told.
	Relayed func(s *Session, dir Direction, octets uint64)

	// KeyLog returns where the TLS secrets of both legs go, a line of the NSS key
	// log format a Write; nil: nowhere. It is called before each handshake, when
	// the decision of s is known. An error of Write ends the session. With a nil
	// KeyLog no secret leaves the engine.
	KeyLog func(s *Session) io.Writer

	// Services returns what stands between the legs of s, in order from the client,
	// when its decision is known and both legs are; nil, or nothing: the legs are
	// relayed. A tap sees the leg of the client: what it sent and what it got.
	Services func(s *Session) []Service

	// Upstream returns what opens the origin leg of s by way of another proxy, when its
	// decision is known; nil, or a nil function: [Incoming.Dial] does. The proxy is given
	// a name to resolve: with [ResolveSNI] it is the server name, which nobody
	// looks up here.
	Upstream func(s *Session) *Upstream

	// Names says when it is found out whether the server name resolves to the
	// destination, see [policy.SNIUnresolved].
	Names Names
	// HandshakeReason gives the verdict behind an origin handshake that failed,
	// "" if it failed for another reason than trust; nil: always "".
	HandshakeReason func(err error) string
	// CertificateHost reports whether the operator has named a host whose users have
	// client certificates: with [AnswerNone], sessions with such an origin are tunneled
	// if it asks for one; nil: none.
	CertificateHost func(name string) bool

	// Tickets are the secrets that seal the tickets of clients. Engines with the same
	// secrets and scope open each other's tickets. nil: the engine has its own, and its
	// tickets end with it.
	Tickets *ticket.Secrets
	// TicketScope tells engines apart that clients must know apart: it is a name of the
	// authorities of Forger.
	TicketScope []byte

	Client  ClientOptions
	Origin  OriginOptions
	Limits  Limits
	Refusal Refusal       // what clients of refused sessions are told
	Silence time.Duration // how long a client may be silent before the origin is dialed; default 100 ms
}

// Engine carries sessions. It is safe for concurrent use.
type Engine struct {
	cfg          Config
	log          *slog.Logger
	addresses    *Addresses
	checks       memory[checkKey] // names for which their destinations have certificates
	mismatched   memory[checkKey] // names that do not resolve to them
	unresolvable memory[checkKey] // names of which nobody could tell
	lookups      chan struct{}    // has room for maxLookups
	upgraders    upgraders
	announced    announcements
	ech          memory[echKey] // where clients insisted on ECH
	tickets      *ticket.Keys
	origins      handshake.OriginCache
	halfOpen     halfOpen
	handshakes   *handshake.Pool
}

// New returns an engine.
func New(cfg Config) (*Engine, error) {
	if cfg.Policy == nil || cfg.Forger == nil || cfg.Verifier == nil {
		return nil, errors.New("configure engine: policy, forger and verifier are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Learner == nil {
		cfg.Learner = noLearner{}
	}
	if cfg.HandshakeReason == nil {
		cfg.HandshakeReason = func(error) string { return "" }
	}
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if cfg.Addresses == nil {
		cfg.Addresses = new(Addresses)
	}
	return &Engine{
		cfg: cfg, log: cfg.Logger, addresses: cfg.Addresses, lookups: make(chan struct{}, maxLookups), handshakes: handshake.NewPool(),
		tickets: ticket.NewKeys(cfg.Tickets, cfg.TicketScope),
	}, nil
}

// Serve carries one session and returns when both legs are closed. It takes
// in.Conn. When ctx ends, both legs are reset.
func (e *Engine) Serve(ctx context.Context, in *Incoming) {
	s := &session{decision: e.newDecision(in), client: leg.New(in.Conn)}
	s.legs.Recorder, s.legs.Idle = legsRecorder{s}, e.cfg.Client.IdleTimeout
	if e.cfg.Watch != nil {
		s.observer = e.cfg.Watch(s)
	}
	stop := context.AfterFunc(ctx, s.cancel)
	err := Contain(func() error { return s.refuse(ctx, s.live(ctx)) })
	stop()
	s.end(err)
	a := s.account
	var p *Panic
	if errors.As(err, &p) {
		e.log.Error("session panicked", "session", a.ID, "client", a.Client, "origin", a.Origin, "err", p, "stack", string(p.Stack))
	}
	if s.stopLookup != nil {
		s.stopLookup()
	}
	a.End = time.Now()
	e.log.Debug("session ended", "session", a.ID, "client", a.Client, "origin", a.Origin, "sni", a.SNI,
		"action", a.Decision.Action.String(), "rule", a.Decision.Rule, "outcome", a.Outcome.String(), "reason", a.Reason, "err", a.Err)
	if e.cfg.Ended != nil {
		e.cfg.Ended(a, s.stream)
	}
}

func newSession(in *Incoming) *Session {
	return &Session{
		ID:     newID(),
		Intake: in.Intake,
		Client: in.Client,
		Origin: in.Origin,
		Name:   in.Name,
		Link:   in.Link,
		Start:  time.Now(),
	}
}

func newID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// LimitBuffers bounds, for all engines of the process, how many octets of large
// buffers busy sessions take together; beyond that they do with small ones, of
// 16 KiB, at a higher cost in CPU time. A session whose peer reads slowly keeps
// its buffers while it waits: up to 576 KiB a direction, 32 KiB beyond the limit.
// 0 is no limit. It may be called at any time.
func LimitBuffers(octets uint64) { leg.LimitBuffers(octets) }
