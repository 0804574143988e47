package decrypt

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/internal/handshake"
	"github.com/clearspan/clearspan/decrypt/internal/leg"
	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

var everything = learn.Options{
	Pinned: learn.Tunnel, ClientCertificate: learn.Tunnel, FailedOrigin: learn.Tunnel, NarrowOffer: learn.Tunnel,
	PinnedFor: time.Hour, ClientCertificateFor: time.Hour, FailedOriginFor: time.Hour, NarrowOfferFor: time.Hour,
	After: 3, Within: time.Hour,
}

// attempt has a client make a connection, and returns its session.
func (b *testbed) attempt(client func(*testbed)) *Session {
	b.Helper()
	client(b)
	return b.session()
}

// TestPinned has clients refuse the leaf, or fail for other reasons, five times.
func TestPinned(t *testing.T) {
	handshake := func(change func(*tls.Config)) func(*testbed) {
		return func(b *testbed) {
			c := b.client(change)
			if c.Handshake() == nil {
				c.Write([]byte("x"))
				io.ReadFull(c, make([]byte, 1))
			}
			c.Close()
		}
	}
	version := func(v uint16, change func(*tls.Config)) func(*tls.Config) {
		return func(c *tls.Config) { c.MaxVersion = v; change(c) }
	}
	// The client trusts the origins' authority alone, as a pinned one does.
	refuse := func(b *testbed, v uint16) {
		handshake(version(v, func(c *tls.Config) { c.RootCAs = b.origins.pool }))(b)
	}
	for _, tt := range []struct {
		name    string
		client  func(*testbed)
		change  func(*testbed)
		refusal string
		learned bool
	}{
		{"unknown authority, TLS 1.3", func(b *testbed) { refuse(b, tls.VersionTLS13) }, nil, "bad_certificate", true},
		{"unknown authority, TLS 1.2", func(b *testbed) { refuse(b, tls.VersionTLS12) }, nil, "bad_certificate", true},
		{"pinned key", handshake(func(c *tls.Config) {
			c.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error { return errors.New("not the key I know") }
		}), nil, "bad_certificate", true},
		{"alert in clear, TLS 1.3", func(b *testbed) {
			conn := b.dial()
			tls.Client(&unwilling{Conn: conn}, &tls.Config{ServerName: "www.example.test"}).Handshake()
			conn.Write([]byte{20, 3, 3, 0, 1, 1})
			conn.Write([]byte{recordAlert, 3, 3, 0, 2, 2, 48})
			conn.CloseWrite()
			io.Copy(io.Discard, conn)
		}, nil, "unknown_ca", true},
		{"closes behind the handshake", func(b *testbed) {
			c := b.client(nil)
			c.Handshake()
			c.Close()
		}, nil, "closed", true},
		{"closes after the certificate", func(b *testbed) {
			conn := b.dial()
			c := tls.Client(&unwilling{Conn: conn}, &tls.Config{ServerName: "www.example.test", InsecureSkipVerify: true})
			c.Handshake()
			conn.CloseWrite()
			io.Copy(io.Discard, conn)
		}, nil, "closed", true},
		{"resets behind the handshake", func(b *testbed) {
			conn := b.dial()
			c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
			c.Handshake()
			conn.SetLinger(0)
			conn.Close()
		}, nil, "", false},
		{"is gone before the certificate", func(b *testbed) {
			conn := b.dial()
			c := tls.Client(&unwilling{Conn: conn}, &tls.Config{ServerName: "www.example.test"})
			go func() { time.Sleep(50 * time.Millisecond); conn.CloseWrite() }()
			c.Handshake()
			io.Copy(io.Discard, conn)
		}, func(b *testbed) { b.slow = 300 * time.Millisecond }, "", false},
		{"goes on", handshake(nil), nil, "", false},
		{"refuses an untrusted leaf", func(b *testbed) { refuse(b, 0) }, func(b *testbed) {
			b.cfg.Verifier, b.cfg.Origin.OnInvalid.Default = judge{x509.NewCertPool()}, Untrusted
		}, "bad_certificate", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := learn.New(everything, learn.Config{})
			b := newTLSTestbed(t, echo, nil, func(b *testbed) {
				b.cfg.Tap, b.cfg.Learner = nil, table
				if tt.change != nil {
					tt.change(b)
				}
			})
			for i := range 5 {
				s := b.attempt(tt.client)
				if tunneled := tt.learned && i >= 3; (s.Outcome == Tunneling) != tunneled || (s.Decision.Learned == "pinned") != tunneled {
					t.Errorf("session %d: %v, learned %q, reason %q, %v", i, s.Outcome, s.Decision.Learned, s.Reason, s.Err)
				}
				if i < 3 && tt.refusal != "" && s.Refusal != tt.refusal {
					t.Errorf("session %d: refusal %q, want %q (%s: %v)", i, s.Refusal, tt.refusal, s.Reason, s.Err)
				}
			}
		})
	}
}

