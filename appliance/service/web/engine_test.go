package web_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/appliance/service/web"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

type trusting struct{}

func (trusting) Verify(context.Context, string, *tls.ConnectionState) error { return nil }

// TestDecrypted has curl ask nginx by TLS through the engine that decrypts, with
// a service in between.
func TestDecrypted(t *testing.T) {
	l := netlab.ForTest(t)
	ns, err := l.Namespace("box")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := l.Dir("nginx")
	if err != nil {
		t.Fatal(err)
	}
	pki, err := lab.NewPKI(dir)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := pki.Issue("www.example.test")
	if err != nil {
		t.Fatal(err)
	}
	nginx, err := lab.StartNginx(ns, dir, []lab.Site{{Port: 443, Certificate: &pair}})
	if err != nil {
		t.Fatal(err)
	}
	large := make([]byte, 5<<20)
	rand.Read(large)
	for name, content := range map[string][]byte{"www/large.bin": large, "up.bin": large, "www/virus.txt": []byte("EICAR"), "virus.up": []byte(strings.Repeat("EICAR", 1e5))} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ca := filepath.Join(dir, "ca.crt")
	authority, _, err := certs.LoadOrCreate(ca, filepath.Join(dir, "ca.key"), certs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	forger, err := certs.NewForger(certs.ForgerConfig{Trusted: authority})
	if err != nil {
		t.Fatal(err)
	}
	table, err := policy.New(nil, policy.Bump)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var ended []string
	services := []decrypt.Service{web.New(webtest.One(webtest.EICAR())), web.New(adapt.Config{}), web.New(adapt.Config{Services: []adapt.Service{webtest.Both("second", webtest.Streaming())}})}
	engine, err := decrypt.New(decrypt.Config{
		Policy: table, Forger: forger, Verifier: trusting{},
		Services: func(s *decrypt.Session) []decrypt.Service {
			if s.SNI == "smuggler.test" { // what the next service says of its reset does not compete
				return services[:1]
			}
			return services
		},
		Ended: func(s *decrypt.Session, _ decrypt.Stream) {
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, fmt.Sprintf("%s %v %s", s.ALPN, s.Services(), s.Reason))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	near, err := ns.Listen("tcp", "127.0.0.1:8443")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := near.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				engine.Serve(context.Background(), &decrypt.Incoming{Conn: conn, Dial: func(ctx context.Context) (net.Conn, error) {
					return ns.DialContext(ctx, "tcp", "127.0.0.1:443")
				}})
			})
		}
	})
	for _, version := range []string{"--http1.1", "--http2"} {
		curl := func(args ...string) string {
			args = append([]string{version, "--connect-to", "www.example.test:443:127.0.0.1:8443"}, args...)
			r, err := lab.Curl(context.Background(), ns, ca, args...)
			if err != nil {
				t.Errorf("%v: %v", args, err)
			}
			return r.Stdout
		}
		const url = "https://www.example.test"
		if got := curl(url + "/large.bin"); got != string(large) {
			t.Errorf("%s: large.bin differs: %d octets", version, len(got))
		}
		curl("-T", filepath.Join(dir, "up.bin"), url+"/upload/up"+version)
		if got, err := os.ReadFile(filepath.Join(nginx.Root, "upload", "up"+version)); err != nil || !bytes.Equal(got, large) {
			t.Errorf("%s: upload differs: %d octets, %v", version, len(got), err)
		}
		for _, args := range [][]string{{url + "/virus.txt"}, {"-T", filepath.Join(dir, "virus.up"), url + "/upload/virus"}} {
			if got := curl(append(args, "-w", " %{http_code}")...); got != "blocked 403" {
				t.Errorf("%s %v: got %q", version, args, got)
			}
		}
	}
	r, err := lab.OpenSSL(context.Background(), ns, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"-quiet", "-verify_quiet", "-connect", "127.0.0.1:8443", "-servername", "smuggler.test", "-ign_eof")
	if !strings.HasPrefix(r.Stdout, "HTTP/1.1 400 Bad Request\r\n") {
		t.Errorf("smuggler got %q, %v", r.Stdout, err)
	}
	near.Close()
	wg.Wait()
	// A client that has its answer may reset what it does not want to read.
	for _, want := range []string{"h2 map[av:blocked second:unmodified] ", "http/1.1 map[av:blocked second:unmodified] ", " map[] http-request-length-and-coding"} {
		if !strings.Contains(strings.Join(ended, "\n"), want) {
			t.Errorf("no session ended as %q:\n%s", want, strings.Join(ended, "\n"))
		}
	}
}
