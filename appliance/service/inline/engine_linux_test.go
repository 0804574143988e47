package inline

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/needs"
)

// trusting is a Verifier for tests.
type trusting struct{}

func (trusting) Verify(context.Context, string, *tls.ConnectionState) error { return nil }

// complete fills in what an engine needs.
func complete(t testing.TB, c decrypt.Config) (*decrypt.Engine, *certs.Authority) {
	t.Helper()
	authority, err := certs.Generate(certs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Forger, err = certs.NewForger(certs.ForgerConfig{Trusted: authority}); err != nil {
		t.Fatal(err)
	}
	if c.Policy, err = policy.New(nil, policy.Bump); err != nil {
		t.Fatal(err)
	}
	c.Verifier = trusting{}
	engine, err := decrypt.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return engine, authority
}

// serve has an engine carry one session between two legs, and returns it when it
// has ended.
func serve(t testing.TB, c decrypt.Config, client, origin net.Conn) <-chan *decrypt.Session {
	t.Helper()
	result := make(chan *decrypt.Session, 1)
	c.Ended = func(s *decrypt.Session, _ decrypt.Stream) { result <- s }
	engine, _ := complete(t, c)
	go engine.Serve(context.Background(), &decrypt.Incoming{
		Conn: client, Client: client4, Origin: origin4,
		Dial: func(context.Context) (net.Conn, error) { return origin, nil },
	})
	return result
}

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// TestCurl: HTTPS by curl, HTTP in the device.
func TestCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		needs.Missing(t, err)
	}
	b := newLab(t)
	b.exact()
	b.bridge()
	b.open(nil)
	const size = 300_000
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		io.CopyN(w, zeros{}, size)
	}))
	origin.EnableHTTP2 = true
	origin.StartTLS()
	defer origin.Close()
	ended := make(chan *decrypt.Session, 16)
	engine, authority := complete(t, decrypt.Config{
		Services: func(*decrypt.Session) []decrypt.Service { return []decrypt.Service{b.Device} },
		Ended:    func(s *decrypt.Session, _ decrypt.Stream) { ended <- s },
	})
	ca := t.TempDir() + "/ca.crt"
	if err := os.WriteFile(ca, authority.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	capture := b.capture("br0")
	for _, tt := range []struct {
		name           string
		client, origin netip.AddrPort
	}{{"IPv4", client4, origin4}, {"IPv6", client6, origin6}} {
		for i, version := range []string{"--http1.1", "--http2"} {
			client := netip.AddrPortFrom(tt.client.Addr(), tt.client.Port()+uint16(i))
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				engine.Serve(context.Background(), &decrypt.Incoming{
					Conn: conn, Client: client, Origin: tt.origin,
					Dial: func(ctx context.Context) (net.Conn, error) {
						return new(net.Dialer).DialContext(ctx, "tcp", origin.Listener.Addr().String())
					},
				})
			}()
			_, port, _ := net.SplitHostPort(l.Addr().String())
			out, err := exec.Command("curl", "-sS", version, "--max-time", "30", "--noproxy", "*", "--cacert", ca,
				"--resolve", "example.com:"+port+":127.0.0.1", "-o", "/dev/null",
				"-w", "%{http_code} %{size_download}", "https://example.com:"+port+"/hello").CombinedOutput()
			l.Close()
			if want := fmt.Sprint("200 ", size); err != nil || string(out) != want {
				t.Errorf("%s %s: curl says %q, %v, want %q", tt.name, version, out, err, want)
			}
			s := <-ended
			word := s.Services()[b.config.Name]
			orderly := s.Reason == "" && word == Carried
			// curl may close a connection of HTTP/2 before it has read all.
			orderly = orderly || i == 1 && s.Reason == "client-reset" && word == Broken
			if s.Outcome != decrypt.Bumped || !orderly {
				t.Errorf("%s %s: %s, %q (%v), services %v", tt.name, version, s.Outcome, s.Reason, s.Err, s.Services())
			}
		}
	}

	// What the device saw: addresses of client and origin, the port of cleartext,
	// and nothing wrong.
	seen := capture.fields("ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport")
	pairs := make(map[string]bool)
	for _, line := range strings.Split(strings.TrimSpace(seen), "\n") {
		pairs[strings.Join(strings.Fields(line), " ")] = true
	}
	for _, ends := range [][2]string{
		{"192.0.2.7 40007", "203.0.113.9 80"}, {"192.0.2.7 40008", "203.0.113.9 80"},
		{"2001:db8:1::7 40007", "2001:db8:2::9 80"}, {"2001:db8:1::7 40008", "2001:db8:2::9 80"},
	} {
		for _, want := range []string{ends[0] + " " + ends[1], ends[1] + " " + ends[0]} {
			if !pairs[want] {
				t.Errorf("no frame from and to %s", want)
			}
			delete(pairs, want)
		}
	}
	if len(pairs) > 0 {
		t.Errorf("other frames: %v", pairs)
	}
	if got := capture.tshark("-Y", "http.response.code == 200", "-T", "fields", "-e", "http.content_length"); strings.Count(got, fmt.Sprint(size)) != 2 {
		t.Errorf("tshark read these answers by HTTP/1.1: %q", got)
	}
	if got := capture.tshark("-Y", "http2.headers.status == 200", "-T", "fields", "-e", "http2.headers.content_length"); strings.Count(got, fmt.Sprint(size)) != 2 {
		t.Errorf("tshark read these answers by HTTP/2: %q", got)
	}
	// Segments sent twice are the kernel's affair: the machine may be busy.
	const faults = "tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.reused_ports || _ws.malformed"
	if got := capture.tshark("-Y", faults); got != "" {
		t.Errorf("faults:\n%s", got)
	}
}
