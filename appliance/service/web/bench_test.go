package web_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
	"github.com/clearspan/clearspan/decrypt"
)

// line is one TCP connection on the loopback, as a client and a server have it.
func line(b *testing.B) (near, far webtest.Socket) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	return webtest.Socket{TCPConn: c.(*net.TCPConn)}, webtest.Socket{TCPConn: s.(*net.TCPConn)}
}

// copying is the relay that an engine is measured against.
func copying(client, origin webtest.Socket) {
	var wg sync.WaitGroup
	one := func(dst, src webtest.Socket) {
		p := make([]byte, buffered.Large)
		for {
			n, err := src.Read(p)
			if n > 0 {
				if _, err := dst.Write(p[:n]); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		dst.CloseWrite()
	}
	wg.Go(func() { one(origin, client) })
	wg.Go(func() { one(client, origin) })
	wg.Wait()
}

// BenchmarkHTTP1 has GET requests one after the other on one connection, answered
// with a body of some size, by a plain relay and by engines. Compare the time on
// processors, of which all share the ends and the kernel's copies.
func BenchmarkHTTP1(b *testing.B) {
	request := "GET /some/path?and=query HTTP/1.1\r\nHost: www.example.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n" +
		"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n"
	shown := new(adapt.Config)
	*shown = webtest.One(webtest.Glance(1024))
	for _, size := range []int{100, 10_000, 1 << 20, 16 << 20} {
		chunked := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
		for left := size; left > 0; left -= min(left, 16<<10) {
			n := min(left, 16<<10)
			chunked += fmt.Sprintf("%x\r\n%s\r\n", n, strings.Repeat("x", n))
		}
		chunked += "0\r\n\r\n"
		fixed := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n" + strings.Repeat("x", size)
		for framing, response := range map[string]string{"length": fixed, "chunked": chunked} {
			for name, cfg := range map[string]*adapt.Config{"relay": nil, "parsed": {}, "shown": shown} {
				b.Run(fmt.Sprintf("%d/%s/%s", size, framing, name), func(b *testing.B) {
					exchangeMany(b, cfg, request, response)
				})
			}
		}
	}
}

func exchangeMany(b *testing.B, cfg *adapt.Config, request, response string) {
	question, answer := []byte(request), []byte(response)
	client, left := line(b)
	right, origin := line(b)
	var wg sync.WaitGroup
	wg.Go(func() {
		if cfg == nil {
			copying(left, right)
		} else {
			web.New(*cfg).Carry(context.Background(), &decrypt.Session{}, left, right)
		}
		left.Close()
		right.Close()
	})
	wg.Go(func() {
		p := make([]byte, len(request))
		for {
			if _, err := io.ReadFull(origin, p); err != nil {
				return
			}
			if _, err := origin.Write(answer); err != nil {
				return
			}
		}
	})
	p := make([]byte, len(response))
	b.SetBytes(int64(len(response)))
	b.ReportAllocs()
	before := processor()
	for b.Loop() {
		client.Write(question)
		if _, err := io.ReadFull(client, p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(processor()-before)/float64(b.N), "cpu-ns/op")
	client.Close()
	origin.Close()
	wg.Wait()
}

// BenchmarkHTTP2 is BenchmarkHTTP1 by HTTP/2, between ends of net/http.
func BenchmarkHTTP2(b *testing.B) {
	shown := new(adapt.Config)
	*shown = webtest.One(webtest.Preview(0))
	for _, size := range []int{100, 1 << 20} {
		content := make([]byte, size)
		for name, cfg := range map[string]*adapt.Config{"relay": nil, "parsed": {}, "shown": shown} {
			b.Run(fmt.Sprintf("%d/%s", size, name), func(b *testing.B) {
				client, left := line(b)
				right, origin := line(b)
				var wg sync.WaitGroup
				wg.Go(func() {
					if cfg == nil {
						copying(left, right)
					} else {
						web.New(*cfg).Carry(context.Background(), &decrypt.Session{ALPN: "h2"}, left, right)
					}
					left.Close()
					right.Close()
				})
				accepted := make(chan net.Conn, 1)
				accepted <- origin
				l := single{accepted, origin.LocalAddr()}
				s := &http.Server{Protocols: webtest.Unencrypted(), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(content) })}
				wg.Go(func() { s.Serve(l) })
				tr := &http.Transport{Protocols: webtest.Unencrypted(), DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				before := processor()
				for b.Loop() {
					r, err := (&http.Client{Transport: tr}).Get("http://origin.test/")
					if err != nil {
						b.Fatal(err)
					}
					io.Copy(io.Discard, r.Body)
					r.Body.Close()
				}
				b.ReportMetric(float64(processor()-before)/float64(b.N), "cpu-ns/op")
				tr.CloseIdleConnections()
				client.Close()
				close(accepted)
				s.Close()
				wg.Wait()
			})
		}
	}
}

// single is a listener with one connection.
type single struct {
	conns   chan net.Conn
	address net.Addr
}

func (s single) Accept() (net.Conn, error) {
	if c, ok := <-s.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (s single) Close() error   { return nil }
func (s single) Addr() net.Addr { return s.address }

// processor returns the time that the process has spent on processors, the ends
// of the exchange included.
func processor() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
