package decrypt

import (
	"crypto/tls"
	"net/netip"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

const (
	expectedFor     = time.Minute // servers and clients wait no longer for a data connection
	expectedEntries = 10_000
)

// expected is a data connection that a bumped or plain FTP session has announced.
type expected struct {
	session   string // identifier of the control session
	name      string // what the origin's certificate must be valid for
	decision  policy.Decision
	resumable *resumable // TLS session of the control session's origin leg, nil without TLS
	active    bool       // the server connects to the client
	protected bool       // it begins with TLS
	until     time.Time
}

// ends are the addresses of a data connection: who connects, from any port, and to
// where.
type ends struct {
	from netip.Addr
	to   netip.AddrPort
}

// expectations holds data connections that were announced and not made. The zero
// value holds none. Safe for concurrent use.
type expectations struct {
	mu      sync.Mutex
	entries map[ends]*expected
	swept   time.Time // when it was last looked through for old ones
}

// add announces a data connection. With too many announced it is forgotten, and is
// a session like any other.
func (x *expectations) add(e ends, d *expected, now time.Time) {
	d.until = now.Add(expectedFor)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.entries == nil {
		x.entries = make(map[ends]*expected)
	}
	if _, again := x.entries[e]; !again && len(x.entries) >= expectedEntries {
		if x.sweep(now); len(x.entries) >= expectedEntries {
			return
		}
	}
	x.entries[e] = d
}

// sweep forgets what was not made in time. It does so once a second at most, since
// it looks at all.
func (x *expectations) sweep(now time.Time) {
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
func (x *expectations) find(in *Incoming, now time.Time, take bool) *expected {
	e := ends{in.Client.Addr().Unmap(), netip.AddrPortFrom(in.Origin.Addr().Unmap(), in.Origin.Port())}
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

// resumable holds the latest TLS session of an origin leg, so that a data
// connection can resume that of its control connection, as servers may demand. It
// implements [tls.ClientSessionCache], whatever the key: the data connection's port
// is another.
type resumable struct {
	mu      sync.Mutex
	session *tls.ClientSessionState
}

func (r *resumable) Get(string) (*tls.ClientSessionState, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session, r.session != nil
}

func (r *resumable) Put(_ string, s *tls.ClientSessionState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session = s
}
