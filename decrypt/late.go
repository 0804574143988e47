package decrypt

import (
	"bytes"
	"crypto/tls"
	"errors"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/internal/relay"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/proto/http1"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// Late tells of TLS that began in a session behind octets in clear, or in TLS, without a
// dialogue that is followed: behind CONNECT, an Upgrade, or words that nobody knows.
type Late struct {
	Outer    string    // server name of the TLS session that it began within, "" for none
	Octets   [2]uint64 // by direction: that had passed before
	Connect  string    // host that the client had asked a proxy for within the session, "" for none
	Protocol string    // of those octets, "" when not known
}

// Begin implements [relay.Recorder]: a session in which the client goes on with a hello
// turns to TLS.
func (r legsRecorder) Begin(p []byte) (relay.Beginning, error) {
	if r.unread.Swap(false) {
		if d := r.askAgain(); d.Action == policy.Terminate {
			r.overrule = &d
			return relay.Beginning{}, fail(reasonPolicy, nil, 0)
		}
	}
	if r.content == Tunneled || r.opening == opensData || r.client.Depth() >= maxDepth {
		return relay.Beginning{N: len(p)}, nil
	}
	b := r.requests(p)
	if b.Hold == 0 {
		b = beginning(p)
	}
	switch {
	case b.Hold == 0:
	case len(p) > recordHeader && p[0] == recordHandshake:
		b.Hold = r.engine.cfg.Client.HandshakeTimeout
	default:
		b.Hold = r.engine.sniffTimeout()
	}
	return b, nil
}

// recordHeader is how many octets stand before the type of a handshake message.
const recordHeader = 5

// maxBefore is how many octets of a flight a hello is looked for behind, unless they are a
// request to a proxy: in what is longer a file may be.
const maxBefore = 4 << 10

// beginning tells whether a flight is a hello, or ends with one. Where more octets would
// tell, Hold is not zero.
func beginning(p []byte) relay.Beginning {
	most := maxBefore
	if bytes.HasPrefix(p, connectRequest) {
		most = http1.MaxHead
	}
	switch at, err := clienthello.InFlight(p, most); {
	case err == clienthello.ErrShort:
		return relay.Beginning{Hold: 1}
	case err != nil:
		return relay.Beginning{N: len(p)}
	default:
		return relay.Beginning{N: at, Turn: at == 0}
	}
}

// requests looks for a request to a proxy, to go on to somebody else. Where more octets
// would tell, Hold is not zero.
func (s *session) requests(p []byte) (b relay.Beginning) {
	switch {
	case s.account.Protocol == sniff.SOCKS.String():
		if name := socksHost(p); name != "" {
			s.beyond = name
		}
	case bytes.HasPrefix(p, connectRequest):
		host, more := http1.FindHost(p)
		if more && host.Doubt == http1.HostCut && len(p) < http1.MaxStart {
			b.Hold = 1
		}
		s.beyond = string(host.Name)
	}
	return b
}

var connectRequest = []byte("CONNECT ")

// socksHost returns the name in a request of SOCKS5 (RFC 1928, Section 4), "" if there is
// none.
func socksHost(p []byte) string {
	const domain = 3
	if len(p) < 5 || p[0] != 5 || p[2] != 0 || p[3] != domain || len(p) < 5+int(p[4]) {
		return ""
	}
	return string(p[5 : 5+int(p[4])])
}

// turn has a session go on with TLS whose client has said a hello. What the origin said
// before still is in clear.
func (s *session) turn() (stage, error) {
	rest := s.legs.Resume()
	for _, l := range []*leg.Leg{s.client, s.origin} {
		l.Poked()
		l.SetDeadline(time.Time{})
	}
	var err error
	if err = s.settleLegs(); err == nil && s.content == Decrypted {
		s.layer(rest)
	} else if err == nil {
		err = s.flushOrigin()
	}
	s.services = nil
	s.ignore()
	if c := s.control.Load(); c != nil {
		c.Secured()
	}
	return stageHello, err
}

// maxDepth is how many TLS connections are opened within each other.
const maxDepth = 3

// layer has the session go on within its two TLS connections, of which the client's has
// read the octets in rest. What is known of them gives way to what is within.
func (s *session) layer(rest []byte) {
	s.mu.Lock()
	s.client, s.origin = leg.NewWithin(s.clientTLS, s.client, rest), leg.NewWithin(s.originTLS, s.origin, nil)
	s.mu.Unlock()
	if s.stopLookup != nil {
		s.stopLookup()
		s.stopLookup = nil
	}
	s.outer = s.account.SNI
	s.clientTLS, s.originTLS, s.originState, s.renegotiation = nil, nil, tls.ConnectionState{}, nil
	s.cached, s.latest, s.lookup, s.own = nil, nil, nil, nil
	s.met, s.unbumpable = false, false
	a := s.account
	a.ALPN, a.Offer, a.ForgedSerial, a.Untrusted = "", OfferClient, "", false
	a.ClientTLS, a.OriginTLS = LegTLS{}, LegTLS{}
}

// settleLegs has the legs wait again where they are read, and write at once.
func (s *session) settleLegs() error {
	for _, l := range []*leg.Leg{s.client, s.origin} {
		if err := l.Settle(); err != nil {
			return s.relayFailure(err)
		}
	}
	return nil
}

// flushOrigin passes what the origin has said.
func (s *session) flushOrigin() error {
	for range 16 {
		p := s.origin.Unread()
		if len(p) == 0 {
			if s.origin.Fill(false) != nil { // its end is met again in the handshake
				return nil
			}
			continue
		}
		if err := s.legs.Record(OriginToClient, len(p), func(first bool) { s.show(OriginToClient, s.content, p, first) }); err != nil {
			return err
		}
		if err := s.client.Send(p); err != nil {
			return s.relayFailure(s.legs.Undeliverable(OriginToClient, s.origin, err))
		}
		s.origin.Consume(len(p))
	}
	return fail(reasonMalformed, errTalks, 0)
}

var errTalks = errors.New("origin goes on in clear behind the hello")

// begins notes that TLS has begun late, if it has: behind octets, and not by a dialogue
// that was followed.
func (s *session) begins() {
	a, negotiated := s.account, s.negotiated
	s.negotiated = false
	if !s.upgraded() || s.data != nil || negotiated {
		return
	}
	a.note(policy.LateTLS)
	a.Late = &Late{Octets: [2]uint64{a.Octets(ClientToOrigin), a.Octets(OriginToClient)}, Connect: s.beyond, Outer: s.outer, Protocol: a.Protocol}
	switch a.Protocol {
	case sniff.HTTP.String(), sniff.SOCKS.String():
		a.Protocol = sniff.TLS.String()
	}
	if s.beyond != "" {
		a.Host, s.doubt = s.beyond, false
	}
}

// typeServerHello is that of a handshake message (RFC 8446, Section 4).
const typeServerHello = 2

// passesUnread notes TLS of which only the origin's answer is recognised. The policy is
// asked when the client goes on.
func (s *session) passesUnread(p []byte) {
	if len(p) > recordHeader && p[0] == recordHandshake && p[1] == 3 && p[recordHeader] == typeServerHello && !s.account.Events().Has(policy.LateTLS) {
		s.account.note(policy.LateTLS)
		s.unread.Store(true)
	}
}
