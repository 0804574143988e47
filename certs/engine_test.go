// Handshakes are many here, and about certificates. A post-quantum key exchange would
// take a third of their time with the race detector.
//
//go:debug tlsmlkem=0
package certs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/tempo"
)

// bumpAll is a policy.
type bumpAll struct{}

func (bumpAll) Decide(*policy.Facts) policy.Decision {
	return policy.Decision{Rule: "test", Action: policy.Bump}
}

// inquiring is a policy that wants to see the origin's certificate, and decides
// then.
type inquiring struct{ then policy.Action }

func (q inquiring) Decide(f *policy.Facts) policy.Decision {
	if f.Certificate == nil {
		return policy.Decision{Rule: "test", Action: policy.Bump, Pending: true}
	}
	return policy.Decision{Rule: "test", Action: q.then}
}

// way is how an engine treats an origin that is not trusted.
type way struct {
	response decrypt.Response
	page     bool           // the client is shown a page by HTTPS instead of an alert
	policy   decrypt.Policy // nil: bumpAll
}

// responses are what an engine may do with an origin that is not trusted, and the
// detours on which it may come there.
var responses = map[string]way{
	"block":               {response: decrypt.Block},
	"untrusted":           {response: decrypt.Untrusted},
	"tunnel":              {response: decrypt.PassOn},
	"page":                {response: decrypt.Block, page: true},
	"inquired, page":      {response: decrypt.Block, page: true, policy: inquiring{policy.Bump}},
	"inquired, untrusted": {response: decrypt.Untrusted, policy: inquiring{policy.Bump}},
}

// waysOf returns the ways in which row n of a table is met: one, in turn, so that the
// rows together take each of them; all in a thorough run.
func waysOf(n int) map[string]way {
	if tempo.Thorough() {
		return responses
	}
	names := slices.Sorted(maps.Keys(responses))
	name := names[n%len(names)]
	return map[string]way{name: responses[name]}
}

// meeting is what a client saw of an origin through the engine.
type meeting struct {
	shown   [][]byte // the chain shown to the client, nil if there was none
	resumed bool     // the client was shown a ticket's session instead
	session *decrypt.Session
}

// arrangement is an engine between one client and one origin.
type arrangement struct {
	testing.TB
	engine        *decrypt.Engine
	origin, front net.Listener
	serves        atomic.Pointer[tls.Config] // what the origin serves
	ended         *decrypt.Session           // the one that ended last
}

// arrange returns an arrangement, to be closed. How an origin that is not trusted
// is met, how says; one that holds a certificate of our own authority is blocked,
// as the configuration has it.
func arrange(t testing.TB, judge *Judge, forger *Forger, how way) *arrangement {
	t.Helper()
	a := &arrangement{TB: t, origin: listen(t), front: listen(t)}
	go accept(a.origin, func(conn net.Conn) {
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		server := tls.Server(conn, a.serves.Load())
		if server.Handshake() == nil {
			io.Copy(io.Discard, server)
		}
	})
	cfg := decrypt.Config{
		Policy: bumpAll{}, Forger: forger, Verifier: judge,
		HandshakeReason: func(err error) string { return string(ReasonOf(err)) },
		Origin: decrypt.OriginOptions{OnInvalid: decrypt.OnInvalid{
			Default: how.response, ByReason: map[string]decrypt.Response{string(OwnAuthority): decrypt.Block},
		}},
		Ended: func(s *decrypt.Session, _ decrypt.Stream) { a.ended = s },
	}
	if how.policy != nil {
		cfg.Policy = how.policy
	}
	if how.page {
		cfg.Refusal = decrypt.Refusal{
			RefusalOptions: decrypt.RefusalOptions{HTTPS: true},
			Page:           func(_ *decrypt.Session, conn net.Conn) { io.WriteString(conn, "refused") },
		}
	}
	var err error
	if a.engine, err = decrypt.New(cfg); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *arrangement) close() {
	a.origin.Close()
	a.front.Close()
}

// meet has a client ask for host while the origin serves as cfg says. client may
// be nil; certificates are recorded, not verified.
func (a *arrangement) meet(cfg *tls.Config, host string, client *tls.Config) (m meeting) {
	a.Helper()
	ctx, cancel := context.WithTimeout(a.Context(), 30*time.Second)
	defer cancel()
	a.serves.Store(cfg)
	ours, err := net.Dial("tcp", a.front.Addr().String())
	if err != nil {
		a.Fatal(err)
	}
	theirs, err := a.front.Accept()
	if err != nil {
		a.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		a.engine.Serve(ctx, &decrypt.Incoming{
			Conn: theirs, Client: netip.MustParseAddrPort("192.0.2.1:1"), Name: host,
			Origin: netip.MustParseAddrPort(a.origin.Addr().String()),
			Dial: func(ctx context.Context) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", a.origin.Addr().String())
			},
		})
	}()
	ours.SetDeadline(time.Now().Add(20 * time.Second))
	if client == nil {
		client = new(tls.Config)
	}
	client = client.Clone()
	client.ServerName, client.InsecureSkipVerify, client.NextProtos = host, true, []string{"http/1.1"}
	client.VerifyPeerCertificate = func(chain [][]byte, _ [][]*x509.Certificate) error {
		m.shown = chain
		return nil
	}
	conn := tls.Client(ours, client)
	if conn.Handshake() == nil { // else what was shown and the session tell what came of it
		m.resumed = conn.ConnectionState().DidResume
		if client.ClientSessionCache != nil {
			a.tickets(conn)
		}
	}
	if m.shown == nil && !m.resumed { // a client that offers ECH does not call back
		for _, cert := range conn.ConnectionState().PeerCertificates {
			m.shown = append(m.shown, cert.Raw)
		}
	}
	conn.Close()
	ours.Close()
	<-served
	m.session = a.ended
	return m
}

