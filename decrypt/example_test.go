package decrypt_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"

	"github.com/clearspan/clearspan/certs"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// printer is a tap that prints the client's octets.
type printer struct{}

func (p printer) Open(s *decrypt.Session) decrypt.Stream {
	fmt.Println("session for", s.SNI)
	return p
}
func (printer) Data(dir decrypt.Direction, _ decrypt.Content, octets []byte) {
	if dir == decrypt.ClientToOrigin {
		fmt.Printf("%.14s\n", octets)
	}
}
func (printer) End(decrypt.Direction, decrypt.Ending) {}
func (printer) Close()                                {}

// trusting is a Verifier for this example; certs.NewJudge makes a real one.
type trusting struct{}

func (trusting) Verify(context.Context, string, *tls.ConnectionState) error { return nil }

func Example() {
	origin := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") }))
	defer origin.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}

	authority, err := certs.Generate(certs.CreateOptions{})
	if err != nil {
		log.Fatal(err)
	}
	forger, err := certs.NewForger(certs.ForgerConfig{Trusted: authority})
	if err != nil {
		log.Fatal(err)
	}
	table, err := policy.New(nil, policy.Bump)
	if err != nil {
		log.Fatal(err)
	}
	engine, err := decrypt.New(decrypt.Config{Policy: table, Forger: forger, Verifier: trusting{}, Tap: printer{}})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		engine.Serve(context.Background(), &decrypt.Incoming{Conn: conn, Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", origin.Listener.Addr().String())
		}})
	}()

	roots := x509.NewCertPool()
	roots.AddCert(authority.Certificate())
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: "example.com"},
		DisableKeepAlives: true,
	}
	client := http.Client{Transport: transport}
	response, err := client.Get("https://" + listener.Addr().String() + "/")
	if err != nil {
		log.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	listener.Close()
	<-done
	fmt.Printf("%s %v\n", body, err)
	// Output:
	// session for example.com
	// GET / HTTP/1.1
	// hello <nil>
}
