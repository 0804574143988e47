package decrypt

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// say is a line of a dialogue: what the client says, and what the origin answers to it.
type say struct{ client, origin string }

// talker is an origin that greets, holds a dialogue, and then speaks TLS and echoes.
func talker(greeting string, lines []say) func(*testbed, net.Conn) {
	return func(b *testbed, conn net.Conn) {
		io.WriteString(conn, greeting)
		for _, l := range lines {
			if _, err := io.ReadFull(conn, make([]byte, len(l.client))); err != nil {
				return
			}
			io.WriteString(conn, l.origin)
		}
		b.tlsOrigin(echo, nil)(conn)
	}
}

// converse has a client hold the dialogue of a talker.
func converse(t *testing.T, conn net.Conn, greeting string, lines []say) {
	t.Helper()
	hear := func(want string) {
		t.Helper()
		p := make([]byte, len(want))
		if _, err := io.ReadFull(conn, p); err != nil || string(p) != want {
			t.Fatalf("client got %q, %v; want %q", p, err, want)
		}
	}
	hear(greeting)
	for _, l := range lines {
		io.WriteString(conn, l.client)
		hear(l.origin)
	}
}

var lateDialogues = []struct {
	name, greeting string
	lines          []say
	protocol       string // of what passed before
	connect        string
}{
	{"invented word", "", []say{{"may I?\n", "yes\n"}}, "", ""},
	{"ManageSieve", "\"IMPLEMENTATION\" \"x\"\r\n\"STARTTLS\"\r\nOK\r\n", []say{{"STARTTLS\r\n", "OK \"go\"\r\n"}}, "managesieve", ""},
	{"NNTP", "200 news.a.test ready\r\n", []say{{"CAPABILITIES\r\n", "101 list\r\nSTARTTLS\r\n.\r\n"}, {"STARTTLS\r\n", "382 go\r\n"}}, "nntp", ""},
	{"IRC", "", []say{{"STARTTLS\r\n", ":irc.a.test 670 * :go\r\n"}}, "", ""},
	{"RDP", "", []say{{"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00", "\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x01\x00\x00\x00"}}, "rdp", ""},
	{"CONNECT", "", []say{
		{"CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n", "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"},
		{"CONNECT www.example.test:443 HTTP/1.1\r\nProxy-Authorization: Basic eA==\r\n\r\n", "HTTP/1.1 200 Yes\r\n\r\n"},
	}, "http", "www.example.test"},
	{"CONNECT in CONNECT", "", []say{
		{"CONNECT second.test:3128 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 Yes\r\n\r\n"},
		{"CONNECT www.example.test:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 Yes\r\n\r\n"},
	}, "http", "www.example.test"},
	{"Upgrade", "", []say{{"OPTIONS * HTTP/1.1\r\nHost: www.example.test\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 101 Yes\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n\r\n"}}, "http", ""},
	{"SOCKS", "", []say{{"\x05\x01\x00", "\x05\x00"}, {"\x05\x01\x00\x03\x10www.example.test\x01\xbb", "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"}}, "socks", "www.example.test"},
	{"POP3 by another word", "+OK ready\r\n", []say{{"XTLS\r\n", "+OK\r\n"}}, "pop3", ""},
	{"IMAP by another word", "* OK ready\r\n", []say{{"a XTLS\r\n", "a OK\r\n"}}, "imap", ""},
	{"mail by another word", "220 mail.a.test ESMTP\r\n", []say{{"EHLO a\r\n", "250 mail.a.test\r\n"}, {"XTLS\r\n", "220 go\r\n"}}, "smtp", ""},
	{"greeting alone", "hello, here is the origin\r\n", nil, "", ""},
	{"SSH that is none", "", []say{{"SSH-2.0-x\r\n", "SSH-2.0-y\r\n"}}, "ssh", ""},
}

