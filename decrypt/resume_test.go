package decrypt

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// resumption is a testbed whose origin and client resume where they may.
type resumption struct {
	*testbed
	cache   tls.ClientSessionCache
	version uint16
	origins atomic.Pointer[tls.Config] // of the origin; tickets of one are good for the other
}

// newResumable has an origin of that version that takes its own tickets.
func newResumable(t *testing.T, version uint16, change func(*testbed)) *resumption {
	r := &resumption{cache: tls.NewLRUClientSessionCache(16), version: version}
	r.testbed = newTestbed(t, func(_ *testbed, conn net.Conn) {
		server := tls.Server(conn, r.origins.Load())
		if server.Handshake() == nil {
			echo(server)
		}
	}, func(b *testbed) {
		b.cfg.Tap = nil
		if change != nil {
			change(b)
		}
	})
	r.serve(r.testbed.origins, nil)
	return r
}

// serve has the origin show a new certificate of a, which is good for both names
// of the tests.
func (r *resumption) serve(a *authority, change func(*tls.Config)) {
	r.Helper()
	leaf, err := a.issue("*.example.test")
	if err != nil {
		r.Fatal(err)
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{*leaf}, MaxVersion: r.version}
	cfg.SetSessionTicketKeys([][32]byte{{1}})
	if change != nil {
		change(cfg)
	}
	r.origins.Store(cfg)
}

// exchange runs one session and returns its account, with what the client saw.
func (r *resumption) exchange(change func(*tls.Config)) (*Session, tls.ConnectionState) {
	r.Helper()
	c := r.client(func(cfg *tls.Config) {
		cfg.ClientSessionCache, cfg.MaxVersion = r.cache, r.version
		if change != nil {
			change(cfg)
		}
	})
	if _, err := c.Write([]byte("ping")); err == nil {
		io.ReadFull(c, make([]byte, 4)) // tickets come before it
	}
	c.CloseWrite()
	io.Copy(io.Discard, c)
	c.Close()
	s := r.session()
	if state := c.ConnectionState(); state.HandshakeComplete && (state.DidResume != s.ClientTLS.Resumed) {
		r.Errorf("client resumed: %t, session says %t", state.DidResume, s.ClientTLS.Resumed)
	}
	return s, c.ConnectionState()
}

// want checks which legs resumed.
func (r *resumption) want(s *Session, client, origin bool) {
	r.Helper()
	if s.Outcome != Bumped || s.ClientTLS.Resumed != client || s.OriginTLS.Resumed != origin {
		r.Errorf("outcome %s (%s %v), resumed: client %t, origin %t; want %t, %t", s.Outcome, s.Reason, s.Err,
			s.ClientTLS.Resumed, s.OriginTLS.Resumed, client, origin)
	}
}

func eachVersion(t *testing.T, f func(*testing.T, uint16)) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(v), func(t *testing.T) { f(t, v) })
	}
}

// TestResume: both legs resume, again and again, and the account of such a session
// says the same as that of a full one.
func TestResume(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		r := newResumable(t, version, nil)
		first, state := r.exchange(nil)
		r.want(first, false, false)
		if first.ForgedSerial == "" || state.PeerCertificates[0].SerialNumber.Text(16) != first.ForgedSerial {
			t.Errorf("forged serial %q", first.ForgedSerial)
		}
		for range 3 {
			s, _ := r.exchange(nil)
			r.want(s, true, true)
			if s.ForgedSerial != first.ForgedSerial || s.Untrusted || s.ClientTLS.Version != version ||
				s.OriginTLS.ChainSHA256 != first.OriginTLS.ChainSHA256 || s.OriginTLS.Verdict != "ok" ||
				s.OriginTLS.Version != version || s.OriginTLS.Cipher != first.OriginTLS.Cipher {
				t.Errorf("first %+v, resumed %+v", first, s)
			}
		}
	})
}

// TestFullHandshakes: where resumption is switched off every session has a full
// handshake on that leg.
func TestFullHandshakes(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		for _, tt := range []struct {
			name           string
			client, origin bool
		}{{"client", true, false}, {"origin", false, true}, {"both", true, true}} {
			t.Run(tt.name, func(t *testing.T) {
				r := newResumable(t, version, func(b *testbed) {
					b.cfg.Client.FullHandshakes, b.cfg.Origin.FullHandshakes = tt.client, tt.origin
				})
				for i := range 3 {
					s, _ := r.exchange(nil)
					r.want(s, i > 0 && !tt.client, i > 0 && !tt.origin)
				}
			})
		}
	})
}

// TestNoLeafForTicket: who resumes with TLS 1.3 has no leaf forged.
func TestNoLeafForTicket(t *testing.T) {
	count := &counting{}
	r := newResumable(t, tls.VersionTLS13, func(b *testbed) {
		count.Forger = b.cfg.Forger
		b.cfg.Forger = count
	})
	for range 3 {
		r.exchange(nil)
	}
	if n := count.n.Load(); n != 1 {
		t.Errorf("%d leaves forged", n)
	}
}

