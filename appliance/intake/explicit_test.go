package intake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/hack/tempo"
)

// proxyFor starts an explicit intake that knows origin.test, at the address
// given; anything on port 9 is forbidden.
func proxyFor(t *testing.T, to netip.AddrPort) (address string, r *recorder, i Intake) {
	t.Helper()
	r = new(recorder)
	o := r.options("proxy")
	o.Resolver = names{
		"origin.test": {to.Addr()},
		"twice.test":  {netip.MustParseAddr("127.0.0.77"), to.Addr()},
		"mixed.test":  {netip.MustParseAddr("0.0.0.0"), to.Addr()},
	}
	o.Guard = func(to netip.AddrPort) error {
		if to.Port() == 9 {
			return errors.New("port 9")
		}
		return nil
	}
	i, err := NewExplicit(Explicit{Listen: "127.0.0.1:0"}, o)
	return serve(t, i, err), r, i
}

func socksFor(name string, port uint16) string {
	return greeting + "\x05\x01\x00\x03" + string([]byte{byte(len(name))}) + name + string([]byte{byte(port >> 8), byte(port)})
}

func TestExplicit(t *testing.T) {
	to := echo(t)
	addr4 := to.Addr().As4()
	const reply, granted = "\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", "\x00\x5a\x00\x00\x00\x00\x00\x00"
	port := string([]byte{byte(to.Port() >> 8), byte(to.Port())})
	for _, c := range []struct {
		name, request, reply, host string
		origin                     netip.AddrPort
	}{
		{"CONNECT name", fmt.Sprintf("CONNECT Origin.test:%d HTTP/1.1\r\n\r\n", to.Port()), established, "origin.test", to},
		{"CONNECT address", fmt.Sprintf("CONNECT %s HTTP/1.0\r\nHost: x\r\n\r\n", to), established, "", to},
		{"CONNECT second address", fmt.Sprintf("CONNECT twice.test:%d HTTP/1.1\r\n\r\n", to.Port()), established, "twice.test", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.77"), to.Port())},
		{"CONNECT permitted address", fmt.Sprintf("CONNECT mixed.test:%d HTTP/1.1\r\n\r\n", to.Port()), established, "mixed.test", to},
		{"SOCKS name", socksFor("origin.test", to.Port()), reply, "origin.test", to},
		{"SOCKS address", greeting + "\x05\x01\x00\x01" + string(addr4[:]) + string([]byte{byte(to.Port() >> 8), byte(to.Port())}), reply, "", to},
		{"SOCKS4", "\x04\x01" + port + string(addr4[:]) + "user\x00", granted, "", to},
		{"SOCKS4A", "\x04\x01" + port + "\x00\x00\x00\x01\x00origin.test\x00", granted, "origin.test", to},
		{"CONNECT with a token of Kerberos", fmt.Sprintf("CONNECT origin.test:%d HTTP/1.1\r\nProxy-Authorization: Negotiate %s\r\n\r\n", to.Port(), strings.Repeat("Y", 48<<10)), established, "origin.test", to},
	} {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/early=%v", c.name, early), func(t *testing.T) {
				proxy, r, _ := proxyFor(t, to)
				conn, read := dialTest(t, proxy)
				if early {
					io.WriteString(conn, c.request+"early\n")
					expect(t, read, c.reply+"hello\nearly\n")
				} else {
					io.WriteString(conn, c.request)
					expect(t, read, c.reply+"hello\n")
				}
				io.WriteString(conn, "later\n")
				expect(t, read, "later\n")
				conn.CloseWrite()
				if rest, err := io.ReadAll(read); len(rest) > 0 || err != nil {
					t.Errorf("at the end %q, %v", rest, err)
				}
				in := r.seen()[0]
				if in.Intake != "proxy" || in.Client != addrPort(conn.LocalAddr()) || in.Origin != c.origin || in.Name != c.host {
					t.Errorf("incoming %+v", in)
				}
				if _, ok := in.Conn.(*PeekedConn); ok != early {
					t.Errorf("client leg is a %T", in.Conn)
				}
			})
		}
	}
}

// A request may come in any number of segments.
func TestExplicitSegments(t *testing.T) {
	to := echo(t)
	proxy, _, _ := proxyFor(t, to)
	for _, request := range []string{
		fmt.Sprintf("CONNECT origin.test:%d HTTP/1.1\r\n\r\n", to.Port()),
		socksFor("origin.test", to.Port()),
	} {
		conn, read := dialTest(t, proxy)
		for _, b := range []byte(request) {
			conn.Write([]byte{b})
			time.Sleep(100 * time.Microsecond)
		}
		var got []byte
		for !bytes.HasSuffix(got, []byte("hello\n")) {
			b, err := read.ReadByte()
			if err != nil {
				t.Fatalf("read %q, %v", got, err)
			}
			got = append(got, b)
		}
	}
}