// tickets ends what the client says, and reads to the end, so that tickets arrive
// on both legs.
func (a *arrangement) tickets(conn *tls.Conn) {
	conn.CloseWrite()
	io.Copy(io.Discard, conn)
}

// meet is one meeting in an arrangement of its own.
func meet(t testing.TB, judge *Judge, forger *Forger, how way, cfg *tls.Config, host string) meeting {
	t.Helper()
	a := arrange(t, judge, forger, how)
	defer a.close()
	return a.meet(cfg, host, nil)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// signedBy reports whether an authority has signed any certificate of a chain.
func signedBy(a *Authority, chain [][]byte) bool {
	for _, octets := range chain {
		cert, err := x509.ParseCertificate(octets)
		if err == nil && a.Certificate().CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil && !selfIssued(cert) {
			return true
		}
	}
	return false
}

// wantMeeting judges a meeting with an origin that shows chain. bad is whether
// the origin is.
func wantMeeting(t *testing.T, name, response string, m meeting, forger *Forger, chain [][]byte, bad bool) {
	t.Helper()
	s := m.session
	if !bad {
		if s.Outcome != decrypt.Bumped || s.OriginTLS.Verdict != "ok" || s.Untrusted || !signedBy(forger.trusted, m.shown) {
			t.Errorf("%s, %s: good origin: %v, %q (%v)", name, response, s.Outcome, s.Reason, s.Err)
		}
		return
	}
	if signedBy(forger.trusted, m.shown) {
		t.Fatalf("%s, %s: the client was shown a leaf under the trusted authority", name, response)
	}
	if s.OriginTLS.Verdict == "ok" {
		t.Errorf("%s, %s: bad origin is ok", name, response)
	}
	if m.resumed {
		t.Errorf("%s, %s: the client resumed a session", name, response)
	}
	own := s.OriginTLS.Verdict == string(OwnAuthority)
	how := responses[response]
	switch {
	case how.page:
		if m.shown != nil && (!s.Untrusted || !signedBy(forger.untrusted, m.shown)) || m.shown == nil && s.Notice == decrypt.NoticePage || s.Outcome != decrypt.Failed {
			t.Errorf("%s, %s: %v, %v, %q (%v), a chain of %d shown", name, response, s.Outcome, s.Notice, s.Reason, s.Err, len(m.shown))
		}
	case how.response == decrypt.Block || own:
		if m.shown != nil || s.Outcome != decrypt.Failed {
			t.Errorf("%s, %s: %v, %q (%v), a chain of %d shown", name, response, s.Outcome, s.Reason, s.Err, len(m.shown))
		}
	case how.response == decrypt.PassOn:
		// A client that cannot read the chain, or has no suite for its key, sees nothing.
		if m.shown != nil && !slices.EqualFunc(m.shown, chain, bytes.Equal) {
			t.Errorf("%s, %s: another chain is shown", name, response)
		}
		if s.OriginTLS.Verdict != "" && s.Outcome != decrypt.Tunneling {
			t.Errorf("%s, %s: %v, %q (%v)", name, response, s.Outcome, s.Reason, s.Err)
		}
	case m.shown != nil:
		if !s.Untrusted || !signedBy(forger.untrusted, m.shown) {
			t.Errorf("%s, %s: neither authority has signed what is shown", name, response)
		}
	}
}

// serveRaw is the configuration of a server that presents octets as its chain,
// whatever they are. A leaf whose key it has not, or cannot sign with, comes with
// another key.
func serveRaw(t testing.TB, chain [][]byte, key crypto.PrivateKey, staple []byte) *tls.Config {
	if key == nil {
		key = ecKey(t)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS10,
		Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: key, OCSPStaple: staple}},
	}
}

// BenchmarkHandshake is a whole session without data: both handshakes, with the
// leaf from the cache, the judgement from the cache or made anew.
func BenchmarkHandshake(b *testing.B) {
	p := newPKI(b)
	r := newResponder(b, p)
	forger := testForger(b, nil)
	leaf := p.leaf(b, pointsTo(r.URL+"/crl"))
	chain := [][]byte{leaf.cert.Raw, p.inter.cert.Raw}
	cfg := serveRaw(b, chain, leaf.key, nil)
	for _, mode := range []RevocationMode{RevocationOff, RevocationSoft} {
		for _, kept := range []string{"judgement kept", "judged anew"} {
			b.Run(string(mode)+", "+kept, func(b *testing.B) {
				judge := p.judgeOf(mode)
				for b.Loop() {
					if kept == "judged anew" {
						judge.cache = newLRU[judgement](1, 1)
					}
					if m := meet(b, judge, forger, way{}, cfg, testHost); m.session.Outcome != decrypt.Bumped {
						b.Fatal(m.session.Err)
					}
				}
			})
		}
	}
}
