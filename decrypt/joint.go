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

	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/proto/ftp"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// joint holds the two legs of one session while the engine carries it.
type joint struct {
	e      *Engine
	s      *Session
	in     *Incoming
	client *leg
	asked  *policy.Facts // what the policy was last asked
	waits  bool          // it is counted among those that are pending
	mute   bool          // nobody has said anything, which is not to last
	hushed bool          // the client closed within 2 s without sending data; set before the relay ends, read after it
	opened bool          // the tap was asked for a stream
	stream Stream        // nil until cleartext is at hand, or for good

	own []tls.Certificate // the origin's, shown in place of a forged one; set with the client's handshake

	clientTLS, originTLS *tls.Conn           // set once their handshakes are done
	originState          tls.ConnectionState // of the origin's last handshake, as far as it came

	inquiry    *inquiry  // nil: the origin's certificate was not asked for
	hidden     echKey    // of a hello that hides another, or pretends to
	inside     *inside   // nil: nothing is looked for in the cleartext
	stopLookup func()    // may be nil
	shaken     time.Time // when that of the client was
	said       uint64    // octets that the client had sent before, in a dialogue that led to TLS

	control    atomic.Pointer[ftp.Control] // what an FTP session announces is read; nil: nothing
	parent     *expected                   // the session is a data connection of FTP; nil: it is not
	resumable  *resumable                  // of the origin leg; nil: nothing is resumed
	turned     Direction                   // 1 if the legs' directions are the reverse of the session's, see turn
	recall     *recall                     // sessions of the origin leg, nil where it does not resume
	fullOrigin bool                        // no session is to be resumed on the origin leg

	mu       sync.Mutex
	origin   *leg // nil until dialed
	canceled bool

	outcome
	account  [2]sync.Mutex // by direction: what is relayed is counted and shown to the tap; both to fail
	progress atomic.Int64  // octets relayed in both directions, to tell idle from one-way
}

// carry takes the session from its first octet to its end.
func (j *joint) carry(ctx context.Context) error {
	if limit := j.e.cfg.Pending; limit > 0 {
		if !j.e.pending.take(j.s.Client.Addr(), limit) {
			return fail(reasonPending, nil, 0)
		}
		j.waits = true
	}
	if j.expect(true); j.parent != nil {
		return j.data(ctx)
	}
	j.client.SetReadDeadline(time.Now().Add(j.e.cfg.Silence))
	err := j.client.await()
	j.client.SetReadDeadline(time.Time{})
	switch {
	case err == nil:
		return j.begin(ctx)
	case isTimeout(err):
		// The client has spoken if it is we who are late.
		if err = j.client.fill(false); err == nil {
			return j.begin(ctx)
		}
		if err == errAgain {
			return j.silent(ctx)
		}
	}
	return helloFailure(err)
}

// begin takes a session whose client has spoken first.
func (j *joint) begin(ctx context.Context) error {
	switch proto := j.sniff(j.client, sniff.Client, crumbs*j.e.cfg.Silence); proto {
	case sniff.TLS:
		return j.secure(ctx)
	case sniff.Unknown, sniff.SMTP, sniff.IMAP, sniff.POP3, sniff.FTP, sniff.LDAP, sniff.XMPP, sniff.PostgreSQL:
		// A dialogue that may turn to TLS, whoever began it.
		j.s.Protocol = proto.String()
		return j.converse(ctx)
	default:
		j.s.Protocol = proto.String()
		return j.clientFirst(ctx, proto)
	}
}

