package intake

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt"
)

func ExampleNewStatic() {
	origin, _ := net.Listen("tcp", "127.0.0.1:0")
	defer origin.Close()

	i, err := NewStatic(Static{Listen: "127.0.0.1:0", Origin: origin.Addr().String(), SNI: "www.example.test"}, Options{
		Name: "fixed",
		Handler: func(ctx context.Context, in *decrypt.Incoming) {
			fmt.Fprintln(in.Conn, in.Intake, in.SNI, in.Origin.String() == origin.Addr().String())
		},
		Limiter: NewLimiter(Limits{1000}, nil),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	go i.Serve(context.Background())

	client, _ := net.Dial("tcp", i.Addr().String())
	said, _ := io.ReadAll(client)
	fmt.Printf("%s", said)
	client.Close()
	i.Close()
	i.Wait()
	// Output: fixed www.example.test true
}

func TestStatic(t *testing.T) {
	to := echo(t)
	certificate := []tls.Certificate{{}}
	for _, c := range []struct {
		name, origin string
	}{
		{"address", to.String()},
		{"name", fmt.Sprintf("Origin.test.:%d", to.Port())},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r recorder
			o := r.options("fixed")
			o.Resolver = names{"origin.test": {to.Addr()}}
			i, err := NewStatic(Static{Listen: "127.0.0.1:0", Origin: c.origin, SNI: "sni.test", Certificates: certificate}, o)
			conn, read := dialTest(t, serve(t, i, err))
			expect(t, read, "hello\n")
			in := r.seen()[0]
			if in.Intake != "fixed" || in.Client != addrPort(conn.LocalAddr()) || in.Origin != to || in.SNI != "sni.test" ||
				in.Name != "" || len(in.Own("", false)) != 1 {
				t.Errorf("incoming %+v", in)
			}
		})
	}
}

func TestStaticRefused(t *testing.T) {
	for _, c := range []struct {
		name, origin string
		guard        func(netip.AddrPort) error
		want         Event
	}{
		{"no such name", "none.test:1", nil, Unresolved},
		{"guarded", "127.0.0.1:1", func(netip.AddrPort) error { return errors.New("no") }, Forbidden},
		{"unspecified", "0.0.0.0:1", nil, Forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r recorder
			o := r.options("fixed")
			o.Resolver, o.Guard = names{}, c.guard
			i, err := NewStatic(Static{Listen: "127.0.0.1:0", Origin: c.origin}, o)
			if err := ending(serve(t, i, err)); err == nil {
				t.Error("served")
			}
			if r.count(c.want) != 1 || len(r.seen()) != 0 {
				t.Errorf("events %v, sessions %d", r.events, len(r.seen()))
			}
		})
	}
}

func TestNewStaticErrors(t *testing.T) {
	handler := func(context.Context, *decrypt.Incoming) {}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		name string
		Static
		Options
	}{
		{"no handler", Static{Listen: "127.0.0.1:0", Origin: "127.0.0.1:1"}, Options{}},
		{"no port", Static{Listen: "127.0.0.1:0", Origin: "127.0.0.1"}, Options{Handler: handler}},
		{"listen", Static{Listen: "127.0.0.1", Origin: "127.0.0.1:1"}, Options{Handler: handler}},
		{"taken", Static{Listen: taken.Addr().String(), Origin: "127.0.0.1:1"}, Options{Handler: handler}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := NewStatic(c.Static, c.Options); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		name string
		left time.Duration
		n    int
		want time.Duration
	}{
		{"only one", 10 * time.Second, 1, 10 * time.Second},
		{"equal parts", 10 * time.Second, 4, 2500 * time.Millisecond},
		{"not too little", 10 * time.Second, 16, 2 * time.Second},
		{"not more than there is", time.Second, 4, time.Second},
	} {
		if got := share(c.left, c.n); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDialAny(t *testing.T) {
	to := echo(t)
	closed := netip.MustParseAddrPort("127.0.0.77:1")
	silent := fullBacklog(t)
	for _, c := range []struct {
		name  string
		addrs []netip.AddrPort
		ok    bool
	}{
		{"one", []netip.AddrPort{to}, true},
		{"second answers", []netip.AddrPort{closed, to}, true},
		{"none answers", []netip.AddrPort{closed, closed}, false},
		{"all are silent", []netip.AddrPort{silent, silent}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := time.Now()
			conn, err := dialAny(t.Context(), c.addrs, 300*time.Millisecond, func(netip.AddrPort) error { return nil })
			if (err == nil) != c.ok {
				t.Errorf("error %v", err)
			}
			if conn != nil {
				conn.Close()
			}
			if d := time.Since(begin); d > time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}
