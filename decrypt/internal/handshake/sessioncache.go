package handshake

import (
	"crypto/tls"
	"net/netip"
	"sync"
	"time"

	"github.com/clearspan/clearspan/decrypt/memo"
)

const (
	cacheLifetime = time.Hour // from the handshake in which the origin showed its certificates
	cacheTickets  = 4         // of TLS 1.3 for each key, as each is used once
	cacheEntries  = 10_000
	cacheOctets   = 32 << 20 // of all, with the certificates as DER
	cacheOverhead = 1024     // octets of a ticket beside what is counted
	cacheShares   = 4        // clients that share it at least
)

// CacheKey is who may resume a session with whom. Sessions are never shared
// between clients (FDP_STIP_EXT.1), though they are the box's: an origin must not
// find out which of them stand behind it together, nor take two for one. The
// address keeps a client from having others offer their tickets elsewhere.
type CacheKey struct {
	Client         netip.Addr
	Origin         netip.AddrPort
	Name, Identity string
}

// OriginCache keeps the sessions that origins let be resumed. It is bounded by number
// and by estimated memory, and so is each client's part. The zero value is ready. Safe
// for concurrent use.
type OriginCache struct {
	mu      sync.Mutex
	entries memo.Memo[CacheKey, netip.Addr, cacheEntry] // cost: octets
}

// cacheEntry holds the sessions of a key: of one chain and one TLS version, so that an
// origin cannot have many chains kept.
type cacheEntry struct {
	proof    proof
	sessions []cachedSession // the newest last
}

// octets is an estimate of the memory that an entry takes.
func (c *cacheEntry) octets() int64 {
	n := c.proof.der
	for _, s := range c.sessions {
		n += s.octets
	}
	return int64(n)
}

// cachedSession is one session. It holds secrets.
type cachedSession struct {
	proof
	state  *tls.ClientSessionState
	octets int // without the chain
}

// proof is what is known of the handshake behind a session.
type proof struct {
	version uint16
	chain   string    // hash
	der     int       // octets of the chain
	staple  int       // octets that came with it
	until   time.Time // for how long it will do
}

// take returns a session, the newest. One of TLS 1.3 is taken away, so that no
// ticket is seen twice on the wire (RFC 8446, Appendix C.4).
func (o *OriginCache) take(now time.Time, k CacheKey) (cachedSession, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := o.entries.Find(k)
	if e == nil {
		return cachedSession{}, false
	}
	last := e.sessions[len(e.sessions)-1]
	if !now.Before(last.until) { // those before it are older
		o.entries.Remove(k)
		return cachedSession{}, false
	}
	o.entries.Touch(k)
	if last.version >= tls.VersionTLS13 {
		e.sessions[len(e.sessions)-1] = cachedSession{}
		e.sessions = e.sessions[:len(e.sessions)-1]
		if len(e.sessions) == 0 {
			o.entries.Remove(k)
		} else {
			o.entries.Charge(k, e.octets())
		}
	}
	return last, true
}

// add keeps a session, the newest of its key. Those of another version go.
func (o *OriginCache) add(k CacheKey, s cachedSession) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.octets+s.der > cacheOctets/100 {
		return
	}
	e := o.entries.Find(k)
	if e == nil {
		o.entries.Limits = memo.Limits{
			Entries: cacheEntries, Each: cacheEntries / cacheShares, Cost: cacheOctets, EachCost: cacheOctets / cacheShares,
		}
		o.entries.Put(k, memo.Client(k.Client), int64(s.octets+s.der), cacheEntry{s.proof, []cachedSession{s}})
		return
	}
	o.entries.Touch(k)
	if e.proof.version != s.version || e.proof.chain != s.chain {
		*e = cacheEntry{proof: s.proof}
	} else if len(e.sessions) == cacheTickets || s.version < tls.VersionTLS13 {
		e.sessions = append(e.sessions[:0], e.sessions[1:]...)
	}
	e.sessions = append(e.sessions, s)
	o.entries.Charge(k, e.octets())
}

// forget drops all sessions of k.
func (o *OriginCache) forget(k CacheKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.entries.Remove(k)
}

// LegCache is the [tls.ClientSessionCache] of one origin leg. It keeps nothing
// before the origin was judged. It is for one goroutine at a time. A nil LegCache
// neither offers nor keeps.
type LegCache struct {
	origins *OriginCache
	key     CacheKey
	full    bool // offers nothing
	logged  bool // the secrets of the leg are logged

	offered cachedSession           // zero if there was none
	early   *tls.ClientSessionState // came before the judgement
	kept    *proof                  // of the leg, once its origin was judged to be good
}

// Leg returns the sessions of an origin leg that is about to begin. Full has it offer
// none; logged says that the secrets of the leg are logged.
func (o *OriginCache) Leg(k CacheKey, full, logged bool) *LegCache {
	return &LegCache{origins: o, key: k, full: full, logged: logged}
}

// Used reports whether the origin was offered a session.
func (r *LegCache) Used() bool { return r != nil && r.offered.state != nil }

// Keep has r keep the sessions of a leg whose origin was judged to be good, by a chain
// of that hash. One that was resumed does for no longer than the one before it.
func (r *LegCache) Keep(now time.Time, chain string, state *tls.ConnectionState) {
	if r == nil {
		return
	}
	r.kept = &proof{version: state.Version, chain: chain, until: now.Add(cacheLifetime)}
	for _, c := range state.PeerCertificates {
		r.kept.der += len(c.Raw)
	}
	r.kept.staple = len(state.OCSPResponse)
	for _, t := range state.SignedCertificateTimestamps {
		r.kept.staple += len(t)
	}
	if state.DidResume {
		r.kept.until = r.offered.until
	}
	r.offered = cachedSession{}
	if r.early != nil {
		r.Put("", r.early)
		r.early = nil
	}
}

// Forget drops all sessions of the leg's key.
func (r *LegCache) Forget() { r.origins.forget(r.key) }

// Get implements [tls.ClientSessionCache].
func (r *LegCache) Get(string) (*tls.ClientSessionState, bool) {
	if r.full {
		return nil, false
	}
	s, ok := r.origins.take(time.Now(), r.key)
	if !ok || r.logged && s.version < tls.VersionTLS13 { // crypto/tls logs no secret of such a session
		return nil, false
	}
	r.offered = s
	return s.state, true
}

// Put implements [tls.ClientSessionCache].
func (r *LegCache) Put(_ string, state *tls.ClientSessionState) {
	switch {
	case state == nil:
		r.origins.forget(r.key)
	case r.kept == nil:
		r.early = state
	default:
		octets := cacheOverhead + r.kept.staple
		if ticket, _, err := state.ResumptionState(); err == nil {
			octets += len(ticket)
		}
		r.origins.add(r.key, cachedSession{*r.kept, state, octets})
	}
}

// LatestSession holds the latest TLS session of an origin leg, so that a data
// connection can resume that of its control connection, as servers may demand. It
// implements [tls.ClientSessionCache], whatever the key: the data connection's port
// is another.
type LatestSession struct {
	mu      sync.Mutex
	session *tls.ClientSessionState
}

// Get implements [tls.ClientSessionCache].
func (r *LatestSession) Get(string) (*tls.ClientSessionState, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session, r.session != nil
}

// Put implements [tls.ClientSessionCache].
func (r *LatestSession) Put(_ string, s *tls.ClientSessionState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session = s
}
