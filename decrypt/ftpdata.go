package decrypt

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/proto/ftp"
)

const (
	announcedFor     = time.Minute // servers and clients wait no longer for a data connection
	announcedEntries = 10_000
)

// announcedConn is a data connection that a bumped or plain FTP session has announced.
type announcedConn struct {
	session   string // identifier of the control session
	name      string // what the origin's certificate must be valid for
	decision  policy.Decision
	latest    *handshake.LatestSession // TLS session of the control session's origin leg, nil without TLS
	active    bool                     // the server connects to the client
	protected bool                     // it begins with TLS
	until     time.Time
}

// flowKey holds the addresses of a data connection: who connects, from any port, and
// to where.
type flowKey struct {
	from netip.Addr
	to   netip.AddrPort
}

// announcements holds data connections that were announced and not made. The zero
// value holds none. Safe for concurrent use.
type announcements struct {
	mu      sync.Mutex
	entries map[flowKey]*announcedConn
	swept   time.Time // when it was last looked through for old ones
}

// add announces a data connection. With too many announced it is forgotten, and is
// a session like any other.
func (x *announcements) add(e flowKey, d *announcedConn, now time.Time) {
	d.until = now.Add(announcedFor)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.entries == nil {
		x.entries = make(map[flowKey]*announcedConn)
	}
	if _, again := x.entries[e]; !again && len(x.entries) >= announcedEntries {
		if x.sweep(now); len(x.entries) >= announcedEntries {
			return
		}
	}
	x.entries[e] = d
}

// sweep forgets what was not made in time. It does so once a second at most, since
// it looks at all.
func (x *announcements) sweep(now time.Time) {
	if now.Sub(x.swept) < time.Second {
		return
	}
	x.swept = now
	for e, d := range x.entries {
		if now.After(d.until) {
			delete(x.entries, e)
		}
	}
}

// find returns what is expected of a session, nil for nothing. With take it is
// expected no longer.
func (x *announcements) find(in *Incoming, now time.Time, take bool) *announcedConn {
	e := flowKey{in.Client.Addr().Unmap(), netip.AddrPortFrom(in.Origin.Addr().Unmap(), in.Origin.Port())}
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.entries[e]
	if d == nil || now.After(d.until) {
		return nil
	}
	if take {
		delete(x.entries, e)
	}
	return d
}

// protocolData is the word for a data connection of FTP.
const protocolData = "ftp-data"

// watch begins to read the session's octets as those of an FTP control
// connection.
func (s *session) watch(secured bool) {
	s.control.CompareAndSwap(nil, ftp.NewControl(secured))
}

// announce looks for announcements of data connections in octets that are about to
// be relayed: their ends must not meet before they are expected here.
func (s *session) announce(c *ftp.Control, dir Direction, p []byte) {
	if s.account.Decision.Action != policy.Bump {
		return
	}
	read := c.Client
	if dir == OriginToClient {
		read = c.Origin
	}
	client, origin := s.account.Client.Addr().Unmap(), s.account.Origin.Addr().Unmap()
	for _, d := range read(p) {
		e := flowKey{client, netip.AddrPortFrom(origin, d.Port)}
		if d.Active {
			e = flowKey{origin, netip.AddrPortFrom(client, d.Port)}
		}
		// An address of somebody else is not listened to, nor a port of a service
		// (RFC 2577, Section 3): a server behind NAT may name its private address, a
		// hostile one anybody's.
		if d.Active && d.Address != client || d.Port < 1024 {
			continue
		}
		s.engine.announced.add(e, &announcedConn{
			session: s.account.ID, name: s.identity(), decision: s.account.Decision, latest: s.latest,
			active: d.Active, protected: d.Protected,
		}, time.Now())
	}
}

// announced finds out whether the session is a data connection that was announced.
// With take it is announced no longer.
func (d *decision) announced(take bool) bool {
	d.data = d.engine.announced.find(d.in, d.account.Start, take)
	if d.data == nil {
		return false
	}
	d.account.Related, d.account.Protocol = d.data.session, protocolData
	return true
}

// dialData dials the other end of a data connection at once: it may be waited for on
// the control connection before a word is said on this one. Without protection nothing
// in it is looked at, for a file may begin like anything.
func (s *session) dialData(ctx context.Context) (stage, error) {
	if err := s.dial(ctx); err != nil {
		return stageEnd, err
	}
	s.begun() // it was announced
	if s.data.active {
		s.swapLegs()
	}
	if s.data.protected {
		s.opening = opensDialogue
		return stageDecide, nil
	}
	s.content = Plain
	return stageRelay, nil
}

// swapLegs makes the leg that was dialed the client leg, and the one that came in the
// origin leg: who connects is the FTP server, and the TLS handshake begins at the
// other end. Taps and counters go on to see who connected as the client.
func (s *session) swapLegs() {
	s.mu.Lock()
	s.client, s.origin = s.origin, s.client
	s.mu.Unlock()
	s.swapped = 1
}

// sessionDir is a direction of the legs as taps and counters see it.
func (s *session) sessionDir(dir Direction) Direction { return dir ^ s.swapped }
