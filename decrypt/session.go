package decrypt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/proto/ftp"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// session is a connection that the engine carries, while it runs. Not to be confused
// with its account, the [Session] that the policy, taps and services see.
type session struct {
	decision // its facts, and what the policy says

	client *leg.Leg
	waits  bool   // it is counted among those that are pending
	mute   bool   // nobody has said anything, which is not to last
	hushed bool   // the client closed within 2 s without sending data; set before the relay ends, read after it
	opened bool   // the tap was asked for a stream
	stream Stream // nil until cleartext is at hand, or for good

	own []tls.Certificate // the origin's, shown in place of a forged one; set with the client's handshake

	clientTLS, originTLS *tls.Conn           // set once their handshakes are done
	originState          tls.ConnectionState // of the origin's last handshake, as far as it came

	inquiry    *inquiry  // nil: the origin's certificate was not asked for
	inside     *inside   // nil: nothing is looked for in the cleartext
	stopLookup func()    // may be nil
	shaken     time.Time // when that of the client was
	said       uint64    // octets that the client had sent before, in a dialogue that led to TLS

	control    atomic.Pointer[ftp.Control] // what an FTP session announces is read; nil: nothing
	latest     *latestSession              // of the origin leg; nil: nothing is resumed
	swapped    Direction                   // 1 if the legs' directions are the reverse of the session's, see swapLegs
	recall     *recall                     // sessions of the origin leg, nil where it does not resume
	fullOrigin bool                        // no session is to be resumed on the origin leg

	mu       sync.Mutex
	origin   *leg.Leg // nil until dialed
	canceled bool

	outcome
	order    [2]sync.Mutex // by direction: what is relayed is counted and shown to the tap; both to fail
	progress atomic.Int64  // octets relayed in both directions, to tell idle from one-way
}

// carry takes the session from its first octet to its end.
func (s *session) carry(ctx context.Context) error {
	if limit := s.engine.cfg.Pending; limit > 0 {
		if !s.engine.pending.take(s.account.Client.Addr(), limit) {
			return fail(reasonPending, nil, 0)
		}
		s.waits = true
	}
	if s.announced(true) {
		return s.carryData(ctx)
	}
	s.client.SetReadDeadline(time.Now().Add(s.engine.cfg.Silence))
	err := s.client.Await()
	s.client.SetReadDeadline(time.Time{})
	switch {
	case err == nil:
		return s.begin(ctx)
	case leg.IsTimeout(err):
		// The client has spoken if it is we who are late.
		if err = s.client.Fill(false); err == nil {
			return s.begin(ctx)
		}
		if err == leg.ErrAgain {
			return s.silent(ctx)
		}
	}
	return helloFailure(err)
}

// begin takes a session whose client has spoken first.
func (s *session) begin(ctx context.Context) error {
	switch proto := s.sniff(s.client, sniff.Client, crumbs*s.engine.cfg.Silence); proto {
	case sniff.TLS:
		return s.secure(ctx)
	case sniff.Unknown, sniff.SMTP, sniff.IMAP, sniff.POP3, sniff.FTP, sniff.LDAP, sniff.XMPP, sniff.PostgreSQL:
		// A dialogue that may turn to TLS, whoever began it.
		s.account.Protocol = proto.String()
		return s.converse(ctx)
	default:
		s.account.Protocol = proto.String()
		return s.clientFirst(ctx, proto)
	}
}

// begun notes that the session has come to more than its beginning. One goroutine
// at a time.
func (s *session) begun() {
	if s.waits {
		s.waits = false
		s.engine.pending.release(s.account.Client.Addr())
	}
}

// Types of records (RFC 8446, Section 5.1).
const (
	recordAlert     = 21
	recordHandshake = 22 // of a hello
)

// crumbs times Silence is how long a client may take over octets that do not
// tell its protocol: a host rule is not evaded by sending slowly, and a protocol
// nobody knows does not wait for long.
const crumbs = 5

// sniff tells the protocol of a leg's unread octets, reading more for at most
// that long where they do not decide. A client that has sent no more than the
// first octet of a hello is taken for one of TLS: in crumbs, a hello must not pass
// unopened.
func (s *session) sniff(l *leg.Leg, tell func([]byte) (sniff.Protocol, bool), wait time.Duration) sniff.Protocol {
	l.SetReadDeadline(time.Now().Add(wait))
	defer l.SetReadDeadline(time.Time{})
	for {
		p, more := tell(l.Unread())
		if !more {
			return p
		}
		err := l.Fill(true)
		if leg.IsTimeout(err) { // what has come in time counts, if it is we who are late
			l.SetReadDeadline(time.Time{})
			err = l.Fill(false)
			l.SetReadDeadline(time.Unix(1, 0))
		}
		if err != nil { // an end is met again by who reads next
			if l == s.client && l.Unread()[0] == recordHandshake {
				return sniff.TLS
			}
			return p
		}
	}
}

// dial opens the origin leg unless it is open.
func (s *session) dial(ctx context.Context) error {
	if s.origin != nil {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, s.engine.cfg.ConnectTimeout)
	defer stop()
	conn, err := s.in.Dial(ctx)
	if err != nil {
		return dialFailure(err)
	}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok && (!s.account.Origin.IsValid() || s.account.Name != "" || s.account.Destination.IsValid()) {
		s.account.Origin = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	l := leg.New(conn)
	s.mu.Lock()
	s.origin = l
	canceled := s.canceled
	s.mu.Unlock()
	if canceled {
		l.Abort()
		return fail(reasonShutdown, nil, 0)
	}
	return nil
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

// cancel resets both legs; every wait on them ends.
func (s *session) cancel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.canceled = true
	s.client.Abort()
	if s.origin != nil {
		s.origin.Abort()
	}
}

// open starts the session's stream if there is a tap.
func (s *session) open() {
	if !s.opened && s.engine.cfg.Tap != nil {
		s.opened = true
		s.stream = s.engine.cfg.Tap.Open(s.account)
		if greeting := s.in.Greeting; len(greeting) > 0 {
			_ = s.relayed(s.sessionDir(OriginToClient), Plain, greeting) // nothing has failed before the first octet
		}
	}
}

// finish notes how the session ended and closes what is open.
func (s *session) finish(err error) {
	s.begun()
	var f *failure
	var p *Panic
	switch {
	case err == nil:
	case errors.As(err, &f):
		s.account.Reason, s.account.Err = f.reason, f.err
		if f.alert != 0 {
			s.client.SetWriteDeadline(time.Now().Add(time.Second))
			s.client.Conn().Write(f.alert.record()) // the leg is closed next, whatever comes of it
		}
	case errors.As(err, &p):
		s.account.Reason, s.account.Err = reasonPanic, err
	default:
		s.account.Reason, s.account.Err = reasonMalformed, err
	}
	s.mu.Lock()
	if s.canceled {
		s.account.Reason, s.account.Err = reasonShutdown, nil
	}
	origin := s.origin
	s.mu.Unlock()

	if s.stream != nil {
		if err != nil {
			s.stream.End(ClientToOrigin, Reset)
		}
		s.stream.Close()
	}
	if err == nil || f != nil && (f.alert != 0 || f.told) {
		s.client.Finish()
	} else {
		s.client.Abort()
	}
	s.client.Recycle()
	if origin != nil {
		if err == nil {
			origin.Finish()
		} else {
			origin.Abort()
		}
		origin.Recycle()
	}
}