// TestLate: TLS behind any dialogue is opened, on the legs that are there, and told.
func TestLate(t *testing.T) {
	for _, tt := range lateDialogues {
		for _, tapped := range []bool{true, false} {
			name := tt.name
			if !tapped {
				name += ", no tap"
			}
			t.Run(name, func(t *testing.T) {
				b := newTestbed(t, talker(tt.greeting, tt.lines), func(b *testbed) {
					if !tapped {
						b.cfg.Tap = nil
					}
				})
				conn := b.dial()
				converse(t, conn, tt.greeting, tt.lines)
				serverName := "www.example.test"
				if tt.connect != "" {
					serverName = "" // CONNECT says it
				}
				c := tls.Client(conn, &tls.Config{ServerName: serverName, InsecureSkipVerify: serverName == "", RootCAs: b.forger.trusted.pool})
				io.WriteString(c, "secret\n")
				if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "secret\n" {
					t.Fatalf("client got %q, %v", line, err)
				}
				if err := c.ConnectionState().PeerCertificates[0].CheckSignatureFrom(b.forger.trusted.cert); err != nil {
					t.Errorf("client got the origin's certificate: %v", err)
				}
				c.Close()
				s := b.session()
				if s.Outcome != Bumped || s.Reason != "" || !s.Events().Has(policy.LateTLS) || s.Late == nil {
					t.Fatalf("%s %s (%v), events %v", s.Outcome, s.Reason, s.Err, s.Events().Names())
				}
				before := [2]string{"", tt.greeting}
				for _, l := range tt.lines {
					before[0], before[1] = before[0]+l.client, before[1]+l.origin
				}
				if s.Late.Octets != [2]uint64{uint64(len(before[0])), uint64(len(before[1]))} || s.Late.Connect != tt.connect || s.Late.Protocol != tt.protocol {
					t.Errorf("%+v, want %d and %d octets", s.Late, len(before[0]), len(before[1]))
				}
				if got := b.tap.data[ClientToOrigin].String(); tapped && got != before[0]+"secret\n" {
					t.Errorf("tap saw %q", got)
				}
				if got := b.tap.data[OriginToClient].String(); tapped && got != before[1]+"secret\n" {
					t.Errorf("tap saw %q", got)
				}
			})
		}
	}
}

// joined is a connection whose first octets go out together with others.
type joined struct {
	net.Conn
	before []byte
	pieces bool // octet by octet
}

func (j *joined) Write(p []byte) (int, error) {
	q := append(j.before, p...)
	if j.before = nil; !j.pieces {
		_, err := j.Conn.Write(q)
		return len(p), err
	}
	for i := range q {
		if _, err := j.Conn.Write(q[i : i+1]); err != nil {
			return 0, err
		}
		if i < 20 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	return len(p), nil
}

// TestLateHello: the hello comes in one flight with what is before it, in pieces, or
// while the origin is silent.
func TestLateHello(t *testing.T) {
	for _, tt := range []struct {
		name   string
		line   say
		joined bool
		pieces bool
	}{
		{"with the request", say{"CONNECT www.example.test:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 Yes\r\n\r\n"}, true, false},
		{"with a word", say{"may I?\n", "yes\n"}, true, false},
		{"in pieces", say{"may I?\n", "yes\n"}, false, true},
		{"origin is silent", say{"now\n", ""}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTestbed(t, talker("", []say{tt.line}), nil)
			conn := b.dial()
			j := &joined{Conn: conn, pieces: tt.pieces}
			c := tls.Client(&answered{j, tt.line.origin}, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
			if tt.joined {
				j.before = []byte(tt.line.client)
			} else {
				io.WriteString(conn, tt.line.client)
				time.Sleep(20 * time.Millisecond)
			}
			io.WriteString(c, "secret\n")
			if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "secret\n" {
				t.Fatalf("client got %q, %v", line, err)
			}
			c.Close()
			if s := b.session(); s.Outcome != Bumped || s.Late == nil {
				t.Errorf("%s %s (%v), %+v", s.Outcome, s.Reason, s.Err, s.Late)
			}
		})
	}
}

// answered is a connection whose first octets are no TLS.
type answered struct {
	net.Conn
	before string
}

func (a *answered) Read(p []byte) (int, error) {
	if a.before != "" {
		q := make([]byte, len(a.before))
		if _, err := io.ReadFull(a.Conn, q); err != nil {
			return 0, err
		}
		a.before = ""
	}
	return a.Conn.Read(p)
}

// TestLateActions: the policy is asked again, with the event.
func TestLateActions(t *testing.T) {
	for _, tt := range []struct {
		action policy.Action
		want   Outcome
	}{{policy.Tunnel, Tunneling}, {policy.Terminate, Terminated}} {
		t.Run(tt.action.String(), func(t *testing.T) {
			lines := []say{{"may I?\n", "yes\n"}}
			b := newTestbed(t, talker("", lines), func(b *testbed) {
				b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
					if f.Events.Has(policy.LateTLS) {
						if !f.TLS || f.SNI != "www.example.test" {
							t.Errorf("asked with %+v", f)
						}
						return tt.action
					}
					return policy.Bump
				})
			})
			conn := b.dial()
			converse(t, conn, "", lines)
			c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.origins.pool})
			if err := c.Handshake(); (err == nil) != (tt.action == policy.Tunnel) {
				t.Errorf("client: %v", err)
			}
			c.Close()
			if s := b.session(); s.Outcome != tt.want || !s.Events().Has(policy.LateTLS) {
				t.Errorf("%s %s (%v)", s.Outcome, s.Reason, s.Err)
			}
		})
	}
}

