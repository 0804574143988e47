package upstream

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, row := range []struct{ in, want, user string }{
		{"http://proxy.test:3128", "http://proxy.test:3128", ""},
		{"http://proxy.test", "http://proxy.test:80", ""},
		{"HTTPS://proxy.test/", "https://proxy.test:443", ""},
		{"socks5://[2001:db8::1]", "socks5://[2001:db8::1]:1080", ""},
		{"socks5h://192.0.2.1:1081", "socks5://192.0.2.1:1081", ""},
		{"http://me:p%40ss@proxy.test:3128", "http://proxy.test:3128", "me"},
		{"proxy.test:3128", "", ""},
		{"ftp://proxy.test", "", ""},
		{"http://", "", ""},
		{"http://proxy.test:0", "", ""},
		{"http://proxy.test:65536", "", ""},
		{"http://proxy.test/path", "", ""},
		{"http://me:a%0d%0aX@proxy.test", "", ""},
	} {
		p, err := Parse(row.in)
		if err != nil {
			if row.want != "" {
				t.Errorf("%s: %v", row.in, err)
			}
			continue
		}
		if p.String() != row.want || p.user != row.user {
			t.Errorf("%s: %s, user %q", row.in, p, p.user)
		}
	}
	if _, err := Parse("gopher://me:secret@proxy.test"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

func TestExceptions(t *testing.T) {
	var e Exceptions
	for _, s := range []string{"exact.test", "*.below.test", ".both.test", "192.0.2.1", "2001:db8::/32", "10.0.0.0/8"} {
		x, err := ParseException(s)
		if err != nil {
			t.Fatal(err)
		}
		e = append(e, x)
	}
	for _, row := range []struct {
		name, addr string
		has        bool
	}{
		{"exact.test", "203.0.113.1", true}, {"EXACT.test.", "203.0.113.1", true}, {"sub.exact.test", "203.0.113.1", false},
		{"below.test", "203.0.113.1", false}, {"a.b.below.test", "203.0.113.1", true}, {"notbelow.test", "203.0.113.1", false},
		{"both.test", "203.0.113.1", true}, {"a.both.test", "203.0.113.1", true}, {"notboth.test", "203.0.113.1", false},
		{"", "192.0.2.1", true}, {"any.test", "192.0.2.1", true}, {"", "::ffff:192.0.2.1", true}, {"", "192.0.2.2", false},
		{"", "2001:db8::9", true}, {"", "10.9.9.9", true}, {"", "11.0.0.1", false},
	} {
		to := Target{row.name, netip.AddrPortFrom(netip.MustParseAddr(row.addr), 443)}
		if e.Has(to) != row.has {
			t.Errorf("%s %s: %v", row.name, row.addr, !row.has)
		}
	}
	for _, s := range []string{"", "*", "*.", "a*b", "host:80", "a,b", "10.0.0.0/33"} {
		if _, err := ParseException(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

// TestAnswers has a proxy answer CONNECT in unusual ways, in pieces of one octet.
func TestAnswers(t *testing.T) {
	for _, row := range []struct {
		name, answer, behind string
		fails                bool
	}{
		{"plain", "HTTP/1.1 200 OK\r\n\r\n", "", false},
		{"origin speaks first", "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n220 mail\r\n", "220 mail\r\n", false},
		{"content length is ignored", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", "abcdef", false},
		{"refused", "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "", true},
		{"asks for credentials", "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "", true},
		{"no HTTP", "SSH-2.0-x\r\n", "", true},
		{"endless", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxAnswer) + "\r\n\r\n", "", true},
		{"ends", "HTTP/1.1 200", "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			done := make(chan string, 1)
			go func() {
				c, err := l.Accept()
				if err != nil {
					done <- err.Error()
					return
				}
				defer c.Close()
				b := make([]byte, 4096)
				n, _ := c.Read(b)
				step := max(1, len(row.answer)/1000)
				for rest := row.answer; rest != ""; {
					k := min(step, len(rest))
					if _, err := io.WriteString(c, rest[:k]); err != nil {
						break
					}
					rest = rest[k:]
				}
				done <- string(b[:n])
			}()
			p, err := Parse("http://u:p@" + l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			to := Target{"www.example.test", netip.MustParseAddrPort("192.0.2.1:443")}
			conn, err := p.Dial(ctx, to)
			if (err != nil) != row.fails {
				t.Fatalf("error %v", err)
			}
			if err == nil {
				defer conn.Close()
				if got := conn.RemoteAddr().String(); got != to.Addr.String() {
					t.Errorf("remote address %s", got)
				}
				if got, _ := io.ReadAll(conn); string(got) != row.behind {
					t.Errorf("origin said %q", got)
				}
			}
			const want = "CONNECT www.example.test:443 HTTP/1.1\r\nHost: www.example.test:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n"
			if got := <-done; got != want {
				t.Errorf("asked %q", got)
			}
		})
	}
}

// TestSilent has a proxy that says nothing: the caller's deadline ends the wait.
func TestSilent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, scheme := range []string{"http", "https", "socks5"} {
		p, err := Parse(scheme + "://" + l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if conn, err := p.Dial(ctx, Target{Addr: netip.MustParseAddrPort("192.0.2.1:443")}); err == nil {
			conn.Close()
			t.Errorf("%s: connected", scheme)
		}
		cancel()
	}
}

func FuzzParseException(f *testing.F) {
	for _, s := range []string{"a.test", "*.a.test", "10.0.0.0/8", "::1", "", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := ParseException(s)
		if err == nil && (Exceptions{x}).Has(Target{}) {
			t.Errorf("%q has the origin without name and address", s)
		}
	})
}
