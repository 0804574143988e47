package publish

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/clearspan/clearspan/appliance/oneconn"
)

// A device that trusts the authority opens our page by TLS, too, with a leaf that the
// authority signed for the name or address that the device asked for. The page asks for
// trustFile that way, and says whether it could.

const (
	trustFile   = "trust"
	trustAnswer = "this device trusts the authority\n"

	handshakeTimeout = 5 * time.Second
	recordHandshake  = 0x16 // the first octet of a TLS handshake (RFC 8446, Section 5.1)
)

// Certify makes a leaf for a DNS name or an address.
type Certify func(ctx context.Context, name string) (*tls.Certificate, error)

// config returns the TLS of our own page for a client at conn that may name nobody.
func (c Certify) config(conn net.Conn) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := hello.ServerName
			if name == "" { // asked for by address
				host, _, err := net.SplitHostPort(conn.LocalAddr().String())
				if err != nil {
					return nil, err
				}
				name = host
			}
			return c(hello.Context(), name)
		},
		SessionTicketsDisabled: true,
	}
}

// listener accepts connections that speak HTTP, or HTTP in TLS, as their first octet
// says.
type listener struct {
	net.Listener
	certify Certify
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &either{Conn: conn, certify: l.certify}, nil
}

// either is a connection whose first Read finds out whether it has TLS. Reads and
// writes follow one another, as those of an HTTP/1 server do.
type either struct {
	net.Conn
	certify Certify

	once  sync.Once
	inner net.Conn // after the first Read
	err   error
}

func (e *either) open() {
	r := bufio.NewReaderSize(e.Conn, 16)
	first, err := r.Peek(1)
	if err != nil {
		e.err = err
		return
	}
	plain := &buffered{Conn: e.Conn, r: r}
	if first[0] != recordHandshake {
		e.inner = plain
		return
	}
	secured := tls.Server(plain, e.certify.config(e.Conn))
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	e.inner, e.err = secured, secured.HandshakeContext(ctx)
}

func (e *either) Read(p []byte) (int, error) {
	e.once.Do(e.open)
	if e.err != nil {
		return 0, e.err
	}
	return e.inner.Read(p)
}

func (e *either) Write(p []byte) (int, error) {
	if e.inner == nil {
		return e.Conn.Write(p)
	}
	return e.inner.Write(p)
}

// buffered gives back what was read ahead.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) {
	if b.r.Buffered() > 0 {
		return b.r.Read(p)
	}
	return b.Conn.Read(p)
}

// ServeTLS answers a client that asked a proxy for our page by HTTPS, and closes conn.
// name is what the client called us.
func ServeTLS(conn net.Conn, name string, handler http.Handler, certify Certify) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * handshakeTimeout))
	cfg := certify.config(conn)
	cfg.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return certify(hello.Context(), name)
	}
	secured := tls.Server(conn, cfg)
	if secured.Handshake() != nil {
		return
	}
	server := &http.Server{
		Handler: handler, MaxHeaderBytes: maxHeader, ReadTimeout: 2 * handshakeTimeout, WriteTimeout: 2 * handshakeTimeout,
		ErrorLog: log.New(io.Discard, "", 0),
	}
	server.SetKeepAlivesEnabled(false)
	oneconn.Serve(server, secured)
}
