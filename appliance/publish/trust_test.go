package publish

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/certs"
)

// TestTrust asks one port for the page with and without TLS, by address and by name, as
// a device that trusts the authority and as one that does not.
func TestTrust(t *testing.T) {
	a, b, m := authorities(t)
	forger, err := certs.NewForger(certs.ForgerConfig{Trusted: a, Untrusted: b})
	if err != nil {
		t.Fatal(err)
	}
	certify := func(ctx context.Context, name string) (*tls.Certificate, error) {
		return forger.Forge(ctx, nil, name, true, true)
	}
	s, err := New(Config{Listen: "127.0.0.1:0", Material: func() Material { return m }, Certify: certify})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	defer func() {
		s.Close()
		<-done
	}()
	silent, err := net.Dial("tcp", s.Addr().String()) // holds nobody up
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, port, _ := net.SplitHostPort(s.Addr().String())
	for _, row := range []struct {
		name, url string
		trusts    *certs.Authority
		good      bool
	}{
		{"plain", "http://127.0.0.1:" + port + "/trust", nil, true},
		{"by address", "https://127.0.0.1:" + port + "/trust", a, true},
		{"by name", "https://box.example:" + port + "/trust", a, true},
		{"not trusted", "https://127.0.0.1:" + port + "/trust", b, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			roots := x509.NewCertPool()
			if row.trusts != nil {
				roots.AddCert(row.trusts.Certificate())
			}
			transport := &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: roots},
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tcp", s.Addr().String())
				},
			}
			defer transport.CloseIdleConnections()
			client := http.Client{Transport: transport, Timeout: 20 * time.Second}
			answer, err := client.Get(row.url)
			if (err == nil) != row.good {
				t.Fatalf("answer %v, want one: %v", err, row.good)
			}
			if err != nil {
				return
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil || string(text) != trustAnswer || answer.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%q, %v, header %v", text, err, answer.Header)
			}
		})
	}
}

// TestCode draws the address of the page; a long one has no code.
func TestCode(t *testing.T) {
	c := newCode("http://192.0.2.1:8091/")
	if c == nil || c.Side < 21+2*quiet || !strings.HasPrefix(c.Path, "M") {
		t.Errorf("code %+v", c)
	}
	if newCode("http://"+strings.Repeat("x", maxCoded)) != nil {
		t.Error("a long address has a code")
	}
}