// begun notes that the session has come to more than its beginning. One goroutine
// at a time.
func (j *joint) begun() {
	if j.waits {
		j.waits = false
		j.e.pending.release(j.s.Client.Addr())
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
func (j *joint) sniff(l *leg, tell func([]byte) (sniff.Protocol, bool), wait time.Duration) sniff.Protocol {
	l.SetReadDeadline(time.Now().Add(wait))
	defer l.SetReadDeadline(time.Time{})
	for {
		p, more := tell(l.unread())
		if !more {
			return p
		}
		err := l.fill(true)
		if isTimeout(err) { // what has come in time counts, if it is we who are late
			l.SetReadDeadline(time.Time{})
			err = l.fill(false)
			l.SetReadDeadline(time.Unix(1, 0))
		}
		if err != nil { // an end is met again by who reads next
			if l == j.client && l.unread()[0] == recordHandshake {
				return sniff.TLS
			}
			return p
		}
	}
}

// facts gathers what the policy may ask for.
func (j *joint) facts() *policy.Facts {
	s := j.s
	host := s.Name
	if s.Host != "" {
		host = s.Host
	}
	return &policy.Facts{
		Intake:   s.Intake,
		Client:   s.Client,
		Origin:   s.Origin,
		Protocol: s.Protocol,
		Host:     host,
		SNI:      s.SNI,
		Time:     time.Now(),
		Events:   s.Events(),
	}
}

// decide asks the policy and notes its answer. A data connection that no rule is for
// is treated as its control session is. What was learned may have a session
// tunneled that the policy would bump, and changes no other answer.
func (j *joint) decide(f *policy.Facts) policy.Action {
	d := j.e.cfg.Policy.Decide(f)
	if j.parent != nil && d.Rule == policy.Default {
		d = j.parent.decision
	} else if would := d.Would; f.TLS && !d.Pending { // it is asked again
		action := &d.Action
		if d.Monitored {
			action = &would
		}
		if *action == policy.Bump {
			if lesson := j.e.cfg.Learner.Recall(f, d.Treatment); lesson != "" {
				*action, d.Learned = policy.Tunnel, string(lesson)
			}
		}
		d.Would = would
	}
	j.s.Decision, j.asked = d, f
	return d.Action
}

// dial opens the origin leg unless it is open.
func (j *joint) dial(ctx context.Context) error {
	if j.origin != nil {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, j.e.cfg.ConnectTimeout)
	defer stop()
	conn, err := j.in.Dial(ctx)
	if err != nil {
		return dialFailure(err)
	}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok && (!j.s.Origin.IsValid() || j.s.Name != "" || j.s.Destination.IsValid()) {
		j.s.Origin = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	l := newLeg(conn)
	j.mu.Lock()
	j.origin = l
	canceled := j.canceled
	j.mu.Unlock()
	if canceled {
		l.abort()
		return fail(reasonShutdown, nil, 0)
	}
	return nil
}

// hangUp closes the origin leg, so that dial opens another.
func (j *joint) hangUp() {
	j.mu.Lock()
	l := j.origin
	j.origin = nil
	j.mu.Unlock()
	if l != nil {
		l.abort()
		l.recycle()
	}
}

// cancel resets both legs; every wait on them ends.
func (j *joint) cancel() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.canceled = true
	j.client.abort()
	if j.origin != nil {
		j.origin.abort()
	}
}

// open starts the session's stream if there is a tap.
func (j *joint) open() {
	if !j.opened && j.e.cfg.Tap != nil {
		j.opened = true
		j.stream = j.e.cfg.Tap.Open(j.s)
		if greeting := j.in.Greeting; len(greeting) > 0 {
			_ = j.relayed(j.seen(OriginToClient), Plain, greeting) // nothing has failed before the first octet
		}
	}
}

// finish notes how the session ended and closes what is open.
func (j *joint) finish(err error) {
	j.begun()
	var f *failure
	var p *Panic
	switch {
	case err == nil:
	case errors.As(err, &f):
		j.s.Reason, j.s.Err = f.reason, f.err
		if f.alert != 0 {
			j.client.SetWriteDeadline(time.Now().Add(time.Second))
			j.client.conn.Write(f.alert.record()) // the leg is closed next, whatever comes of it
		}
	case errors.As(err, &p):
		j.s.Reason, j.s.Err = reasonPanic, err
	default:
		j.s.Reason, j.s.Err = reasonMalformed, err
	}
	j.mu.Lock()
	if j.canceled {
		j.s.Reason, j.s.Err = reasonShutdown, nil
	}
	origin := j.origin
	j.mu.Unlock()

	if j.stream != nil {
		if err != nil {
			j.stream.End(ClientToOrigin, Reset)
		}
		j.stream.Close()
	}
	if err == nil || f != nil && (f.alert != 0 || f.told) {
		j.client.close()
	} else {
		j.client.abort()
	}
	j.client.recycle()
	if origin != nil {
		if err == nil {
			origin.close()
		} else {
			origin.abort()
		}
		origin.recycle()
	}
}
