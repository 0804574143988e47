package decrypt

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// mailOrigin speaks enough SMTP to upgrade.
func mailOrigin(b *testbed, conn net.Conn) {
	io.WriteString(conn, "220 mail.example.test ESMTP\r\n")
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch strings.ToUpper(strings.Fields(line + " x")[0]) {
		case "EHLO":
			io.WriteString(conn, "250-mail.example.test\r\n250-STARTTLS\r\n250 8BITMIME\r\n")
		case "STARTTLS":
			io.WriteString(conn, "220 go ahead\r\n")
			b.tlsOrigin(func(c *tls.Conn) {
				lines := bufio.NewScanner(c)
				for lines.Scan() {
					fmt.Fprintf(c, "250 secure %s\r\n", lines.Text())
				}
				c.Close()
			}, nil)(conn)
			return
		default:
		}
	}
}

func TestSTARTTLS(t *testing.T) {
	for _, tt := range []struct {
		name   string
		action policy.Action // once TLS is there
	}{{"bump", policy.Bump}, {"tunnel", policy.Tunnel}, {"terminate", policy.Terminate}} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTestbed(t, mailOrigin, func(b *testbed) {
				b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
					if f.TLS {
						if f.Protocol != "smtp" {
							t.Errorf("protocol %q", f.Protocol)
						}
						return tt.action
					}
					return policy.Bump
				})
			})
			conn := b.dial()
			r := bufio.NewReader(conn)
			expect := func(want string) {
				t.Helper()
				if line, err := r.ReadString('\n'); err != nil || line != want+"\r\n" {
					t.Fatalf("read %q, %v; want %q", line, err, want)
				}
			}
			expect("220 mail.example.test ESMTP")
			io.WriteString(conn, "EHLO client\r\n")
			expect("250-mail.example.test")
			expect("250-STARTTLS")
			expect("250 8BITMIME")
			io.WriteString(conn, "STARTTLS\r\n")
			expect("220 go ahead")
			pool := b.forger.trusted.pool
			if tt.action == policy.Tunnel {
				pool = b.origins.pool
			}
			c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: pool})
			err := c.Handshake()
			if tt.action == policy.Terminate {
				if err == nil {
					t.Error("handshake succeeded")
				}
				if s := b.session(); s.Outcome != Terminated {
					t.Errorf("outcome %s", s.Outcome)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, "NOOP\r\n")
			if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "250 secure NOOP\r\n" {
				t.Errorf("read %q, %v", line, err)
			}
			c.Close()
			s := b.session()
			if s.Protocol != "smtp" || s.SNI != "www.example.test" {
				t.Errorf("protocol %q, SNI %q", s.Protocol, s.SNI)
			}
			if got, want := b.tap.kind[OriginToClient][Upgrade], len("250-STARTTLS\r\n220 go ahead\r\n"); got != want {
				t.Errorf("tap saw %d octets of the upgrade, want %d", got, want)
			}
			if got := b.tap.kind[ClientToOrigin][Decrypted]; tt.action == policy.Bump && got != len("NOOP\r\n") {
				t.Errorf("tap saw %d decrypted octets", got)
			}
		})
	}
}

// TestGreetingBefore takes a mail session over behind the origin's greeting.
func TestGreetingBefore(t *testing.T) {
	const greeting = "220 mail.example.test ESMTP\r\n"
	b := newTestbed(t, func(b *testbed, c net.Conn) { mailOrigin(b, &mute{Conn: c, left: len(greeting)}) }, func(b *testbed) {
		b.greeting = []byte(greeting)
	})
	conn := b.dial()
	r := bufio.NewReader(conn)
	io.WriteString(conn, "EHLO client\r\n")
	for range 3 {
		r.ReadString('\n')
	}
	io.WriteString(conn, "STARTTLS\r\n")
	if line, err := r.ReadString('\n'); err != nil || line != "220 go ahead\r\n" {
		t.Fatalf("read %q, %v", line, err)
	}
	c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
	io.WriteString(c, "NOOP\r\n")
	if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "250 secure NOOP\r\n" {
		t.Errorf("read %q, %v", line, err)
	}
	c.Close()
	if s := b.session(); s.Outcome != Bumped || s.Protocol != "smtp" {
		t.Errorf("outcome %s, protocol %q, reason %q (%v)", s.Outcome, s.Protocol, s.Reason, s.Err)
	}
	if got := b.tap.data[OriginToClient].String(); !strings.HasPrefix(got, greeting+"250-") {
		t.Errorf("tap saw %.60q", got)
	}
}

// mute swallows the first octets written: the client has had them.
type mute struct {
	net.Conn
	left int
}