// TestOriginClosesFirst: a client that follows an origin that has closed refuses
// nothing.
func TestOriginClosesFirst(t *testing.T) {
	b := newTLSTestbed(t, func(c *tls.Conn) { c.CloseWrite(); io.Copy(io.Discard, c) }, nil, func(b *testbed) {
		b.cfg.Tap, b.cfg.Learner = nil, learn.New(everything, learn.Config{})
	})
	for i := range 4 {
		c := b.client(nil)
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Fatal(n, err)
		}
		c.Close()
		if s := b.session(); s.Outcome != Bumped || s.Refusal != "" || s.Taught != "" {
			t.Errorf("session %d: %v, refusal %q, taught %q, %s: %v", i, s.Outcome, s.Refusal, s.Taught, s.Reason, s.Err)
		}
	}
}

// TestOwnCertificate: who refuses the origin's own certificate teaches nothing.
func TestOwnCertificate(t *testing.T) {
	b := newTLSTestbed(t, echo, nil, func(b *testbed) {
		b.cfg.Tap, b.cfg.Learner = nil, learn.New(everything, learn.Config{})
		own, err := b.origins.issue("www.example.test")
		if err != nil {
			t.Fatal(err)
		}
		b.own = func(name string, proven bool) []tls.Certificate {
			if name != "www.example.test" || !proven {
				t.Errorf("asked for %q, proven %t", name, proven)
			}
			return []tls.Certificate{*own}
		}
	})
	for range 4 {
		c := b.client(nil)
		if c.Handshake() == nil {
			t.Error("accepted")
		}
		if s := b.session(); s.Refusal != "bad_certificate" || s.Taught != "" || s.ForgedSerial != "" {
			t.Errorf("refusal %q, taught %q, forged %q", s.Refusal, s.Taught, s.ForgedSerial)
		}
	}
}

// unwilling sends one flight and drops what follows.
type unwilling struct {
	net.Conn
	wrote bool
}

func (u *unwilling) Write(p []byte) (int, error) {
	if u.wrote {
		return len(p), nil
	}
	u.wrote = true
	return u.Conn.Write(p)
}

// TestClientCertificateLearned: the second session makes no handshake of ours.
func TestClientCertificateLearned(t *testing.T) {
	var asked int
	b := newTLSTestbed(t, echo, func(c *tls.Config) {
		c.ClientAuth = tls.RequestClientCert
		c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { asked++; return nil, nil }
	}, func(b *testbed) {
		b.cfg.Tap, b.cfg.Learner, b.cfg.Origin.ClientCertificate = nil, learn.New(everything, learn.Config{}), TunnelRequest
	})
	for i, want := range []struct {
		learned, taught string
		asked           int
	}{{"", "client-certificate", 2}, {"client-certificate", "", 3}} {
		c := b.client(func(c *tls.Config) { c.RootCAs = b.origins.pool })
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		io.ReadFull(c, make([]byte, 1))
		c.Close()
		s := b.session()
		if s.Outcome != Tunneling || s.Decision.Learned != want.learned || string(s.Taught) != want.taught || asked != want.asked {
			t.Errorf("session %d: %v, %d handshakes, learned %q, taught %q", i, s.Outcome, asked, s.Decision.Learned, s.Taught)
		}
	}
}

