package decrypt

import (
	"container/list"
	"crypto/tls"
	"net/netip"
	"sync"
	"time"
)

const (
	recallLifetime = time.Hour // from the handshake in which the origin showed its certificates
	recallTickets  = 4         // of TLS 1.3 for each key, as each is used once
	recallEntries  = 10_000
	recallOctets   = 32 << 20 // of all, with the certificates as DER
	recallOverhead = 1024     // octets of a ticket beside what is counted
)

// recallKey is who may resume a session with whom. Sessions are never shared
// between clients (FDP_STIP_EXT.1), though they are the box's: an origin must not
// find out which of them stand behind it together, nor take two for one. The
// address keeps a client from having others offer their tickets elsewhere.
type recallKey struct {
	client         netip.Addr
	origin         netip.AddrPort
	name, identity string
}

// origins keeps the sessions that origins let be resumed. It is bounded by number
// and by estimated memory; what was used longest ago goes first. The zero value is
// ready. Safe for concurrent use.
type origins struct {
	mu      sync.Mutex
	entries map[recallKey]*list.Element // of *recalled
	order   list.List                   // the one used last in front
	octets  int
}

// recalled are the sessions of a key: of one chain and one TLS version, so that an
// origin cannot have many chains kept.
type recalled struct {
	key      recallKey
	proof    proof
	sessions []remembered // the newest last, never empty
}

// remembered is one session. It holds secrets.
type remembered struct {
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
func (o *origins) take(now time.Time, k recallKey) (remembered, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e, ok := o.entries[k]
	if !ok {
		return remembered{}, false
	}
	r := e.Value.(*recalled)
	last := r.sessions[len(r.sessions)-1]
	if !now.Before(last.until) { // those before it are older
		o.remove(e)
		return remembered{}, false
	}
	o.order.MoveToFront(e)
	if last.version >= tls.VersionTLS13 {
		o.octets -= last.octets
		r.sessions[len(r.sessions)-1] = remembered{}
		r.sessions = r.sessions[:len(r.sessions)-1]
		if len(r.sessions) == 0 {
			o.remove(e)
		}
	}
	return last, true
}

// add keeps a session, the newest of its key. Those of another version go.
func (o *origins) add(k recallKey, s remembered) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.octets+s.der > recallOctets/100 {
		return
	}
	if o.entries == nil {
		o.entries = make(map[recallKey]*list.Element)
	}
	e, ok := o.entries[k]
	if !ok {
		e = o.order.PushFront(&recalled{key: k})
		o.entries[k] = e
	}
	o.order.MoveToFront(e)
	r := e.Value.(*recalled)
	if len(r.sessions) == 0 || r.proof.version != s.version || r.proof.chain != s.chain {
		o.clear(r)
		r.proof = s.proof
		o.octets += s.der
	} else if len(r.sessions) == recallTickets || s.version < tls.VersionTLS13 {
		o.octets -= r.sessions[0].octets
		r.sessions = append(r.sessions[:0], r.sessions[1:]...)
	}
	r.sessions = append(r.sessions, s)
	o.octets += s.octets
	for len(o.entries) > recallEntries || o.octets > recallOctets {
		o.remove(o.order.Back())
	}
}

// forget drops all sessions of k.
func (o *origins) forget(k recallKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e, ok := o.entries[k]; ok {
		o.remove(e)
	}
}

func (o *origins) remove(e *list.Element) {
	r := o.order.Remove(e).(*recalled)
	delete(o.entries, r.key)
	o.clear(r)
}

// clear drops the sessions of r, which stays to be filled or removed.
func (o *origins) clear(r *recalled) {
	o.octets -= r.proof.der
	for _, s := range r.sessions {
		o.octets -= s.octets
	}
	r.proof, r.sessions = proof{}, nil
}

// recall is the [tls.ClientSessionCache] of one origin leg. It keeps nothing
// before the origin was judged. It is for one goroutine at a time. A nil recall
// neither offers nor keeps.
type recall struct {
	origins *origins
	key     recallKey
	full    bool // offers nothing
	logged  bool // the secrets of the leg are logged

	offered remembered              // zero if there was none
	early   *tls.ClientSessionState // came before the judgement
	kept    *proof                  // of the leg, once its origin was judged to be good
}

// recallOrigin returns the sessions of the origin leg that is about to begin, whose
// secrets are logged or not. After STARTTLS there are none: such a dialogue cannot be started over if a
// ticket leads nowhere.
func (s *session) recallOrigin(logged bool) tls.ClientSessionCache {
	s.recall = nil
	if s.engine.cfg.FullOriginHandshakes || s.upgraded() || !s.account.Client.IsValid() {
		return nil
	}
	s.recall = &recall{
		origins: &s.engine.origins,
		key:     recallKey{s.account.Client.Addr().Unmap(), s.account.Origin, s.serverName(), s.identity()},
		full:    s.fullOrigin,
		logged:  logged,
	}
	return s.recall
}

// used reports whether the origin was offered a session.
func (r *recall) used() bool { return r != nil && r.offered.state != nil }

// keep has r keep the sessions of a leg whose origin was judged to be good. One
// that was resumed does for no longer than the one before it.
func (r *recall) keep(now time.Time, leg *LegTLS, state *tls.ConnectionState) {
	if r == nil {
		return
	}
	r.kept = &proof{version: leg.Version, chain: leg.ChainSHA256, until: now.Add(recallLifetime)}
	for _, c := range state.PeerCertificates {
		r.kept.der += len(c.Raw)
	}
	r.kept.staple = len(state.OCSPResponse)
	for _, t := range state.SignedCertificateTimestamps {
		r.kept.staple += len(t)
	}
	if leg.Resumed {
		r.kept.until = r.offered.until
	}
	r.offered = remembered{}
	if r.early != nil {
		r.Put("", r.early)
		r.early = nil
	}
}

// Get implements [tls.ClientSessionCache].
func (r *recall) Get(string) (*tls.ClientSessionState, bool) {
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
func (r *recall) Put(_ string, state *tls.ClientSessionState) {
	switch {
	case state == nil:
		r.origins.forget(r.key)
	case r.kept == nil:
		r.early = state
	default:
		octets := recallOverhead + r.kept.staple
		if ticket, _, err := state.ResumptionState(); err == nil {
			octets += len(ticket)
		}
		r.origins.add(r.key, remembered{*r.kept, state, octets})
	}
}
