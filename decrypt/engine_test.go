package decrypt

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/decrypt/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority is a CA of the tests' own; as a Forger it signs for any name.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	a := &authority{cert: cert, key: key, pool: x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

func (a *authority) issue(name string) (*tls.Certificate, error) {
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key, Leaf: leaf}, err
}

// forger has a trusted and an untrusted authority.
type forger struct{ trusted, untrusted *authority }

func (f *forger) Forge(_ context.Context, chain []*x509.Certificate, name string, trusted, _ bool) (*tls.Certificate, error) {
	if name == "" {
		name = chain[0].DNSNames[0]
	}
	if trusted {
		return f.trusted.issue(name)
	}
	return f.untrusted.issue(name)
}

type verdict string

func (v verdict) Error() string  { return "origin is " + string(v) }
func (v verdict) Reason() string { return string(v) }

type judge struct{ roots *x509.CertPool }

func (v judge) Verify(_ context.Context, name string, state *tls.ConnectionState) error {
	if _, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: v.roots, DNSName: name}); err != nil {
		return verdict("unknown-issuer")
	}
	return nil
}

type decide func(f *policy.Facts) policy.Action

func (d decide) Decide(f *policy.Facts) policy.Decision {
	return policy.Decision{Rule: "test", Action: d(f)}
}

func always(a policy.Action) decide { return func(*policy.Facts) policy.Action { return a } }

// recorder is a tap that keeps everything.
type recorder struct {
	mu   sync.Mutex
	data [2]bytes.Buffer
	kind [2][4]int // octets by content
	ends [2]*Ending
	open int
}

func (r *recorder) Open(*Session) Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open++
	return r
}

func (r *recorder) Data(dir Direction, content Content, p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ends[dir] != nil {
		panic("data after the end")
	}
	r.data[dir].Write(p)
	r.kind[dir][content] += len(p)
}

func (r *recorder) End(dir Direction, how Ending) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ends[dir] = &how
}

func (r *recorder) Close() {}

// testbed is an engine between a client and one origin, all on loopback.
type testbed struct {
	*testing.T
	forger      *forger
	origins     *authority // signs origins
	cfg         Config
	tap         *recorder
	sessions    chan *Session
	greeting    []byte                               // passed before the engine got the session
	own         func(string, bool) []tls.Certificate // as in Incoming
	incoming    func(*Incoming)                      // changes what the intake says; may be nil
	slow        time.Duration                        // how long dialing the origin takes
	certificate atomic.Pointer[tls.Certificate]      // the only one of own, nil for none
	front       net.Listener
	cancel      context.CancelFunc
}

// newTestbed starts an engine whose origin is served by origin, one goroutine a
// connection. change may alter the configuration.
func newTestbed(t *testing.T, origin func(*testbed, net.Conn), change func(*testbed)) *testbed {
	t.Helper()
	b := &testbed{
		T:        t,
		forger:   &forger{newAuthority(t, "trusted"), newAuthority(t, "untrusted")},
		origins:  newAuthority(t, "origins"),
		tap:      &recorder{},
		sessions: make(chan *Session, 64),
	}
	b.cfg = Config{
		Policy: always(policy.Bump), Forger: b.forger, Verifier: judge{b.origins.pool}, Tap: b.tap,
		Silence: 50 * time.Millisecond, Client: ClientOptions{HandshakeTimeout: 2 * time.Second, IdleTimeout: 10 * time.Second},
		Ended: func(s *Session, _ Stream) { b.sessions <- s },
	}
	back := b.listen()
	b.front = b.listen()
	if change != nil {
		change(b)
	}
	engine, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := back.Accept()
			if err != nil {
				return
			}
			running.Go(func() { defer conn.Close(); origin(b, conn) })
		}
	})
	running.Go(func() {
		for {
			conn, err := b.front.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				in := &Incoming{
					Intake: "test", Conn: conn,
					Client: conn.RemoteAddr().(*net.TCPAddr).AddrPort(),
					Origin: netip.MustParseAddrPort(back.Addr().String()),

					Greeting: b.greeting, Own: b.ownCertificates,
					Dial: func(ctx context.Context) (net.Conn, error) {
						time.Sleep(b.slow)
						return new(net.Dialer).DialContext(ctx, "tcp", back.Addr().String())
					},
				}
				if b.incoming != nil {
					b.incoming(in)
				}
				engine.Serve(ctx, in)
			})
		}
	})
	t.Cleanup(func() {
		back.Close()
		b.front.Close()
		cancel()
		running.Wait()
	})
	return b
}