// TestFailedOrigin: an origin with which no handshake can be made is passed on,
// unless the connection broke or the client's offer is what it refuses.
func TestFailedOrigin(t *testing.T) {
	for _, tt := range []struct {
		name   string
		origin func(*testbed, net.Conn)
		want   Outcome
	}{
		{"old version", func(b *testbed, c net.Conn) {
			b.tlsOrigin(echo, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })(c)
		}, Tunneling},
		{"no TLS", func(b *testbed, c net.Conn) {
			io.ReadFull(c, make([]byte, 5))
			c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			io.Copy(io.Discard, c)
		}, Tunneling},
		{"closes", func(b *testbed, c net.Conn) { io.ReadFull(c, make([]byte, 5)) }, Failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTestbed(t, tt.origin, func(b *testbed) {
				b.cfg.Tap, b.cfg.Learner = nil, learn.New(everything, learn.Config{})
			})
			for i := range 2 {
				c := b.client(func(c *tls.Config) { c.MinVersion = tls.VersionTLS10 })
				c.Handshake()
				c.Close()
				s := b.session()
				if s.Outcome != tt.want || (s.Decision.Learned != "") != (i == 1 && tt.want == Tunneling) {
					t.Errorf("session %d: %v, learned %q, %s: %v", i, s.Outcome, s.Decision.Learned, s.Reason, s.Err)
				}
			}
		})
	}
}

// TestLearnedNeverOverrules: what was learned changes a decision to bump alone, in
// Serve and in Foresee.
func TestLearnedNeverOverrules(t *testing.T) {
	table := learn.New(everything, learn.Config{})
	in := &Incoming{Client: netip.MustParseAddrPort("192.0.2.1:1000"), Origin: netip.MustParseAddrPort("192.0.2.2:443")}
	facts := &policy.Facts{Client: in.Client, Origin: in.Origin, SNI: "www.example.test"}
	if !table.Learn(learn.ClientCertificate, facts, policy.Decision{}, "requested") {
		t.Fatal("not learned")
	}
	flight := helloFor(t, "WWW.example.test")
	for action, want := range map[policy.Action]policy.Action{
		policy.Bump: policy.Tunnel, policy.Terminate: policy.Terminate, policy.TunnelCheck: policy.TunnelCheck,
	} {
		e, err := New(Config{Policy: always(action), Forger: &forger{}, Verifier: judge{}, Learner: table})
		if err != nil {
			t.Fatal(err)
		}
		if got, more := e.Preview(in, flight); got != want || more {
			t.Errorf("%v: %v, %v", action, got, more)
		}
	}
}

func helloFor(t *testing.T, name string) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go tls.Client(client, &tls.Config{ServerName: name}).Handshake()
	var flight []byte
	for {
		if _, err := clienthello.Complete(flight); err == nil {
			return flight
		}
		p := make([]byte, 4096)
		n, err := server.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		flight = append(flight, p[:n]...)
	}
}

func TestRefusalInClear(t *testing.T) {
	mac := &net.OpError{Op: "local error", Err: tls.AlertError(handshake.AlertBadRecordMAC)}
	tail := leg.Tail{recordAlert, 3, 3, 0, 2, 2, 42}
	if got := refusalInClear(tail, mac); got != "bad_certificate" {
		t.Errorf("refusal %q", got)
	}
	if refusalInClear(tail, io.EOF) != "" || refusalInClear(leg.Tail{}, mac) != "" {
		t.Error("a refusal without an alert")
	}
}

func TestIncapable(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{io.EOF, false},
		{&net.OpError{Op: "read", Err: errors.New("x")}, false},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, true},
		{errors.New("tls: server selected unsupported protocol version 301"), true},
	} {
		if got := handshake.Incapable(tt.err); got != tt.want {
			t.Errorf("%v: %t", tt.err, got)
		}
	}
	if got := refusalIn(&net.OpError{Op: "remote error", Err: tls.AlertError(48)}); got != "unknown_ca" || strings.Contains(refusalIn(tls.AlertError(48)), "u") {
		t.Errorf("unknown_ca is %q", got)
	}
}
