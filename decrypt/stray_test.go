package decrypt

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// strayServices are those of a chain for HTTP: known protocols pass beside it. The one
// service tells what session it got and what the client says there, and lets it end.
func strayServices(got chan<- string) func(*Session) []Service {
	return func(s *Session) []Service {
		if s.Protocol != "" && s.Protocol != "http" && s.Protocol != "http2" {
			return nil
		}
		return []Service{carryFunc(func(_ context.Context, s *Session, client, origin End) error {
			p := make([]byte, 256)
			type read struct {
				side string
				n    int
			}
			reads := make(chan read, 2)
			q := make([]byte, 256)
			go func() { n, _ := client.Read(p); reads <- read{"client", n} }()
			go func() { n, _ := origin.Read(q); reads <- read{"origin", n} }()
			r := <-reads
			client.Abort()
			origin.Abort()
			<-reads
			said := p[:r.n]
			if r.side == "origin" {
				said = q[:r.n]
			}
			got <- s.Protocol + ", " + r.side + ": " + string(said)
			return objection("stray")
		})}
	}
}

// TestStrays has dialogues in which the origin greets and the client says something else
// than the greeting's protocol. Services get the rest, and nobody else does.
func TestStrays(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
	long := "FROB /" + strings.Repeat("a", 4090) // may still be a request
	for _, tt := range []struct {
		name, greeting string
		lines          []string // that the origin hears, and answers with 200
		said, want     string
	}{
		{"unknown, HTTP", "hello\r\n", nil, get, "http, client: " + get},
		{"unknown, HTTP behind an empty line", "hello\r\n", nil, "\r\n" + get, "http, client: \r\n" + get},
		{"unknown, binary", "hello\r\n", nil, "\x00\x01\x02", ", client: \x00\x01\x02"},
		{"220, HTTP", "220 x\r\n", nil, get, "http, client: " + get},
		{"220, binary", "220 x\r\n", nil, "\x00\x01\x02", ", client: \x00\x01\x02"},
		{"220, words", "220 x\r\n", nil, "hello there\r\n", ", client: hello there\r\n"},
		{"220, HTTP behind a command", "220 x\r\n", []string{"NOOP\r\n"}, get, "http, client: " + get},
		{"SMTP, HTTP", "220 x ESMTP\r\n", nil, get, "http, client: " + get},
		{"SMTP, HTTP with a command for a method", "220 x ESMTP\r\n", nil, "EHLO / HTTP/1.1\r\n\r\n", "http, client: EHLO / HTTP/1.1\r\n\r\n"},
		{"SMTP, HTTP behind a command", "220 x ESMTP\r\n", []string{"EHLO c\r\n"}, get, "http, client: " + get},
		{"FTP, HTTP", "220 FTP\r\n", nil, get, "http, client: " + get},
		{"FTP, HTTP behind a command", "220 FTP\r\n", []string{"USER a\r\n", "XYZZ\r\n"}, get, "http, client: " + get},
		{"FTP, binary behind a command", "220 FTP\r\n", []string{"USER a\r\n"}, "\x00\x01\r\n", ", client: \x00\x01\r\n"},
		{"IMAP, HTTP", "* OK x\r\n", nil, get, "http, client: " + get},
		{"IMAP that needs no login, HTTP", "* PREAUTH x\r\n", nil, get, "http, client: " + get},
		{"IMAP, HTTP behind a command", "* OK x\r\n", []string{"a NOOP\r\n"}, get, "http, client: " + get},
		{"SMTP, a long line", "220 x ESMTP\r\n", nil, long, ", client: " + long[:256]},
		{"IMAP, a long line", "* OK x\r\n", nil, long, ", client: " + long[:256]},
		{"POP3, a long line", "+OK x\r\n", nil, long, ", client: " + long[:256]},
		{"SMTP, a long line behind a command", "220 x ESMTP\r\n", []string{"EHLO c\r\n"}, long, ", client: " + long[:256]},
		{"POP3, HTTP", "+OK x\r\n", nil, get, "http, client: " + get},
		{"POP3, HTTP behind a command", "+OK x\r\n", []string{"CAPA\r\n"}, get, "http, client: " + get},
		{"SSH, HTTP", "SSH-2.0-x\r\n", nil, get, "http, client: " + get},
		{"NNTP, HTTP", "200 x\r\n", nil, get, "http, client: " + get},
		{"VNC, binary", "RFB 003.008\n", nil, "\x00\x01\x02", ", client: \x00\x01\x02"},
		{"MySQL, HTTP", "\x4a\x00\x00\x00\x0a8.0.36\x00" + strings.Repeat("\x00", 67), nil, get, "http, client: " + get},
		{"MySQL without flags, HTTP", "\x4a\x00\x00\x00\x0a8" + strings.Repeat("x", 72), nil, get, "http, client: " + get},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, rest := make(chan string, 1), make(chan string, 1)
			b := newTestbed(t, func(_ *testbed, conn net.Conn) {
				io.WriteString(conn, tt.greeting)
				r := bufio.NewReader(conn)
				for _, line := range tt.lines {
					if p := make([]byte, len(line)); true {
						io.ReadFull(r, p)
					}
					io.WriteString(conn, "200 yes\r\n")
				}
				all, _ := io.ReadAll(r)
				rest <- string(all)
			}, func(b *testbed) { b.cfg.Services = strayServices(got) })
			conn := b.dial()
			r := bufio.NewReader(conn)
			p := make([]byte, len(tt.greeting))
			if _, err := io.ReadFull(r, p); err != nil || string(p) != tt.greeting {
				t.Fatalf("client got %q, %v", p, err)
			}
			for _, line := range tt.lines {
				io.WriteString(conn, line)
				if answer, err := r.ReadString('\n'); err != nil {
					t.Fatalf("answer %q, %v", answer, err)
				}
			}
			io.WriteString(conn, tt.said)
			if all, _ := io.ReadAll(r); len(all) > 0 {
				t.Errorf("client got %q behind", all)
			}
			if s := b.session(); s.Reason != "stray" {
				t.Errorf("%v, %q: %v", s.Outcome, s.Reason, s.Err)
			}
			if g := <-rest; g != "" {
				t.Errorf("origin got %q", g)
			}
			if g := <-got; g != tt.want {
				t.Errorf("services got %q, want %q", g, tt.want)
			}
		})
	}
}