// counting counts calls, and fails where it is told to.
type counting struct {
	Forger
	n atomic.Int32
}

func (c *counting) Forge(ctx context.Context, chain []*x509.Certificate, name string, trusted, ecdsa bool) (*tls.Certificate, error) {
	c.n.Add(1)
	return c.Forger.Forge(ctx, chain, name, trusted, ecdsa)
}

// TestForgeFails: crypto/tls tells the client, and the session its reason.
func TestForgeFails(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		r := newResumable(t, version, func(b *testbed) { b.cfg.Forger = unable{} })
		c := r.client(func(cfg *tls.Config) { cfg.MaxVersion = version })
		if err := c.Handshake(); err == nil || err.Error() != "remote error: tls: internal error" {
			t.Errorf("client saw %v", err)
		}
		if s := r.session(); s.Reason != "forge" || s.Outcome != Failed || s.ForgedSerial != "" {
			t.Errorf("reason %q, outcome %s, serial %q", s.Reason, s.Outcome, s.ForgedSerial)
		}
	})
}

type unable struct{}

func (unable) Forge(context.Context, []*x509.Certificate, string, bool, bool) (*tls.Certificate, error) {
	return nil, errors.New("no key")
}

// sameTicket offers one session whatever it is asked for, as no honest client
// does.
type sameTicket struct {
	mu    sync.Mutex
	state *tls.ClientSessionState
}

func (c *sameTicket) Get(string) (*tls.ClientSessionState, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.state != nil
}

func (c *sameTicket) Put(_ string, s *tls.ClientSessionState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == nil {
		c.state = s
	}
}

// TestTicketElsewhere: a client's ticket is good for what it was given for, and
// anything else makes for a full handshake that succeeds.
func TestTicketElsewhere(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(r *resumption) func(*tls.Config) // between the two sessions
		client bool                                  // resumes
		origin bool
	}{
		{"same", func(*resumption) func(*tls.Config) { return nil }, true, true},
		{"another name at the same address", func(*resumption) func(*tls.Config) {
			return func(cfg *tls.Config) { cfg.ServerName = "bank.example.test" }
		}, false, false},
		{"another certificate, old tickets refused", func(r *resumption) func(*tls.Config) {
			r.serve(r.testbed.origins, func(cfg *tls.Config) { cfg.SetSessionTicketKeys([][32]byte{{2}}) })
			return nil
		}, false, false},
		{"another certificate, old tickets taken", func(r *resumption) func(*tls.Config) {
			r.serve(r.testbed.origins, nil)
			return nil
		}, true, true}, // the session is that of the old one, and says so
		{"another application protocol", func(r *resumption) func(*tls.Config) {
			cfg := r.origins.Load().Clone()
			cfg.NextProtos = []string{"h2"}
			r.origins.Store(cfg)
			return func(cfg *tls.Config) { cfg.NextProtos = []string{"h2", "http/1.1"} }
		}, true, true},
		{"another version", func(r *resumption) func(*tls.Config) {
			r.version = tls.VersionTLS12 + tls.VersionTLS13 - r.version
			r.serve(r.testbed.origins, nil)
			return nil
		}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachVersion(t, func(t *testing.T, version uint16) {
				r := newResumable(t, version, nil)
				r.cache = &sameTicket{}
				first, _ := r.exchange(nil)
				s, state := r.exchange(tt.change(r))
				r.want(s, tt.client, tt.origin)
				if tt.origin != (s.OriginTLS.ChainSHA256 == first.OriginTLS.ChainSHA256) && tt.name != "another name at the same address" && tt.name != "another version" {
					t.Errorf("chain %s, then %s", first.OriginTLS.ChainSHA256, s.OriginTLS.ChainSHA256)
				}
				if state.NegotiatedProtocol != s.ALPN {
					t.Errorf("client has %q, origin %q", state.NegotiatedProtocol, s.ALPN)
				}
			})
		})
	}
}

// TestTicketNeedsTrust: a session that began under one authority does not go on
// under the other, and an origin that goes bad is refused, ticket or not.
func TestTicketNeedsTrust(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		v := &switchable{}
		r := newResumable(t, version, func(b *testbed) {
			v.Verifier = b.cfg.Verifier
			b.cfg.Verifier = v
			b.cfg.Origin.OnInvalid = OnInvalid{Default: Untrusted, ByReason: map[string]Response{"revoked": Block}}
		})
		blind := func(cfg *tls.Config) { cfg.InsecureSkipVerify = true }
		step := func(bad string, resumes bool, origin bool) {
			t.Helper()
			v.say(bad)
			s, _ := r.exchange(blind)
			r.want(s, resumes, origin)
			if s.Untrusted != (bad != "") || s.OriginTLS.Verdict != map[bool]string{true: "ok", false: bad}[bad == ""] {
				t.Errorf("untrusted %t, verdict %q", s.Untrusted, s.OriginTLS.Verdict)
			}
		}
		step("", false, false)
		step("", true, true)
		step("expired", false, false) // the origin leg was resumed, judged, and begun again
		step("expired", true, false)  // a session of the untrusted authority's; the origin must always show itself
		step("self-signed", false, false)
		step("", false, false) // an untrusted session becomes no trusted one
		step("", true, true)
		v.say("revoked")
		s, state := r.exchange(blind)
		if s.Outcome != Failed || s.Reason != "revoked" || state.HandshakeComplete {
			t.Errorf("outcome %s, reason %q, client's handshake done: %t", s.Outcome, s.Reason, state.HandshakeComplete)
		}
	})
}