// TestLateNot: what only begins like a hello passes as it is, and in time.
func TestLateNot(t *testing.T) {
	whole := hello(t)
	broken := bytes.Clone(whole)
	broken[recordHeader+4+2+32]++ // length of the session identifier
	for _, tt := range []struct {
		name   string
		octets []byte
	}{
		{"octet", []byte{recordHandshake}},
		{"version", []byte{recordHandshake, 3, 1}},
		{"half a hello", whole[:len(whole)/2]},
		{"another message", append([]byte{recordHandshake, 3, 1, 0, 9, 3}, "something"...)},
		{"broken hello", broken},
		{"octets behind it", append(bytes.Clone(whole[:recordHeader+3]), strings.Repeat("x", 600)...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newTestbed(t, func(_ *testbed, c net.Conn) { io.Copy(c, c) }, func(b *testbed) { b.cfg.Client.HandshakeTimeout = time.Second / 2 })
			conn := b.dial()
			converse(t, conn, "", []say{{"may I?\n", "may I?\n"}, {string(tt.octets), string(tt.octets)}, {"more\n", "more\n"}})
			conn.Close()
			if s := b.session(); s.Outcome != Passed || s.Late != nil || s.Events() != 0 {
				t.Errorf("%s %s (%v), events %v", s.Outcome, s.Reason, s.Err, s.Events().Names())
			}
		})
	}
}

// TestLateFile: a file may hold a hello anywhere behind its beginning.
func TestLateFile(t *testing.T) {
	b := newTestbed(t, func(_ *testbed, c net.Conn) {
		io.Copy(io.Discard, c)
		io.WriteString(c, "got it")
		c.Close()
	}, nil)
	conn := b.dial()
	io.WriteString(conn, "STORE\n"+strings.Repeat("x", 2*maxSmall))
	for range 20 {
		conn.Write(hello(t))
		time.Sleep(2 * time.Millisecond)
	}
	conn.CloseWrite()
	if got, err := io.ReadAll(conn); string(got) != "got it" {
		t.Errorf("client got %q, %v", got, err)
	}
	if s := b.session(); s.Outcome != Passed || s.Late != nil {
		t.Errorf("%s %s (%v)", s.Outcome, s.Reason, s.Err)
	}
}

// maxSmall is more than a client may say before the origin has spoken.
const maxSmall = 4 << 10

// TestLateUnread: TLS whose hello was not found is told by the origin's answer, and ends if
// the policy says so.
func TestLateUnread(t *testing.T) {
	for _, action := range []policy.Action{policy.Bump, policy.Terminate} {
		t.Run(action.String(), func(t *testing.T) {
			lines := []say{{strings.Repeat("x", 2*maxSmall), ""}}
			b := newTestbed(t, talker("", lines), func(b *testbed) {
				b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
					if f.Events.Has(policy.LateTLS) {
						return action
					}
					return policy.Bump
				})
			})
			conn := b.dial()
			io.WriteString(conn, lines[0].client)
			time.Sleep(50 * time.Millisecond) // the hello is on its own
			c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.origins.pool})
			io.WriteString(c, "secret\n")
			line, err := bufio.NewReader(c).ReadString('\n')
			if (err == nil && line == "secret\n") != (action == policy.Bump) {
				t.Errorf("client got %q, %v", line, err)
			}
			c.Close()
			want := map[policy.Action]Outcome{policy.Bump: Passed, policy.Terminate: Terminated}[action]
			if s := b.session(); s.Outcome != want || !s.Events().Has(policy.LateTLS) {
				t.Errorf("%s %s (%v), events %v", s.Outcome, s.Reason, s.Err, s.Events().Names())
			}
		})
	}
}

