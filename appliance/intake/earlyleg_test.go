package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/hack/tempo"
)

// unreached is what an intake tells of sessions that it ended.
type unreached struct {
	mu   sync.Mutex
	told []string
	last error
}

func (u *unreached) add(in *decrypt.Incoming, err error, told bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.told, u.last = append(u.told, fmt.Sprint(in.Intake, " ", in.Name, " ", told)), err
}

// TestRefusedOrigin: a client of CONNECT or SOCKS learns that the origin refuses,
// before it is told that it is connected, and there is an entry.
func TestRefusedOrigin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := addrPort(l.Addr())
	l.Close()
	port := string([]byte{byte(closed.Port() >> 8), byte(closed.Port())})
	for _, tt := range []struct{ name, request, want string }{
		{"CONNECT", fmt.Sprintf("CONNECT origin.test:%d HTTP/1.1\r\n\r\n", closed.Port()), "HTTP/1.1 502 Bad Gateway\r\n"},
		{"CONNECT behind another request", fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\n\r\nCONNECT origin.test:%d HTTP/1.1\r\nHost: x\r\n\r\n", closed.Port()), "HTTP/1.1 400 "},
		{"SOCKS5", socksFor("origin.test", closed.Port()), "\x05\x00\x05\x05\x00\x01"},
		{"SOCKS4A", "\x04\x01" + port + "\x00\x00\x00\x01\x00origin.test\x00", "\x00\x5b\x00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r recorder
			var u unreached
			o := r.options("proxy")
			o.Resolver = names{"origin.test": {closed.Addr()}}
			o.DialsEarly, o.Unreached = func(*decrypt.Incoming) bool { return true }, u.add
			i, err := NewExplicit(Explicit{Listen: "127.0.0.1:0"}, o)
			conn, read := dialTest(t, serve(t, i, err))
			io.WriteString(conn, tt.request)
			expect(t, read, tt.want)
			io.Copy(io.Discard, read)
			if strings.Contains(tt.name, "behind") {
				return
			}
			if len(r.seen()) != 0 || len(u.told) != 1 || u.told[0] != "proxy origin.test true" || !errors.Is(u.last, syscall.ECONNREFUSED) {
				t.Errorf("sessions %v, told %q, %v", r.seen(), u.told, u.last)
			}
		})
	}
}

// TestEarlyLeg: the leg that was opened early is the session's, and is closed if the
// session does not take it.
func TestEarlyLeg(t *testing.T) {
	for _, takes := range []bool{true, false} {
		t.Run(fmt.Sprint(takes), func(t *testing.T) {
			var mu sync.Mutex
			accepted, ended := 0, 0
			to := origin(t, func(c net.Conn) {
				mu.Lock()
				accepted++
				mu.Unlock()
				io.Copy(io.Discard, c)
				mu.Lock()
				ended++
				mu.Unlock()
			})
			o := new(recorder).options("proxy")
			o.Resolver = names{"origin.test": {to.Addr()}}
			o.DialsEarly = func(*decrypt.Incoming) bool { return true }
			o.Handler = func(ctx context.Context, in *decrypt.Incoming) {
				if !in.Accepted {
					t.Error("the session does not know that its client was told")
				}
				if takes {
					splice(ctx, in)
				}
			}
			i, err := NewExplicit(Explicit{Listen: "127.0.0.1:0"}, o)
			conn, read := dialTest(t, serve(t, i, err))
			fmt.Fprintf(conn, "CONNECT origin.test:%d HTTP/1.1\r\n\r\n", to.Port())
			expect(t, read, established)
			conn.CloseWrite()
			io.Copy(io.Discard, read)
			tempo.Until(t, "the leg is closed", func() bool { mu.Lock(); defer mu.Unlock(); return ended == 1 })
			if accepted != 1 {
				t.Errorf("%d connections to the origin", accepted)
			}
		})
	}
}

// TestLoopIsTold: a destination that is a listener of the box is refused, logged and
// accounted for.
func TestLoopIsTold(t *testing.T) {
	var r recorder
	var u unreached
	o := r.options("fixed")
	o.Guard = func(to netip.AddrPort) error { return fmt.Errorf("open %v: %w", to, decrypt.ErrLoop) }
	o.Unreached = u.add
	o.Resolver = names{"self.test": {netip.MustParseAddr("127.0.0.1")}}
	i, err := NewStatic(Static{Listen: "127.0.0.1:0", Origin: "self.test:1"}, o)
	if err := ending(serve(t, i, err)); err == nil {
		t.Error("served")
	}
	i, err = NewExplicit(Explicit{Listen: "127.0.0.1:0"}, o)
	proxy := serve(t, i, err)
	for _, request := range []string{"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", "GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\n\r\n"} {
		conn, read := dialTest(t, proxy)
		io.WriteString(conn, request)
		expect(t, read, "HTTP/1.1 403 ")
		io.Copy(io.Discard, read)
		conn.Close()
	}
	if len(r.seen()) != 0 || len(u.told) != 3 || u.told[0] != "fixed self.test false" || u.told[1] != "fixed  true" || !errors.Is(u.last, decrypt.ErrLoop) {
		t.Errorf("sessions %v, told %q, %v", r.seen(), u.told, u.last)
	}
	if n := strings.Count(r.logged(), "level=WARN msg=\"destination is a listener of clearspan itself\""); n != 2 { // one of each intake in ten seconds
		t.Errorf("%d lines: %s", n, r.logged())
	}
}
