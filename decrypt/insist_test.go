package decrypt

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// TestInsistentOrigin has origins ask for a client certificate in both versions of TLS. A
// session is tunneled only if the origin insists, and has its name by the DNS, or if the
// operator has named the host.
func TestInsistentOrigin(t *testing.T) {
	here := directory{"www.example.test": {loopback}}
	there := directory{"www.example.test": {elsewhere}}
	for _, tt := range []struct {
		name    string
		auth    tls.ClientAuthType
		names   directory
		named   bool
		lessons learn.Action
		trusted bool // the origin is
		want    [2]Outcome
		learned string // in the second session
	}{
		{"asks", tls.RequestClientCert, here, false, learn.Tunnel, true, [2]Outcome{Bumped, Bumped}, ""},
		{"insists", tls.RequireAnyClientCert, here, false, learn.Tunnel, true, [2]Outcome{Tunneling, Tunneling}, "client-certificate"},
		{"insists, is elsewhere", tls.RequireAnyClientCert, there, false, learn.Tunnel, true, [2]Outcome{Failed, Failed}, ""},
		{"insists, nobody knows", tls.RequireAnyClientCert, nil, false, learn.Tunnel, true, [2]Outcome{Failed, Failed}, ""},
		{"insists, alert only", tls.RequireAnyClientCert, here, false, learn.Alert, true, [2]Outcome{Failed, Failed}, ""},
		{"insists, nothing is learned", tls.RequireAnyClientCert, here, false, learn.Off, true, [2]Outcome{Failed, Failed}, ""},
		{"insists, not trusted", tls.RequireAnyClientCert, here, false, learn.Tunnel, false, [2]Outcome{Failed, Failed}, ""},
		{"asks, named", tls.RequestClientCert, here, true, learn.Off, true, [2]Outcome{Tunneling, Tunneling}, ""},
		{"asks, named, by the certificate", tls.RequestClientCert, there, true, learn.Tunnel, true, [2]Outcome{Tunneling, Tunneling}, ""},
		{"asks, named, is another", tls.RequestClientCert, there, true, learn.Tunnel, false, [2]Outcome{Failed, Failed}, ""},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tt.name+" "+tls.VersionName(version), func(t *testing.T) {
				options := everything
				options.ClientCertificate = tt.lessons
				b := newTLSTestbed(t, echo, func(c *tls.Config) { c.ClientAuth, c.MaxVersion, c.SessionTicketsDisabled = tt.auth, version, true }, func(b *testbed) {
					b.cfg.Tap, b.cfg.Learner, b.cfg.Origin.ClientCertificate = nil, learn.New(options, learn.Config{}), AnswerNone
					b.cfg.CertificateHost = func(name string) bool { return tt.named && name == "www.example.test" }
					if tt.names != nil {
						b.cfg.Resolver = tt.names
					}
					if !tt.trusted {
						b.cfg.Verifier = judge{b.forger.trusted.pool}
					}
				})
				for i, want := range tt.want {
					c := b.client(func(c *tls.Config) {
						c.InsecureSkipVerify = true
						leaf, err := b.origins.issue("alice")
						if err != nil {
							t.Fatal(err)
						}
						c.Certificates = []tls.Certificate{*leaf}
					})
					c.Write([]byte("x"))
					io.ReadFull(c, make([]byte, 1))
					c.Close()
					s := b.session()
					if i == 0 && tt.want[1] == Tunneling && s.Outcome == Bumped && s.Reason == "client-certificate" {
						continue // the alert came late
					}
					if s.Outcome != want && !(want == Failed && s.Outcome == Bumped && s.Reason == "client-certificate") {
						t.Errorf("session %d: %s (%s %v), want %s", i, s.Outcome, s.Reason, s.Err, want)
					}
					if i == 1 && s.Decision.Learned != tt.learned {
						t.Errorf("learned %q, want %q", s.Decision.Learned, tt.learned)
					}
					if want == Tunneling && s.BypassBy != ByOrigin {
						t.Errorf("session %d: passes by %q", i, s.BypassBy)
					}
				}
			})
		}
	}
}

// TestLateInsistence: the alert of TLS 1.3 comes when the client's handshake is over. The
// session ends for it, and the next one is tunneled.
func TestLateInsistence(t *testing.T) {
	b := newTestbed(t, func(b *testbed, c net.Conn) {
		b.tlsOrigin(echo, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })(&lateAlert{Conn: c})
	}, func(b *testbed) {
		b.cfg.Tap, b.cfg.Learner, b.cfg.Origin.ClientCertificate = nil, learn.New(everything, learn.Config{}), AnswerNone
		b.cfg.Resolver = directory{"www.example.test": {loopback}}
	})
	for i, want := range []Outcome{Bumped, Tunneling} {
		c := b.client(func(c *tls.Config) { c.InsecureSkipVerify = true })
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, c)
		c.Close()
		s := b.session()
		if s.Outcome != want || i == 0 && (s.Reason != "client-certificate" || s.Taught != learn.ClientCertificate) {
			t.Errorf("session %d: %s, reason %q, taught %q", i, s.Outcome, s.Reason, s.Taught)
		}
	}
}

// lateAlert writes the alert that answers the client's second flight late.
type lateAlert struct {
	net.Conn
	writes int
}

func (l *lateAlert) Write(p []byte) (int, error) {
	if l.writes++; l.writes > 1 {
		time.Sleep(2 * insistAtMost)
	}
	return l.Conn.Write(p)
}

// TestHastyOrigin: an origin that asks for a certificate, and says two octets before the
// client, loses none of them.
func TestHastyOrigin(t *testing.T) {
	b := newTLSTestbed(t, func(c *tls.Conn) {
		io.WriteString(c, "hi")
		echo(c)
	}, func(c *tls.Config) { c.ClientAuth, c.SessionTicketsDisabled = tls.RequestClientCert, true }, func(b *testbed) {
		b.cfg.Origin.ClientCertificate = AnswerNone
	})
	c := b.client(nil)
	got := make([]byte, 2)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hi" {
		t.Errorf("got %q, %v", got, err)
	}
	c.Close()
	if s := b.session(); s.Outcome != Bumped {
		t.Errorf("%s, %s", s.Outcome, s.Reason)
	}
}

// TestUncertainOrigin: an origin without a name, and one that a proxy was asked for by
// another name, teach nothing by insisting.
func TestUncertainOrigin(t *testing.T) {
	for _, tt := range []struct{ sni, asked string }{{"", ""}, {"www.example.test", "other.test"}} {
		d := decision{engine: &Engine{addresses: new(Addresses)}, in: &Incoming{}, account: &Session{
			SNI: tt.sni, Name: tt.asked, Origin: netip.AddrPortFrom(loopback, 443),
		}, asked: new(policy.Facts)}
		d.engine.addresses.Add("www.example.test", []netip.Addr{loopback}, loopback, time.Now())
		if s := (&session{decision: d}); s.confirmed(t.Context()) {
			t.Errorf("%+v is confirmed", tt)
		}
	}
}
