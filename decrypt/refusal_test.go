package decrypt

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// showPage answers one request of HTTP/1.1.
func showPage(s *Session, conn net.Conn) {
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	body := fmt.Sprintf("%s: %s %s, rule %s", s.Reason, request.Method, request.URL.Path, s.Decision.Rule)
	fmt.Fprintf(conn, "HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
}

// asked returns what a client gets for a request.
func asked(conn net.Conn, request string) (string, error) {
	if _, err := io.WriteString(conn, request); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

const getPage = "GET /x HTTP/1.1\r\nHost: www.example.test\r\n\r\n"

// refusing is a testbed whose policy terminates everything, and which no
// connection may reach.
func refusing(t *testing.T, refusal Refusal, change func(*testbed)) *testbed {
	return newTestbed(t, func(_ *testbed, c net.Conn) { t.Error("a connection reached the origin") }, func(b *testbed) {
		b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
			if f.Protocol == "" && !f.TLS {
				return policy.Bump
			}
			return policy.Terminate
		})
		b.cfg.Refusal = refusal
		if change != nil {
			change(b)
		}
	})
}

func TestRefusedHello(t *testing.T) {
	const page = "policy: GET /x, rule test"
	h1 := func(c *tls.Config) { c.NextProtos = []string{"x", "http/1.1"} }
	for _, tt := range []struct {
		name    string
		refusal Refusal
		client  func(*tls.Config)
		notice  Notice
		err     string // of the client's handshake
	}{
		{"alert", Refusal{Page: showPage}, h1, NoticeAlert, "access denied"},
		{"page", Refusal{RefusalOptions{HTTPS: true}, showPage}, h1, NoticePage, ""},
		{"page, TLS 1.2", Refusal{RefusalOptions{HTTPS: true}, showPage}, func(c *tls.Config) { h1(c); c.MaxVersion = tls.VersionTLS12 }, NoticePage, ""},
		{"client of another protocol", Refusal{RefusalOptions{HTTPS: true}, showPage}, func(c *tls.Config) { c.NextProtos = []string{"imap"} }, NoticeAlert, "access denied"},
		{"client that names no protocol, another port", Refusal{RefusalOptions{HTTPS: true}, showPage}, nil, NoticeAlert, "access denied"},
		{"client that does not trust us", Refusal{RefusalOptions{HTTPS: true}, showPage}, func(c *tls.Config) { h1(c); c.RootCAs = x509.NewCertPool() }, NoticeReset, "unknown authority"},
		{"reset", Refusal{RefusalOptions{Answer: ResetRefused, HTTPS: true}, showPage}, h1, NoticeReset, "reset"},
		{"no page at hand", Refusal{RefusalOptions: RefusalOptions{HTTPS: true}}, h1, NoticeAlert, "access denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := refusing(t, tt.refusal, nil)
			c := b.client(tt.client)
			err := c.Handshake()
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("handshake: %v, want %q", err, tt.err)
			}
			if err == nil {
				if got, err := asked(c, getPage); err != nil || got != page {
					t.Errorf("got %q, %v", got, err)
				}
				if _, err := c.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("behind the page: %v", err)
				}
			}
			c.Close()
			s := b.session()
			if s.Outcome != Terminated || s.Reason != "policy" || s.Notice != tt.notice || s.Octets(0) != 0 || s.Untrusted {
				t.Errorf("session %+v", s)
			}
			if (s.ForgedSerial != "") != (tt.notice == NoticePage || tt.err == "unknown authority") {
				t.Errorf("serial %q", s.ForgedSerial)
			}
		})
	}
}

// TestRefusedOrigin: what is not known to be who it says is never shown under the
// authority that clients trust, not even as a page.
func TestRefusedOrigin(t *testing.T) {
	for _, tt := range []struct {
		name, reason string
		sni          string
		outcome      Outcome
		change       func(*testbed)
	}{
		{"bad certificate", "unknown-issuer", "www.example.test", Failed, func(b *testbed) {
			b.cfg.Verifier = judge{x509.NewCertPool()}
		}},
		{"handshake that shows what is wrong", "malformed", "www.example.test", Failed, func(b *testbed) {
			b.cfg.HandshakeReason = func(error) string { return "malformed" }
			b.cfg.Origin.MinTLS = tls.VersionTLS13
		}},
		{"name that belongs to another", "name-mismatch-check", "bank.example.test", Terminated, func(b *testbed) {
			b.cfg.Policy = always(policy.TunnelCheck)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, func(b *testbed) {
				b.cfg.Refusal = Refusal{RefusalOptions{HTTPS: true}, showPage}
				tt.change(b)
			})
			hello := func(pool *x509.CertPool) *tls.Conn {
				return b.client(func(c *tls.Config) { c.NextProtos, c.RootCAs, c.ServerName = []string{"http/1.1"}, pool, tt.sni })
			}
			if err := hello(b.forger.trusted.pool).Handshake(); !errors.As(err, new(*tls.CertificateVerificationError)) {
				t.Errorf("under the trusted authority: %v", err)
			}
			b.session()
			c := hello(b.forger.untrusted.pool)
			if got, err := asked(c, getPage); err != nil || !strings.HasPrefix(got, tt.reason+": ") {
				t.Errorf("got %q, %v", got, err)
			}
			c.Close()
			if s := b.session(); s.Outcome != tt.outcome || s.Reason != tt.reason || s.Notice != NoticePage || !s.Untrusted {
				t.Errorf("session %+v", s)
			}
		})
	}
}