// ownCertificates is Incoming.Own.
func (b *testbed) ownCertificates(name string, proven bool) []tls.Certificate {
	switch c := b.certificate.Load(); {
	case c != nil:
		return []tls.Certificate{*c}
	case b.own != nil:
		return b.own(name, proven)
	}
	return nil
}

func (b *testbed) listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// dial connects to the engine.
func (b *testbed) dial() *net.TCPConn {
	b.Helper()
	conn, err := net.Dial("tcp", b.front.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn.(*net.TCPConn)
}

// client returns a TLS client that trusts the trusted authority.
func (b *testbed) client(change func(*tls.Config)) *tls.Conn {
	b.Helper()
	cfg := &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool}
	if change != nil {
		change(cfg)
	}
	return tls.Client(b.dial(), cfg)
}

// session waits for the end of a session and checks that the tap saw exactly
// what was counted.
func (b *testbed) session() *Session {
	b.Helper()
	select {
	case s := <-b.sessions:
		if b.tap.open > 0 {
			for dir := range Direction(2) {
				if got := uint64(b.tap.data[dir].Len()); got != s.Octets(dir) {
					b.Errorf("%s: tap saw %d octets, session counts %d", dir, got, s.Octets(dir))
				}
			}
		}
		return s
	case <-time.After(10 * time.Second):
		b.Fatal("session does not end")
		return nil
	}
}

// tlsOrigin serves f on TLS connections for www.example.test.
func (b *testbed) tlsOrigin(f func(*tls.Conn), change func(*tls.Config)) func(net.Conn) {
	return func(conn net.Conn) {
		leaf, err := b.origins.issue("www.example.test")
		if err != nil {
			b.Error(err)
			return
		}
		cfg := &tls.Config{Certificates: []tls.Certificate{*leaf}}
		if change != nil {
			change(cfg)
		}
		server := tls.Server(conn, cfg)
		if server.Handshake() == nil {
			f(server)
		}
	}
}

func echo(c *tls.Conn) {
	io.Copy(c, c)
	c.CloseWrite()
}

// newTLSTestbed is newTestbed with an origin that speaks TLS.
func newTLSTestbed(t *testing.T, f func(*tls.Conn), origin func(*tls.Config), change func(*testbed)) *testbed {
	t.Helper()
	return newTestbed(t, func(b *testbed, c net.Conn) { b.tlsOrigin(f, origin)(c) }, change)
}

func TestBump(t *testing.T) {
	for _, tt := range []struct {
		name           string
		client, origin func(*tls.Config)
		version        uint16 // both legs
		alpn           string
	}{
		{name: "tls 1.3", version: tls.VersionTLS13},
		{name: "origin has 1.2 only", origin: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, version: tls.VersionTLS12},
		{name: "client has 1.2 only", client: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, version: tls.VersionTLS13},
		{
			name:    "origin chooses protocol",
			client:  func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} },
			origin:  func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} },
			version: tls.VersionTLS13, alpn: "http/1.1",
		},
		{
			name:    "origin has no protocols",
			client:  func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} },
			version: tls.VersionTLS13,
		},
		{
			name:    "unknown protocol",
			client:  func(c *tls.Config) { c.NextProtos = []string{"x-odd"} },
			origin:  func(c *tls.Config) { c.NextProtos = []string{"x-odd"} },
			version: tls.VersionTLS13, alpn: "x-odd",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, tt.origin, nil)
			c := b.client(tt.client)
			if _, err := c.Write([]byte("hello, origin")); err != nil {
				t.Fatal(err)
			}
			state := c.ConnectionState()
			if state.NegotiatedProtocol != tt.alpn {
				t.Errorf("client's protocol %q, want %q", state.NegotiatedProtocol, tt.alpn)
			}
			c.CloseWrite()
			got, err := io.ReadAll(c)
			if err != nil || string(got) != "hello, origin" {
				t.Errorf("read %q, %v", got, err)
			}
			c.Close()
			s := b.session()
			if s.Outcome != Bumped || s.Reason != "" {
				t.Errorf("outcome %s, reason %q (%v)", s.Outcome, s.Reason, s.Err)
			}
			if s.OriginTLS.Version != tt.version {
				t.Errorf("origin's version %x, want %x", s.OriginTLS.Version, tt.version)
			}
			if s.ClientTLS.Version > s.OriginTLS.Version {
				t.Errorf("client's version %x above the origin's %x", s.ClientTLS.Version, s.OriginTLS.Version)
			}
			if s.SNI != "www.example.test" || s.ALPN != tt.alpn || s.OriginTLS.Verdict != "ok" || s.ForgedSerial == "" {
				t.Errorf("facts missing: %+v", s)
			}
			if got := b.tap.data[OriginToClient].String(); got != "hello, origin" {
				t.Errorf("tap saw %q", got)
			}
		})
	}
}