func (m *mute) Write(p []byte) (int, error) {
	skip := min(m.left, len(p))
	m.left -= skip
	if _, err := m.Conn.Write(p[skip:]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// TestPipelinedUpgrade smuggles octets behind the request for TLS (CVE-2011-0411,
// CVE-2021-23214), in every protocol: they reach nobody.
func TestPipelinedUpgrade(t *testing.T) {
	const smuggled = "smuggled"
	for _, tt := range []struct {
		name, greeting, request string
		reason                  string // "": pipelined-upgrade
	}{
		{name: "smtp", greeting: "220 mail.example.test ESMTP\r\n", request: "STARTTLS\r\n"},
		{name: "imap", greeting: "* OK hello\r\n", request: "a STARTTLS\r\n"},
		{name: "pop3", greeting: "+OK hello\r\n", request: "STLS\r\n"},
		{name: "ftp", greeting: "220 FTP server\r\n", request: "AUTH TLS\r\n"},
		{name: "ldap", request: "\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"},
		{name: "postgresql", request: "\x00\x00\x00\x08\x04\xd2\x16\x2f"},
		{name: "xmpp", request: "<?xml version='1.0'?><stream:stream><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"},
		{name: "mysql", greeting: "\x25\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00\xff\xff\xff\x02\x00\xff\x8f\x15\x00\x00\x00\x00\x00\x00\x00\x00",
			request: "\x20\x00\x00\x01\x85\xae\xff\x19" + strings.Repeat("\x00", 28), reason: "malformed-hello"}, // no answer is waited for
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan string, 1)
			b := newTestbed(t, func(_ *testbed, c net.Conn) {
				io.WriteString(c, tt.greeting)
				all, _ := io.ReadAll(c)
				got <- string(all)
			}, nil)
			conn := b.dial()
			if _, err := io.ReadFull(conn, make([]byte, len(tt.greeting))); err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, tt.request+smuggled)
			if _, err := io.Copy(io.Discard, conn); err == nil && tt.reason == "" {
				t.Error("session went on, want a reset")
			}
			s := b.session()
			if s.Reason != cmp.Or(tt.reason, "pipelined-upgrade") || s.Protocol != tt.name {
				t.Errorf("protocol %q, reason %q (%v)", s.Protocol, s.Reason, s.Err)
			}
			if said := <-got; strings.Contains(said, smuggled) {
				t.Errorf("the origin got %q", said)
			}
		})
	}
}

// TestStripped has an origin that offers TLS, and later does not.
func TestStripped(t *testing.T) {
	offers := make(chan string, 1)
	b := newTestbed(t, func(_ *testbed, c net.Conn) {
		io.WriteString(c, "220 mail.example.test ESMTP\r\n")
		bufio.NewReader(c).ReadString('\n')
		io.WriteString(c, "250-mail.example.test\r\n"+<-offers+"250 8BITMIME\r\n")
		io.Copy(io.Discard, c)
	}, func(b *testbed) { b.cfg.Tap = nil })
	for _, tt := range []struct{ offer, want string }{
		{"", ""}, {"250-STARTTLS\r\n", "offered"}, {"", "stripped"}, {"250-XXXXXXXA\r\n", "stripped"},
	} {
		conn := b.dial()
		r := bufio.NewReader(conn)
		r.ReadString('\n')
		offers <- tt.offer
		io.WriteString(conn, "EHLO client\r\n")
		for line := ""; !strings.HasPrefix(line, "250 "); {
			var err error
			if line, err = r.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		conn.CloseWrite()
		io.Copy(io.Discard, r)
		if s := b.session(); s.StartTLS.String() != tt.want || s.Outcome != Passed {
			t.Errorf("offer %q: outcome %v, the upgrade is %q, want %q", tt.offer, s.Outcome, s.StartTLS, tt.want)
		}
	}
}

// TestMailBehindFTP: a mail session is not one of FTP because its client has said a
// command that its server does not know. The policy is asked again.
func TestMailBehindFTP(t *testing.T) {
	asked := make(map[string]bool)
	b := newTestbed(t, talker("220 hello\r\n", []say{
		{"USER a\r\n", "500 what?\r\n"}, {"EHLO a\r\n", "250-hello\r\n250 STARTTLS\r\n"}, {"STARTTLS\r\n", "220 go\r\n"},
	}), func(b *testbed) {
		b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
			asked[f.Protocol] = true
			return policy.Bump
		})
	})
	conn := b.dial()
	converse(t, conn, "220 hello\r\n", []say{
		{"USER a\r\n", "500 what?\r\n"}, {"EHLO a\r\n", "250-hello\r\n250 STARTTLS\r\n"}, {"STARTTLS\r\n", "220 go\r\n"},
	})
	c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if s := b.session(); s.Outcome != Bumped || s.Protocol != "smtp" || s.StartTLS != StartTLSUsed || !asked["ftp"] || !asked["smtp"] || s.Late != nil {
		t.Errorf("%s %s, protocol %q, STARTTLS %s, asked about %v", s.Outcome, s.Reason, s.Protocol, s.StartTLS, asked)
	}
}
