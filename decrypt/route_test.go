package decrypt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// TestRoute has sessions go by their server name.
func TestRoute(t *testing.T) {
	for _, tt := range []struct {
		name, asked, sni string
		rules            []policy.Rule
		monitor, off     bool
		elsewhere        bool // the session goes where the name leads
		outcome          Outcome
		reason           string
	}{
		{name: "another address", sni: "www.example.test", elsewhere: true, outcome: Bumped},
		{name: "asked for by another name", asked: "front.example.test", sni: "www.example.test", elsewhere: true, outcome: Bumped},
		{name: "asked for by its name", asked: "WWW.example.test", sni: "www.example.test", outcome: Bumped},
		{name: "goes there already", sni: "here.example.test", outcome: Bumped},
		{name: "no name", sni: "", outcome: Bumped},
		{name: "name without address", sni: "gone.example.test", outcome: Failed, reason: "origin-unresolved"},
		{name: "not by name", off: true, sni: "www.example.test", outcome: Bumped},
		{name: "monitored", monitor: true, sni: "www.example.test", outcome: Tunneling},
		{name: "terminated before it is looked up", rules: []policy.Rule{{Host: []string{"gone.example.test"}, Action: policy.Terminate}},
			sni: "gone.example.test", outcome: Terminated, reason: "policy"},
		{name: "rules are asked with the address", rules: []policy.Rule{{Origin: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Action: policy.Terminate}},
			sni: "www.example.test", elsewhere: true, outcome: Terminated, reason: "policy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table := rules(t, policy.Bump, tt.rules...)
			if tt.monitor {
				table = table.Monitor()
			}
			origins, forger := newAuthority(t, "origins"), &forger{newAuthority(t, "trusted"), newAuthority(t, "untrusted")}
			serve := func(address string) (netip.AddrPort, func()) {
				leaf, err := origins.issue("www.example.test")
				if err != nil {
					t.Fatal(err)
				}
				l, err := tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{*leaf}})
				if err != nil {
					t.Fatal(err)
				}
				done := make(chan struct{})
				go func() {
					defer close(done)
					for {
						c, err := l.Accept()
						if err != nil {
							return
						}
						c.Write([]byte(address[6:9])) // the last part of the address
						c.Close()
					}
				}()
				return l.Addr().(*net.TCPAddr).AddrPort(), func() { l.Close(); <-done }
			}
			here, stop := serve("127.0.0.1:0")
			defer stop()
			there, stop := serve("127.0.0.2:0")
			defer stop()
			ended := make(chan *Session, 1)
			resolve := ResolveSNI
			if tt.off {
				resolve = ResolveDestination
			}
			e, err := New(Config{
				Policy: table, Forger: forger, Verifier: judge{origins.pool},
				Origin: OriginOptions{Resolve: resolve, OnInvalid: OnInvalid{Default: Untrusted}}, Ended: func(s *Session, _ Stream) { ended <- s },
			})
			if err != nil {
				t.Fatal(err)
			}
			dial := func(to netip.AddrPort) func(context.Context) (net.Conn, error) {
				return func(ctx context.Context) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tcp", to.String())
				}
			}
			front, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer front.Close()
			conn, err := net.Dial("tcp", front.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			accepted, err := front.Accept()
			if err != nil {
				t.Fatal(err)
			}
			go e.Serve(t.Context(), &Incoming{
				Conn: accepted, Origin: here, Name: tt.asked, Dial: dial(here),
				Route: func(_ context.Context, name string) (Route, error) {
					switch name {
					case "gone.example.test":
						return Route{}, errors.New("no address")
					case "here.example.test":
						return Route{Addrs: []netip.AddrPort{there, here}, Dial: dial(there)}, nil
					}
					return Route{Addrs: []netip.AddrPort{there}, Dial: dial(there)}, nil
				},
			})
			client := tls.Client(conn, &tls.Config{ServerName: tt.sni, InsecureSkipVerify: true})
			got := make([]byte, 3)
			n, err := client.Read(got)
			want := "0.1"
			if tt.elsewhere {
				want = "0.2"
			}
			if carried := tt.reason == ""; (err == nil) != carried || carried && string(got[:n]) != want {
				t.Errorf("client read %q, %v, want %q", got[:n], err, want)
			}
			client.Close()
			s := <-ended
			if s.Outcome != tt.outcome || tt.reason != "" && s.Reason != tt.reason {
				t.Errorf("%s (%s %v)", s.Outcome, s.Reason, s.Err)
			}
			if tt.elsewhere != (s.Destination == here) || tt.elsewhere != (s.Origin == there) {
				t.Errorf("went to %v, destination %v", s.Origin, s.Destination)
			}
		})
	}
}