func TestRefusedHTTP(t *testing.T) {
	for _, tt := range []struct {
		name, request, want string
		pause               time.Duration // before the request
	}{
		{"GET", getPage, "policy: GET /x, rule test", 0},
		{"client that waits first", getPage, "policy: GET /x, rule test", 200 * time.Millisecond},
		{"much content", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200_000), "policy: POST /x, rule test", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var octets atomic.Int64
			b := newTestbed(t, func(_ *testbed, c net.Conn) {
				n, _ := io.Copy(io.Discard, c)
				octets.Add(n)
			}, func(b *testbed) {
				b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
					if f.Protocol == "http" {
						return policy.Terminate
					}
					return policy.Bump
				})
				b.cfg.Refusal = Refusal{Page: showPage}
			})
			c := b.dial()
			time.Sleep(tt.pause)
			if got, err := asked(c, tt.request); err != nil || got != tt.want {
				t.Errorf("got %q, %v", got, err)
			}
			if _, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("behind the page: %v", err)
			}
			c.Close()
			if s := b.session(); s.Outcome != Terminated || s.Notice != NoticePage || octets.Load() != 0 {
				t.Errorf("session %+v, %d octets to the origin", s, octets.Load())
			}
		})
	}
}

func TestRefusedMail(t *testing.T) {
	for _, tt := range []struct {
		protocol, greeting, command string // command: of a client that speaks first
		want                        string
	}{
		{"smtp", "220 mail.example.test ESMTP\r\n", "", "554 5.7.1 "},
		{"smtp", "220 mail.example.test\r\n", "EHLO client\r\n", "554 5.7.1 "},
		{"imap", "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", "", "* BYE "},
		{"pop3", "+OK POP3 ready\r\n", "", "-ERR "},
		{"ssh", "SSH-2.0-x\r\n", "", ""},
	} {
		for _, reset := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s%s, reset=%v", tt.protocol, strings.TrimSpace(" "+tt.command), reset), func(t *testing.T) {
				heard := make(chan string, 1)
				b := newTestbed(t, func(_ *testbed, c net.Conn) {
					io.WriteString(c, tt.greeting)
					said, _ := io.ReadAll(c)
					heard <- string(said)
				}, func(b *testbed) {
					b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
						if f.Protocol == tt.protocol {
							return policy.Terminate
						}
						return policy.Bump
					})
					if reset {
						b.cfg.Refusal.Answer = ResetRefused
					}
				})
				c := b.dial()
				r := bufio.NewReader(c)
				if tt.command != "" {
					if line, err := r.ReadString('\n'); line != tt.greeting {
						t.Fatalf("greeted with %q, %v", line, err)
					}
					io.WriteString(c, tt.command)
				}
				got, err := io.ReadAll(r)
				notice := NoticeLine
				switch {
				case reset || tt.want == "":
					notice = NoticeReset
					if len(got) > 0 || !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("got %q, %v", got, err)
					}
				case err != nil || !strings.HasPrefix(string(got), tt.want) || strings.Count(string(got), "\r\n") != 1 || !strings.Contains(string(got), "(rule test, session "):
					t.Errorf("got %q, %v", got, err)
				}
				c.Close()
				if s := b.session(); s.Outcome != Terminated || s.Reason != "policy" || s.Notice != notice {
					t.Errorf("session %+v", s)
				}
				if said := <-heard; said != "" {
					t.Errorf("the origin heard %q", said)
				}
			})
		}
	}
}

// TestRefusedClientLingers has clients that are shown a page and never ask for it:
// they are gone after a while, and at once when the engine stops.
func TestRefusedClientLingers(t *testing.T) {
	for _, stop := range []bool{false, true} {
		t.Run(fmt.Sprintf("stop=%v", stop), func(t *testing.T) {
			b := refusing(t, Refusal{RefusalOptions{HTTPS: true}, showPage}, func(b *testbed) {
				if !stop {
					b.cfg.Client.HandshakeTimeout = 500 * time.Millisecond
				}
			})
			c := b.client(func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			if stop {
				b.cancel()
			}
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Error("read something")
			}
			c.Close()
			s := b.session()
			if reason := map[bool]string{false: "policy", true: "shutdown"}[stop]; s.Reason != reason || s.Outcome != Terminated {
				t.Errorf("session %+v", s)
			}
		})
	}
}

// TestPrintable: what operators call a rule cannot break out of a line.
func TestPrintable(t *testing.T) {
	if got := printable("böse\r\nRCPT"); got != "b??se??RCPT" {
		t.Errorf("got %q", got)
	}
	if got := printable(strings.Repeat("x", 1000)); len(got) != 100 {
		t.Errorf("%d octets", len(got))
	}
}

// chatty says more than it is asked for behind its hello.
type chatty struct{ net.Conn }

func (c chatty) Write(p []byte) (int, error) {
	if _, err := c.Conn.Write(append(p[:len(p):len(p)], make([]byte, 100_000)...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// TestAlertArrives: a client whose handshake fails reads why, though it had sent
// octets that nobody reads.
func TestAlertArrives(t *testing.T) {
	b := newTLSTestbed(t, echo, nil, nil)
	conn := b.dial()
	err := tls.Client(chatty{conn}, &tls.Config{ServerName: "www.example.test", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake()
	if err == nil || !strings.Contains(err.Error(), "protocol version not supported") {
		t.Errorf("client saw %v", err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("behind the alert: %v", err)
	}
	conn.Close()
	if s := b.session(); s.Reason != reasonClientTLS || s.Outcome != Failed || s.Notice != NoticeNone {
		t.Errorf("session %+v", s)
	}
}