func TestExplicitRefused(t *testing.T) {
	to := echo(t)
	for _, c := range []struct {
		name, request, want string // beginning of the reply
		event               Event
	}{
		{"CONNECT malformed", "CONNECT / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 24\r\nConnection: close\r\n\r\nCONNECT needs host:port\n", BadRequest},
		{"CONNECT too large", "CONNECT a.test:1 HTTP/1.1\r\nA: " + strings.Repeat("x", 1<<16), "HTTP/1.1 431 ", BadRequest},
		{"CONNECT unknown name", "CONNECT none.test:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\n", Unresolved},
		{"CONNECT forbidden", "CONNECT origin.test:9 HTTP/1.1\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n", Forbidden},
		{"CONNECT this box", "CONNECT 0.0.0.0:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n", Forbidden},
		{"CONNECT this box IPv6", "CONNECT [::]:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n", Forbidden},
		{"CONNECT multicast", "CONNECT 224.0.0.1:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n", Forbidden},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400 ", BadRequest},
		{"SOCKS command", greeting + "\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", "\x05\x00\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", BadRequest},
		{"SOCKS method", "\x05\x01\x02", "\x05\xff", BadRequest},
		{"SOCKS unknown name", socksFor("none.test", 443), "\x05\x00\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00", Unresolved},
		{"SOCKS forbidden", socksFor("origin.test", 9), "\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", Forbidden},
		{"TLS", "\x16\x03\x01\x02\x00", "", BadRequest},
		{"SOCKS4 BIND", "\x04\x02\x00\x50\x7f\x00\x00\x01\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00", BadRequest},
		{"SOCKS4 long user", "\x04\x01\x00\x50\x7f\x00\x00\x01" + strings.Repeat("u", 300), "\x00\x5b\x00\x00\x00\x00\x00\x00", BadRequest},
		{"SOCKS4A unknown name", "\x04\x01\x00\x50\x00\x00\x00\x01\x00none.test\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00", Unresolved},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy, r, _ := proxyFor(t, to)
			conn, read := dialTest(t, proxy)
			written := make(chan struct{})
			go func() { io.WriteString(conn, c.request); close(written) }()
			expect(t, read, c.want)
			<-written
			conn.CloseWrite()
			io.Copy(io.Discard, read)
			tempo.Until(t, c.event.String()+" is counted", func() bool { return r.count(c.event) == 1 || c.name == "HTTP/2" })
			if n := len(r.seen()); n != 0 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

// Clients that connect and say nothing, or half of a request, do not outlive the
// context, and none of them is a session.
func TestExplicitSilent(t *testing.T) {
	var r recorder
	i, err := NewExplicit(Explicit{Listen: "127.0.0.1:0"}, r.options("proxy"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- i.Serve(ctx) }()
	for _, begin := range []string{"", "CONN", "CONNECT a.test:1 HTTP/1.1\r\n", "GET http://a", "\x05", greeting + "\x05"} {
		conn, _ := dialTest(t, i.Addr().String())
		io.WriteString(conn, begin)
	}
	gone, _ := dialTest(t, i.Addr().String())
	gone.Close()
	time.Sleep(20 * time.Millisecond)
	cancel()
	<-done
	i.Wait()
	if n := len(r.seen()); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// The time for a request head ends, and an HTTP client is told.
func TestExplicitTimeout(t *testing.T) {
	near, far := tcpPair(t)
	r := new(recorder)
	i, err := NewExplicit(Explicit{Listen: "127.0.0.1:0"}, r.options("proxy"))
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	io.WriteString(far, "CONNECT a.test:443 HTTP/1.1\r\n")
	near.SetDeadline(time.Now().Add(20 * time.Millisecond))
	e := i.(*explicit)
	b := e.readers.Get().(*bufio.Reader)
	b.Reset(near)
	if e.negotiate(t.Context(), near, b) != nil {
		t.Error("half a request is served")
	}
	far.SetDeadline(time.Now().Add(2 * time.Second))
	expect(t, far, "HTTP/1.1 408 Request Timeout\r\n")
}

func tcpPair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, _ = dialTest(t, l.Addr().String())
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn), far
}

// The handler gets a connection without deadlines.
func TestExplicitDeadline(t *testing.T) {
	got := make(chan error, 1)
	i, err := NewExplicit(Explicit{Listen: "127.0.0.1:0"}, Options{Handler: func(_ context.Context, in *decrypt.Incoming) {
		_, err := in.Conn.Read(make([]byte, 1))
		got <- err
	}})
	conn, read := dialTest(t, serve(t, i, err))
	io.WriteString(conn, "CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n")
	expect(t, read, established)
	select {
	case err := <-got:
		t.Errorf("read ended: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	conn.CloseWrite()
	if err := <-got; err != io.EOF {
		t.Errorf("read: %v", err)
	}
}