// TestBulk relays much in both directions at once.
func TestBulk(t *testing.T) {
	const size = 24 << 20
	b := newTLSTestbed(t, echo, nil, func(b *testbed) { b.cfg.Tap = nil })
	c := b.client(nil)
	c.SetDeadline(time.Now().Add(60 * time.Second))
	sent := make([]byte, size)
	rand.Read(sent[:1<<20])
	for i := 1 << 20; i < size; i += 1 << 20 {
		copy(sent[i:], sent[:1<<20])
		sent[i] = byte(i >> 20)
	}
	go func() {
		for p := sent; len(p) > 0; {
			n := min(len(p), 100_000)
			if _, err := c.Write(p[:n]); err != nil {
				t.Error(err)
				return
			}
			p = p[n:]
		}
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Fatalf("%d octets returned differ from the %d sent", len(got), len(sent))
	}
	c.Close()
	if s := b.session(); s.Octets(ClientToOrigin) != size || s.Octets(OriginToClient) != size {
		t.Errorf("octets %d and %d, want %d", s.Octets(0), s.Octets(1), size)
	}
}

// What was found is the origin's to word, and bounded.
func TestFinding(t *testing.T) {
	long := finding(fmt.Errorf("certificate for %s", bytes.Repeat([]byte("\xc3\xbc"), 1000)))
	if len(long) > 256 || len(long) < 250 || !utf8.ValidString(long) {
		t.Errorf("%d octets: %q", len(long), long)
	}
}

func TestInvalidOrigin(t *testing.T) {
	for _, tt := range []struct {
		name    string
		how     Response
		outcome Outcome
		chain   func(*testbed) *x509.CertPool // what the client must trust; nil: handshake fails
	}{
		{"untrusted", Untrusted, Bumped, func(b *testbed) *x509.CertPool { return b.forger.untrusted.pool }},
		{"block", Block, Failed, nil},
		{"pass on", PassOn, Tunneling, func(b *testbed) *x509.CertPool { return b.origins.pool }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, nil, func(b *testbed) {
				b.cfg.Verifier = judge{x509.NewCertPool()}
				b.cfg.Origin.OnInvalid.ByReason = map[string]Response{"unknown-issuer": tt.how}
			})
			c := b.client(func(cfg *tls.Config) {
				if tt.chain != nil {
					cfg.RootCAs = tt.chain(b)
				}
			})
			err := c.Handshake()
			if tt.chain == nil && err == nil {
				t.Error("client's handshake succeeded")
			}
			if tt.chain != nil && err != nil {
				t.Error(err)
			}
			c.Close()
			if s := b.session(); s.Outcome != tt.outcome || s.OriginTLS.Verdict != "unknown-issuer" || s.OriginTLS.Finding == "" {
				t.Errorf("outcome %s, verdict %q, finding %q", s.Outcome, s.OriginTLS.Verdict, s.OriginTLS.Finding)
			}
		})
	}
}

func TestClientCertificate(t *testing.T) {
	ask := func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }
	for _, tt := range []struct {
		name    string
		how     CertificateRequest
		outcome Outcome
		pool    func(*testbed) *x509.CertPool
	}{
		{"tunnel", TunnelRequest, Tunneling, func(b *testbed) *x509.CertPool { return b.origins.pool }},
		{"block", BlockRequest, Failed, nil},
		{"none", AnswerNone, Bumped, func(b *testbed) *x509.CertPool { return b.forger.trusted.pool }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, ask, func(b *testbed) { b.cfg.Origin.ClientCertificate = tt.how })
			c := b.client(func(cfg *tls.Config) {
				if tt.pool != nil {
					cfg.RootCAs = tt.pool(b)
				}
			})
			if err := c.Handshake(); (err == nil) != (tt.pool != nil) {
				t.Errorf("handshake: %v", err)
			}
			c.Close()
			if s := b.session(); s.Outcome != tt.outcome {
				t.Errorf("outcome %s (%s %v), want %s", s.Outcome, s.Reason, s.Err, tt.outcome)
			}
		})
	}
}
