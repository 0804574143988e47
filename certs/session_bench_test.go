package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/decrypt"
)

// BenchmarkSession measures what a bumped session costs up to its first octet:
// both handshakes, the judgement and the leaf. ns/op has client and origin in it;
// engine-ns/op is the CPU time, user and kernel, less what the same sessions take
// without the engine.
func BenchmarkSession(b *testing.B) {
	for _, bb := range []struct {
		name   string
		change func(*sessionBench)
	}{
		{"full", func(s *sessionBench) {}},
		{"client without ML-KEM", func(s *sessionBench) { s.curves = []tls.CurveID{tls.X25519} }},
		{"client resumed", func(s *sessionBench) { s.resumes, s.engine.Origin.FullHandshakes = true, true }},
		{"both resumed", func(s *sessionBench) { s.resumes = true }},
		{"new names", func(s *sessionBench) { s.names = true }},
		{"revocation", func(s *sessionBench) { s.revocation = true }},
		{"revocation, new names", func(s *sessionBench) { s.revocation, s.names = true, true }},
		{"TLS 1.2", func(s *sessionBench) { s.version = tls.VersionTLS12 }},
		{"TLS 1.2, both resumed", func(s *sessionBench) { s.version, s.resumes = tls.VersionTLS12, true }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s := &sessionBench{version: tls.VersionTLS13}
			bb.change(s)
			s.run(b)
		})
	}
}

type sessionBench struct {
	version    uint16
	curves     []tls.CurveID // of the client; nil: what crypto/tls offers, ML-KEM first
	resumes    bool          // the client and the engine
	names      bool          // each session has a name of its own
	revocation bool          // of the origin's certificate is known from a list at hand
	engine     decrypt.Config
}

func (s *sessionBench) run(b *testing.B) {
	p := newPKI(b)
	leaf := p.leaf(b, asLeaf(testHost, "*.example.com"))
	trusted := testAuthority(b, "Bench trusted")
	forger, err := NewForger(ForgerConfig{Trusted: trusted, Untrusted: testAuthority(b, "Bench untrusted")})
	if err != nil {
		b.Fatal(err)
	}
	judging := JudgeConfig{Roots: p.roots, Own: []*x509.Certificate{trusted.Certificate()}}
	if s.revocation {
		judging.Revocation.Mode = RevocationHard
		for _, issuer := range []*node{p.root, p.inter} {
			list, err := ParseCRL(crlOf(b, issuer, nil))
			if err != nil {
				b.Fatal(err)
			}
			judging.Revocation.CRLs = append(judging.Revocation.CRLs, list)
		}
	}
	s.engine.Policy, s.engine.Forger, s.engine.Verifier = bumpAll{}, forger, NewJudge(judging)
	s.engine.Ended = func(s *decrypt.Session, _ decrypt.Stream) {
		if s.Outcome != decrypt.Bumped || s.OriginTLS.Verdict != "ok" {
			b.Errorf("outcome %s, verdict %s: %v", s.Outcome, s.OriginTLS.Verdict, s.Err)
		}
	}
	engine, err := decrypt.New(s.engine)
	if err != nil {
		b.Fatal(err)
	}
	origin, front := listen(b), listen(b)
	defer origin.Close()
	defer front.Close()
	cfg := &tls.Config{MaxVersion: s.version, SessionTicketsDisabled: !s.resumes,
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.cert.Raw, p.inter.cert.Raw}, PrivateKey: leaf.key, Leaf: leaf.cert}}}
	go accept(origin, func(conn net.Conn) {
		server := tls.Server(conn, cfg)
		io.Copy(server, server)
		server.CloseWrite()
	})
	served := make(chan struct{})
	go accept(front, func(conn net.Conn) {
		engine.Serve(b.Context(), &decrypt.Incoming{
			Conn: conn, Client: netip.MustParseAddrPort("192.0.2.1:1"), Origin: netip.MustParseAddrPort(origin.Addr().String()),
			Dial: func(ctx context.Context) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", origin.Addr().String())
			},
		})
		served <- struct{}{}
	})
	roots := x509.NewCertPool()
	roots.AddCert(trusted.Certificate())
	through := s.sessions(b, front.Addr(), roots)
	direct := s.sessions(b, origin.Addr(), p.roots)
	both := func() { through(); <-served }
	both()
	b.ReportAllocs()
	before := processTime(b)
	for b.Loop() {
		both()
	}
	cpu := processTime(b) - before
	direct()
	before = processTime(b)
	for range b.N {
		direct()
	}
	cpu -= processTime(b) - before
	b.ReportMetric(float64(cpu)/float64(b.N), "engine-ns/op")
}

// sessions returns what has a client make a session with who listens there.
func (s *sessionBench) sessions(b *testing.B, there net.Addr, roots *x509.CertPool) (session func()) {
	client := &tls.Config{RootCAs: roots, ServerName: testHost, CurvePreferences: s.curves}
	if s.resumes {
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	n, octet := 0, make([]byte, 1)
	return func() {
		c := client
		if n++; s.names {
			c = client.Clone()
			c.ServerName = fmt.Sprintf("n%d.example.com", n)
		}
		raw, err := net.Dial("tcp", there.String())
		if err != nil {
			b.Fatal(err)
		}
		conn := tls.Client(raw, c)
		if _, err := conn.Write([]byte{1}); err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Read(octet); err != nil {
			b.Fatal(err)
		}
		if resumed := conn.ConnectionState().DidResume; resumed != (s.resumes && n > 1) {
			b.Fatalf("session %d resumed: %t", n, resumed)
		}
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
		raw.Close()
	}
}

func accept(l net.Listener, serve func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			serve(conn)
		}()
	}
}

// processTime is the CPU time of the process.
func processTime(b *testing.B) int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return t.Nano()
}
