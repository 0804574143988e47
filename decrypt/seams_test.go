package decrypt

import (
	"bufio"
	"crypto/tls"
	"io"
	"testing"

	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// knowing has learned one lesson of everything.
type knowing struct{ noLearner }

func (knowing) Recall(*policy.Facts, *policy.Treatment) learn.Lesson { return learn.Pinned }

// TestLearnedAndPending: what was learned has a session tunneled only when the
// origin's certificate does not have it terminated, and only while that is possible.
func TestLearnedAndPending(t *testing.T) {
	for _, tt := range []struct {
		name    string
		issuer  string
		mail    bool // the hello comes after STARTTLS
		outcome Outcome
		rule    string
		learned string
	}{
		{"another issuer", "nobody", false, Tunneling, "default", "pinned"},
		{"terminated by issuer", "origins", false, Terminated, "issued", ""},
		{"another issuer, after STARTTLS", "nobody", true, Bumped, "default", ""},
		{"terminated by issuer, after STARTTLS", "origins", true, Terminated, "issued", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			change := func(b *testbed) {
				b.cfg.Policy = rules(t, policy.Bump, policy.Rule{Name: "issued", Issuer: []string{tt.issuer}, Action: policy.Terminate})
				b.cfg.Learner = knowing{}
			}
			var b *testbed
			var c *tls.Conn
			if tt.mail {
				b = newTestbed(t, mailOrigin, change)
				conn := b.dial()
				askTLS(t, conn)
				c = tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
			} else {
				b = newTLSTestbed(t, echo, nil, change)
				c = b.client(func(c *tls.Config) { c.RootCAs = b.origins.pool })
			}
			if err := c.Handshake(); (err == nil) != (tt.outcome != Terminated) {
				t.Errorf("client: %v", err)
			}
			if tt.outcome != Terminated {
				io.WriteString(c, "NOOP\r\n")
				if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
					t.Error(err)
				}
			}
			c.Close()
			if s := b.session(); s.Outcome != tt.outcome || s.Decision.Rule != tt.rule || s.Decision.Learned != tt.learned {
				t.Errorf("%s by %s, learned %q (%s %v)", s.Outcome, s.Decision.Rule, s.Decision.Learned, s.Reason, s.Err)
			}
		})
	}
}

// askTLS has a mail session turn to TLS.
func askTLS(t *testing.T, conn io.ReadWriter) {
	t.Helper()
	r := bufio.NewReader(conn)
	for _, say := range []string{"", "EHLO client\r\n", "STARTTLS\r\n"} {
		io.WriteString(conn, say)
		for line := "-"; len(line) > 3 && line[3] == '-' || line == "-"; {
			var err error
			if line, err = r.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLearnedMonitored: mode monitor tells what learning would have changed.
func TestLearnedMonitored(t *testing.T) {
	for _, tt := range []struct {
		def   policy.Action
		would policy.Action
		word  string
	}{{policy.Bump, policy.Tunnel, "pinned"}, {policy.Terminate, policy.Terminate, ""}} {
		b := newTLSTestbed(t, echo, nil, func(b *testbed) {
			b.cfg.Policy, b.cfg.Learner = rules(t, tt.def).Monitor(), knowing{}
		})
		c := b.client(func(c *tls.Config) { c.RootCAs = b.origins.pool })
		if err := c.Handshake(); err != nil {
			t.Error(err)
		}
		c.Close()
		s := b.session()
		if d := s.Decision; s.Outcome != Tunneling || !d.Monitored || d.Action != policy.Tunnel || d.Would != tt.would || d.Learned != tt.word {
			t.Errorf("%s, %+v", s.Outcome, d)
		}
	}
}

// TestNoPageWithoutCipher: a client with which no handshake can be made is told by
// an alert, though others would see a page.
func TestNoPageWithoutCipher(t *testing.T) {
	b := refusing(t, Refusal{RefusalOptions{HTTPS: true}, showPage}, nil)
	c := b.client(func(c *tls.Config) {
		c.NextProtos, c.MaxVersion, c.CipherSuites = []string{"http/1.1"}, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	})
	if err := c.Handshake(); err == nil || err.Error() != "remote error: tls: access denied" {
		t.Errorf("client: %v", err)
	}
	c.Close()
	if s := b.session(); s.Outcome != Terminated || s.Notice != NoticeAlert || s.ForgedSerial != "" {
		t.Errorf("%s, notice %s", s.Outcome, s.Notice)
	}
}