// switchable refuses with a reason, if it was given one.
type switchable struct {
	Verifier
	mu  sync.Mutex
	bad string
}

func (v *switchable) say(bad string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bad = bad
}

func (v *switchable) Verify(ctx context.Context, name string, state *tls.ConnectionState) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bad != "" {
		return verdict(v.bad)
	}
	return v.Verifier.Verify(ctx, name, state)
}

// TestNoTicketForCertificateRequest: an origin that asks for a client certificate
// is met as configured, and never resumes into being served without one.
func TestNoTicketForCertificateRequest(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		for _, request := range []CertificateRequest{BlockRequest, AnswerNone} {
			r := newResumable(t, version, func(b *testbed) { b.cfg.Origin.ClientCertificate = request })
			r.serve(r.testbed.origins, func(cfg *tls.Config) { cfg.ClientAuth = tls.RequestClientCert })
			for i := range 2 {
				s, _ := r.exchange(nil)
				if request == AnswerNone {
					r.want(s, i > 0, i > 0)
				} else if s.Reason != "client-certificate" {
					t.Errorf("reason %q", s.Reason)
				}
			}
		}
	})
}

// TestResumeKeyLog: sessions whose secrets are kept resume only where crypto/tls
// logs what decrypts them.
func TestResumeKeyLog(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		var got sync.Map // *bytes.Buffer by session
		r := newResumable(t, version, func(b *testbed) {
			b.cfg.KeyLog = func(s *Session) io.Writer {
				w, _ := got.LoadOrStore(s.ID, new(bytes.Buffer))
				return w.(io.Writer)
			}
		})
		for i := range 2 {
			s, _ := r.exchange(nil)
			resumes := i > 0 && version == tls.VersionTLS13
			r.want(s, resumes, resumes)
			w, _ := got.Load(s.ID)
			if n := bytes.Count(w.(*bytes.Buffer).Bytes(), []byte("\n")); n != map[uint16]int{tls.VersionTLS12: 2, tls.VersionTLS13: 8}[version] {
				t.Errorf("%d lines:\n%s", n, w)
			}
		}
	})
}

// TestInboundResumes: the origin's own certificate is bound as a forged one is.
func TestInboundResumes(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		r := newResumable(t, version, nil)
		r.testbed.certificate.Store(must(r.forger.trusted.issue("www.example.test")))
		for i := range 2 {
			s, _ := r.exchange(nil)
			r.want(s, i > 0, i > 0)
			if s.ForgedSerial != "" {
				t.Errorf("serial %q", s.ForgedSerial)
			}
		}
		r.testbed.certificate.Store(must(r.forger.trusted.issue("www.example.test")))
		s, _ := r.exchange(nil)
		r.want(s, false, true)
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestGarbageTicket: what a client calls a ticket never costs it the session.
func TestGarbageTicket(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		r := newResumable(t, version, nil)
		kept := &sameTicket{}
		r.cache = kept
		r.exchange(nil)
		label, state, err := kept.state.ResumptionState()
		if err != nil {
			t.Fatal(err)
		}
		flipped := append([]byte(nil), label...)
		flipped[len(flipped)/2] ^= 1
		for _, garbage := range [][]byte{{0}, label[:11], label[:len(label)-1], append(label[:len(label):len(label)], 0), flipped, make([]byte, 20_000)} {
			if kept.state, err = tls.NewResumptionState(garbage, state); err != nil {
				t.Fatal(err)
			}
			s, _ := r.exchange(nil)
			r.want(s, false, true)
		}
	})
}

// TestNoTicketAfterUpgrade: an origin that turned to TLS by STARTTLS is never
// offered a ticket, as its dialogue cannot be started over.
func TestNoTicketAfterUpgrade(t *testing.T) {
	b := newTestbed(t, nil, func(b *testbed) { b.cfg.Policy = always(policy.Bump) })
	s := &session{decision: decision{engine: &Engine{cfg: b.cfg}, account: &Session{Client: netip.MustParseAddrPort("192.0.2.1:1")}, in: &Incoming{}}}
	if s.originSessions(false) == nil {
		t.Error("no sessions for a first handshake")
	}
	s.legs.Record(ClientToOrigin, 1, func(bool) {})
	if s.originSessions(false) != nil || s.cached != nil {
		t.Error("sessions after cleartext")
	}
	s.cached.Keep(time.Now(), "", nil) // of none
}
