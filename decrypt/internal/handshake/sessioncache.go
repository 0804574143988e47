package handshake

import (
	"container/list"
	"crypto/tls"
	"net/netip"
	"sync"
	"time"
)

const (
	cacheLifetime = time.Hour // from the handshake in which the origin showed its certificates
	cacheTickets  = 4         // of TLS 1.3 for each key, as each is used once
	cacheEntries  = 10_000
	cacheOctets   = 32 << 20 // of all, with the certificates as DER
	cacheOverhead = 1024     // octets of a ticket beside what is counted
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

// origins keeps the sessions that origins let be resumed. It is bounded by number
// and by estimated memory; what was used longest ago goes first. The zero value is
// ready. Safe for concurrent use.
type OriginCache struct {
	mu      sync.Mutex
	entries map[CacheKey]*list.Element // of *cacheEntry
	order   list.List                  // the one used last in front
	octets  int
}

// cacheEntry holds the sessions of a key: of one chain and one TLS version, so that an
// origin cannot have many chains kept.
type cacheEntry struct {
	key      CacheKey
	proof    proof
	sessions []cachedSession // the newest last, never empty
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
	e, ok := o.entries[k]
	if !ok {
		return cachedSession{}, false
	}
	r := e.Value.(*cacheEntry)
	last := r.sessions[len(r.sessions)-1]
	if !now.Before(last.until) { // those before it are older
		o.remove(e)
		return cachedSession{}, false
	}
	o.order.MoveToFront(e)
	if last.version >= tls.VersionTLS13 {
		o.octets -= last.octets
		r.sessions[len(r.sessions)-1] = cachedSession{}
		r.sessions = r.sessions[:len(r.sessions)-1]
		if len(r.sessions) == 0 {
			o.remove(e)
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
	if o.entries == nil {
		o.entries = make(map[CacheKey]*list.Element)
	}
	e, ok := o.entries[k]
	if !ok {
		e = o.order.PushFront(&cacheEntry{key: k})
		o.entries[k] = e
	}
	o.order.MoveToFront(e)
	r := e.Value.(*cacheEntry)
	if len(r.sessions) == 0 || r.proof.version != s.version || r.proof.chain != s.chain {
		o.clear(r)
		r.proof = s.proof
		o.octets += s.der
	} else if len(r.sessions) == cacheTickets || s.version < tls.VersionTLS13 {
		o.octets -= r.sessions[0].octets
		r.sessions = append(r.sessions[:0], r.sessions[1:]...)
	}
	r.sessions = append(r.sessions, s)
	o.octets += s.octets
	for len(o.entries) > cacheEntries || o.octets > cacheOctets {
		o.remove(o.order.Back())
	}
}

// forget drops all sessions of k.
func (o *OriginCache) forget(k CacheKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e, ok := o.entries[k]; ok {
		o.remove(e)
	}
}

func (o *OriginCache) remove(e *list.Element) {
	r := o.order.Remove(e).(*cacheEntry)
	delete(o.entries, r.key)
	o.clear(r)
}

// clear drops the sessions of r, which stays to be filled or removed.
func (o *OriginCache) clear(r *cacheEntry) {
	o.octets -= r.proof.der
	for _, s := range r.sessions {
		o.octets -= s.octets
	}
	r.proof, r.sessions = proof{}, nil
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