// TestLateWithin: TLS within TLS is opened, too: at once, or behind a word.
func TestLateWithin(t *testing.T) {
	for _, tt := range []struct {
		name    string
		line    say
		connect string
		joined  bool
	}{
		{"at once", say{}, "", false},
		{"behind CONNECT", say{"CONNECT www.example.test:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 Yes\r\n\r\n"}, "www.example.test", false},
		{"with CONNECT", say{"CONNECT www.example.test:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 Yes\r\n\r\n"}, "www.example.test", true},
		{"behind a word", say{"may I?\n", "yes\n"}, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			within := talker("", []say{tt.line})
			b := newTestbed(t, func(b *testbed, c net.Conn) { b.tlsOrigin(func(c *tls.Conn) { within(b, c) }, nil)(c) }, nil)
			outer := b.client(nil)
			j := &joined{Conn: outer}
			c := tls.Client(&answered{j, tt.line.origin}, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
			if tt.joined {
				j.before = []byte(tt.line.client)
			} else {
				io.WriteString(outer, tt.line.client)
			}
			for _, text := range []string{"secret\n", strings.Repeat("much ", 200_000) + "\n"} {
				go io.WriteString(c, text)
				got := make([]byte, len(text))
				if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
					t.Fatalf("client got %.20q, %v", got, err)
				}
			}
			c.CloseWrite()
			if n, err := c.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("client got %d octets and %v at the end", n, err)
			}
			outer.Close()
			s := b.session()
			if s.Outcome != Bumped || s.Reason != "" || s.Late == nil || s.Late.Outer != "www.example.test" || s.Late.Connect != tt.connect || s.OriginTLS.Verdict != "ok" {
				t.Fatalf("%s %s (%v), %+v", s.Outcome, s.Reason, s.Err, s.Late)
			}
			if got := b.tap.data[ClientToOrigin].String(); !strings.HasPrefix(got, tt.line.client+"secret\n") {
				t.Errorf("tap saw %.80q", got)
			}
		})
	}
}

// TestLateServices: services that carry a session see what is before TLS, and what is
// within.
func TestLateServices(t *testing.T) {
	lines := []say{{"CONNECT www.example.test:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 Yes\r\n\r\n"}}
	for _, secured := range []bool{false, true} {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprintf("secured %v, together %v", secured, together), func(t *testing.T) {
				within := talker("", lines)
				var carried atomic.Int32
				b := newTestbed(t, func(b *testbed, c net.Conn) {
					if secured {
						b.tlsOrigin(func(c *tls.Conn) { within(b, c) }, nil)(c)
					} else {
						within(b, c)
					}
				}, func(b *testbed) {
					b.cfg.Services = func(*Session) []Service {
						return []Service{carryFunc(func(ctx context.Context, s *Session, client, origin End) error {
							carried.Add(1)
							return through(func([]byte) {}).Carry(ctx, s, client, origin)
						}), through(func([]byte) {})}
					}
				})
				conn := net.Conn(b.dial())
				if secured {
					conn = tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
				}
				j := &joined{Conn: conn}
				under := net.Conn(j)
				if together {
					j.before, under = []byte(lines[0].client), &answered{j, lines[0].origin}
				} else {
					converse(t, conn, "", lines)
				}
				c := tls.Client(under, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
				io.WriteString(c, "secret\n")
				if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || line != "secret\n" {
					t.Fatalf("client got %q, %v", line, err)
				}
				c.Close()
				conn.Close()
				if s := b.session(); s.Outcome != Bumped || s.Late == nil || carried.Load() != 2 {
					t.Errorf("%s %s (%v), %+v, carried %d times", s.Outcome, s.Reason, s.Err, s.Late, carried.Load())
				}
				if got := b.tap.data[ClientToOrigin].String(); got != lines[0].client+"secret\n" {
					t.Errorf("tap saw %q", got)
				}
			})
		}
	}
}