// TestGoesOn has an origin say more than an unknown greeting while the client is silent.
func TestGoesOn(t *testing.T) {
	got := make(chan string, 1)
	greeted := make(chan struct{})
	b := newTestbed(t, func(_ *testbed, conn net.Conn) {
		io.WriteString(conn, "hello\r\n")
		<-greeted
		io.WriteString(conn, "file")
		io.ReadAll(conn)
	}, func(b *testbed) { b.cfg.Services = strayServices(got) })
	conn := b.dial()
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	close(greeted)
	if all, _ := io.ReadAll(r); len(all) > 0 {
		t.Errorf("client got %q behind the greeting", all)
	}
	if g := <-got; g != ", origin: file" {
		t.Errorf("services got %q", g)
	}
}

// TestStraysNot has dialogues whose clients say what fits: they pass beside services.
// What is still open in a greeting waits.
func TestStraysNot(t *testing.T) {
	for _, tt := range []struct {
		name     string
		greeting []string // in pieces
		lines    []string
	}{
		{"SMTP", []string{"220 x ESMTP\r\n"}, []string{"EHLO c\r\n", "XCLIENT a\r\n", "\r\n", "foo\r\n", "QUIT\r\n"}},
		{"SMTP, a long command", []string{"220 x ESMTP\r\n"}, []string{"AUTH GSSAPI " + strings.Repeat("a", 12000) + "\r\n", "QUIT\r\n"}},
		{"SMTP in pieces", []string{"22", "0-x\r\n", "220 x ESMTP\r\n"}, []string{"EHLO c\r\n", "NOOP\r\n"}},
		{"LMTP", []string{"220 x LMTP\r\n"}, []string{"LHLO c\r\n", "QUIT\r\n"}},
		{"FTP", []string{"220 FTP\r\n"}, []string{"USER a\r\n", "PASS GET / b\r\n", "SITE CHMOD 644 http/a\r\n", "\xff\xf4\xff\xf2ABOR\r\n", "MFMT 1 a\r\n"}},
		{"220", []string{"220 x\r\n"}, []string{"HELP\r\n", "QUIT\r\n"}},
		{"IMAP", []string{"* OK x\r\n"}, []string{"a.1 CAPABILITY\r\n", "a2 ID (\"name\" \"x\")\r\n"}},
		{"POP3", []string{"+OK x\r\n"}, []string{"CAPA\r\n", ".\r\n"}},
		{"SSH", []string{"SSH-2", ".0-x\r\n"}, []string{"SSH-2.0-c\r\n", "\x00\x01\r\n"}},
		{"NNTP", []string{"200 x\r\n"}, []string{"MODE READER\r\n", "XFOO\r\n"}},
		{"ManageSieve", []string{"\"IMPLEMENTATION\" \"x\"\r\n"}, []string{"CAPABILITY\r\n"}},
		{"IRC", []string{":x NOTICE * :y\r\n"}, []string{"NICK a\r\n", "USER a\r\n"}},
		{"rsync", []string{"@RSYNCD: 31.0\n"}, []string{"@RSYNCD: 31.0\n", "module\n"}},
		{"VNC", []string{"RFB 003.008\n"}, []string{"RFB 003.008\n", "\x01\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newTestbed(t, func(_ *testbed, conn net.Conn) {
				for i, piece := range tt.greeting {
					if i > 0 {
						time.Sleep(300 * time.Millisecond) // longer than a greeting is waited for
					}
					io.WriteString(conn, piece)
				}
				r := bufio.NewReader(conn)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					io.WriteString(conn, "400 "+line)
				}
			}, func(b *testbed) { b.cfg.Services = strayServices(make(chan string, 1)) })
			conn := b.dial()
			r := bufio.NewReader(conn)
			p := make([]byte, len(strings.Join(tt.greeting, "")))
			if _, err := io.ReadFull(r, p); err != nil {
				t.Fatalf("greeting %q: %v", p, err)
			}
			for _, line := range tt.lines {
				io.WriteString(conn, line)
				if got, err := r.ReadString('\n'); err != nil || got != "400 "+line {
					t.Fatalf("answer to %q is %q, %v", line, got, err)
				}
			}
			conn.Close()
			if s := b.session(); s.Reason != "" {
				t.Errorf("%v, %q: %v", s.Outcome, s.Reason, s.Err)
			}
		})
	}
}

// TestStraysJudged has no services: a rule on the host sees the request behind a greeting.
func TestStraysJudged(t *testing.T) {
	for _, greeting := range []string{"hello\r\n", "220 x\r\n", "SSH-2.0-x\r\n"} {
		t.Run(greeting, func(t *testing.T) {
			heard := make(chan string, 1)
			b := newTestbed(t, func(_ *testbed, conn net.Conn) {
				io.WriteString(conn, greeting)
				all, _ := io.ReadAll(conn)
				heard <- string(all)
			}, func(b *testbed) {
				b.cfg.Policy = decide(func(f *policy.Facts) policy.Action {
					if f.Host == "evil.test" {
						return policy.Terminate
					}
					return policy.Bump
				})
			})
			conn := b.dial()
			r := bufio.NewReader(conn)
			if _, err := r.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n")
			io.ReadAll(r)
			if g := <-heard; g != "" {
				t.Errorf("origin got %q", g)
			}
			if s := b.session(); s.Decision.Action != policy.Terminate || s.Protocol != "http" || s.Host != "evil.test" {
				t.Errorf("%+v, %q, %q", s.Decision, s.Protocol, s.Host)
			}
		})
	}
}
