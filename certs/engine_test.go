package certs

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// bumpAll is a policy.
type bumpAll struct{}

func (bumpAll) Decide(*policy.Facts) policy.Decision {
	return policy.Decision{Rule: "test", Action: policy.Bump}
}

// responses are what an engine may do with an origin that is not trusted.
var responses = map[string]decrypt.Response{"block": decrypt.Block, "untrusted": decrypt.Untrusted, "tunnel": decrypt.PassOn}

// meeting is what a client saw of an origin through the engine.
type meeting struct {
	shown   [][]byte // the chain shown to the client, nil if there was none
	session *decrypt.Session
}

// meet has a client ask through an engine for host at an origin that serves as
// cfg says. How an origin that is not trusted is met, response says; one that
// holds a certificate of our own authority is blocked, as the configuration has
// it.
func meet(t testing.TB, judge *Judge, forger *Forger, response decrypt.Response, cfg *tls.Config, host string) meeting {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	origin, front := listen(t), listen(t)
	defer origin.Close()
	defer front.Close()
	go func() {
		for {
			conn, err := origin.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(20 * time.Second))
				server := tls.Server(conn, cfg)
				if server.Handshake() == nil {
					io.Copy(io.Discard, server)
				}
			}()
		}
	}()

	var m meeting
	engine, err := decrypt.New(decrypt.Config{
		Policy: bumpAll{}, Forger: forger, Verifier: judge,
		HandshakeReason: func(err error) string { return string(ReasonOf(err)) },
		OnInvalid: func(reason string) decrypt.Response {
			if reason == string(OwnAuthority) {
				return decrypt.Block
			}
			return response
		},
		Ended: func(s *decrypt.Session, _ decrypt.Stream) { m.session = s },
	})
	if err != nil {
		t.Fatal(err)
	}
	ours, err := net.Dial("tcp", front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := front.Accept()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		engine.Serve(ctx, &decrypt.Incoming{
			Conn: theirs, Client: ours.LocalAddr().(*net.TCPAddr).AddrPort(), Name: host,
			Origin: netip.MustParseAddrPort(origin.Addr().String()),
			Dial: func(ctx context.Context) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", origin.Addr().String())
			},
		})
	}()
	ours.SetDeadline(time.Now().Add(20 * time.Second))
	client := tls.Client(ours, &tls.Config{
		ServerName: host, InsecureSkipVerify: true,
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			m.shown = chain
			return nil
		},
	})
	client.Handshake() // what was shown and the session tell what came of it
	client.Close()
	ours.Close()
	<-served
	return m
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
	own := s.OriginTLS.Verdict == string(OwnAuthority)
	switch {
	case response == "block" || own:
		if m.shown != nil || s.Outcome != decrypt.Failed {
			t.Errorf("%s, %s: %v, %q (%v), a chain of %d shown", name, response, s.Outcome, s.Reason, s.Err, len(m.shown))
		}
	case response == "tunnel":
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

// TestLimboServed serves every case that comes with a key through an engine. A
// bad origin, or one that is refused for a listed reason, never yields a leaf
// under the trusted authority.
func TestLimboServed(t *testing.T) {
	forger := testForger(t, func(c *ForgerConfig) { c.Now = nil })
	served, good := 0, 0
	for _, c := range limboCases(t) {
		if c.Key == "" {
			continue
		}
		served++
		chain, key := c.presented(t), limboKey(t, c)
		_, listed := limboDeviations[c.ID]
		bad := c.good() == listed // good and listed: refused; bad and listed: accepted
		if !bad {
			good++
		}
		for response, r := range responses {
			m := meet(t, c.judge(t, forger.trusted.Certificate(), forger.untrusted.Certificate()), forger, r, serveRaw(t, chain, key, nil), c.name())
			if !bad && m.session.Reason == "forge" && !validToday(t, chain[0]) {
				continue // good at the time of the case, and no leaf can be good then
			}
			wantMeeting(t, c.ID, response, m, forger, chain, bad)
		}
	}
	if served < 175 || good < 40 {
		t.Errorf("%d cases served, %d of them good", served, good)
	}
	t.Logf("%d cases served %d times, %d of them good", served, served*len(responses), good)
}

func validToday(t *testing.T, leaf []byte) bool {
	cert := parse(t, leaf)
	return time.Now().After(cert.NotBefore) && time.Now().Before(cert.NotAfter)
}

// limboKey returns the key of a case, nil for a kind that crypto/tls does not
// sign with.
func limboKey(t *testing.T, c *limboCase) crypto.PrivateKey {
	octets := der(t, c.Key)
	if key, err := x509.ParseECPrivateKey(octets); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(octets); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS8PrivateKey(octets); err == nil {
		return key
	}
	return nil
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
					if m := meet(b, judge, forger, decrypt.Block, cfg, testHost); m.session.Outcome != decrypt.Bumped {
						b.Fatal(m.session.Err)
					}
				}
			})
		}
	}
}
