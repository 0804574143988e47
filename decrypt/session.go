package decrypt

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/internal/relay"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/proto/ftp"
)

// session is a connection that the engine carries, while it runs. Not to be confused
// with its account, the [Session] that the policy, taps and services see. One goroutine
// runs its stages, one after the other. In stageDialogue and stageRelay there are two,
// one a direction.
type session struct {
	decision // its facts, and what the policy says

	stage      stage    // that runs
	opening    opening  // what the session begins with
	met        bool     // the origin's handshake was tried: its certificate is known, or not to be had
	requested  bool     // the origin has asked for a client certificate, and was told that there is none
	bare       bool     // it is told so though the operator has named the host
	shown      checkKey // the name for which the session is tunneled, and where it was shown to belong; zero: none
	patient    bool     // it is not waited for what it makes of that
	unbumpable bool     // the session is tunneled where the policy says bump
	denial     error    // why a session is terminated; nil: the decision says so
	content    Content  // of what is relayed

	halfOpen   bool        // it is counted among the sessions that are half open
	stopLookup func()      // ends a look-up of the server name; may be nil
	lookup     *certLookup // nil: the origin's certificate was not asked for

	clientTLS, originTLS *tls.Conn                // set once their handshakes are done
	renegotiation        *handshake.Renegotiation // of the origin leg; nil: there can be none
	originState          tls.ConnectionState      // of the origin's last handshake, as far as it came
	cached               *handshake.LegCache      // sessions of the origin leg, nil where it does not resume
	latest               *handshake.LatestSession // of an FTP session's origin leg; nil: nothing is resumed
	fullOrigin           bool                     // no session is to be resumed on the origin leg
	own                  []tls.Certificate        // the origin's, shown in place of a forged one
	shaken               time.Time                // when the client's handshake was done
	said                 uint64                   // octets that the client had sent before it

	services       []Service                   // stand between the legs
	outer          string                      // server name of the TLS session that this one goes on within
	beyond         string                      // host that the client has asked a proxy for last, within the session
	unread         atomic.Bool                 // TLS passes that was not recognised in time; the policy is to be asked
	negotiated     bool                        // TLS begins as a dialogue that was followed has it
	inspection     *requests                   // judges the requests in the cleartext; nil: nothing does
	overrule       *policy.Decision            // by which the session is to end, nil for none; the client's direction sets it
	control        atomic.Pointer[ftp.Control] // what an FTP session announces is read; nil: nothing
	closedSilently bool                        // the client closed soon after its handshake without sending data; set before the relay ends, read after it

	observer Observer // nil: nobody watches

	opened  bool        // the tap was asked for a stream
	stream  Stream      // nil until cleartext is at hand, or for good
	swapped Direction   // 1 if the legs' directions are the reverse of the session's, see swapLegs
	legs    relay.Relay // what both directions share

	mu       sync.Mutex // guards the rest against cancel
	client   *leg.Leg
	origin   *leg.Leg // nil until dialed
	canceled string   // the reason for which it is; "" if it is not
}

// dial opens the origin leg unless it is open.
func (s *session) dial(ctx context.Context) error {
	if s.origin != nil {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, s.engine.cfg.Origin.ConnectTimeout)
	defer stop()
	conn, err := s.connect(ctx)
	if err != nil {
		var f *failure
		if errors.As(err, &f) && s.in.Accepted && s.hello != nil {
			f.alert = handshake.AlertInternalError // a reset would contradict what it was told
		}
		return err
	}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok && (!s.account.Origin.IsValid() || s.account.Name != "" || s.account.Destination.IsValid()) {
		s.account.Origin = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	l := leg.New(conn)
	s.mu.Lock()
	s.origin = l
	canceled := s.canceled
	s.mu.Unlock()
	if canceled != "" {
		l.Abort()
		return fail(canceled, nil, 0)
	}
	return nil
}

// connect opens a connection to the origin, by way of another proxy if there is one.
func (s *session) connect(ctx context.Context) (net.Conn, error) {
	dial, failed := s.in.Dial, func(err error) error { return dialFailure(err) }
	if up := s.upstream(); up != nil {
		s.account.Upstream = up.Name
		dial, failed = up.Dial, upstreamFailure
	}
	start := time.Now()
	conn, err := dial(ctx)
	s.account.spend(StepDial, start)
	if err != nil {
		return nil, failed(err)
	}
	if s.in.Announce != nil {
		if err := s.in.Announce(conn); err != nil {
			conn.Close()
			return nil, failed(err)
		}
	}
	return conn, nil
}

// upstream returns the proxy by way of which the origin is reached, nil for none.
func (d *decision) upstream() *Upstream {
	if d.engine.cfg.Upstream == nil {
		return nil
	}
	return d.engine.cfg.Upstream(d.account)
}

// hangUp closes the origin leg, so that dial opens another.
func (s *session) hangUp() {
	s.mu.Lock()
	l := s.origin
	s.origin = nil
	s.mu.Unlock()
	if l != nil {
		l.Abort()
		l.Recycle()
	}
}

// cancel ends the session with the engine.
func (s *session) cancel() { s.abort(reasonShutdown) }

// abort resets both legs; every wait on them ends. The first reason stays.
func (s *session) abort(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.canceled = cmp.Or(s.canceled, reason)
	s.client.Abort()
	if s.origin != nil {
		s.origin.Abort()
	}
}

// giveUp closes the origin leg, on which a handshake was begun, so that another
// can be opened.
func (s *session) giveUp() {
	s.hangUp()
	s.originTLS, s.originState, s.lookup = nil, tls.ConnectionState{}, nil
	s.account.ALPN, s.account.Offer = "", OfferClient
}

// begun notes that the session has come to more than its beginning. One goroutine
// at a time.
func (s *session) begun() {
	if s.halfOpen {
		s.halfOpen = false
		s.engine.halfOpen.release(s.account.Client.Addr())
	}
}
