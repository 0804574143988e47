// Package publish gives clients the certificate of the inspection authority. It
// serves a web page with a download in each format and instructions for each
// system, and our revocation list. It serves GET and HEAD of a fixed set of small
// files: no key, no state, no way to change anything. Everybody who reaches it may
// read all of it.
//
//	/                           the page
//	/clearspan-ca.pem           all certificates that clients need
//	/clearspan-ca.cer           the first one in DER form, a second one in clearspan-ca-2.cer
//	/clearspan-ca.p12           PKCS #12 with an empty password
//	/clearspan-ca.mobileconfig  profile for iOS and macOS
//	/IDENTIFIER.crl             revocation list, if there is one
//	/trust                      one line; a device that gets it by HTTPS trusts the authority
//
// The port speaks HTTP, and the same by TLS with a leaf that the authority signed: a
// device that trusts it opens the page both ways.
package publish

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/clearspan/clearspan/appliance/orderly"
	"github.com/clearspan/clearspan/certs"
)

// Host is the name under which clients of an explicit proxy reach the page. No
// resolver knows it: .internal is reserved for private use.
const Host = "clearspan.internal"

const (
	maxConnections = 64 // open at once; others wait in the listen queue
	maxHeader      = 8 << 10
	closeTimeout   = 3 * time.Second
)

// Material is what is published. It is read only.
type Material struct {
	Certificates []*x509.Certificate // the authority that signs first; at least one
	Next         time.Time           // when the second one signs; zero: it did, or there is none
	Lists        []*certs.RevocationList
}

// Config is what a server needs.
type Config struct {
	Listen    string          // "ADDRESS:PORT", required
	Material  func() Material // required; called for each request, concurrently
	Certify   Certify         // makes leaves for our own name; nil: no TLS. Called concurrently
	Logger    *slog.Logger    // may be nil
	Listeners []net.Listener  // open already; none: one is opened at Listen; the server owns them
}

// Server publishes. Make one with [New], run it with Serve, end it with Close.
type Server struct {
	http    *orderly.Server
	certify Certify
}

// New listens on the address of c. Requests wait until Serve is called.
func New(c Config) (*Server, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if len(c.Listeners) == 0 {
		l, err := net.Listen("tcp", c.Listen)
		if err != nil {
			return nil, fmt.Errorf("listen for publishing on %s: %w", c.Listen, err)
		}
		c.Listeners = []net.Listener{l}
	}
	server := orderly.New(&http.Server{
		Handler:           Handler(c.Material),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       15 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}, c.Listeners...)
	return &Server{server, c.Certify}, nil
}

// Addr is the (first) address that the server listens on.
func (s *Server) Addr() net.Addr { return s.http.Addr() }

// Serve answers requests until Close is called and then returns nil.
func (s *Server) Serve() error {
	err := s.http.Serve(func(l net.Listener) net.Listener {
		l = netutil.LimitListener(l, maxConnections)
		if s.certify == nil {
			return l
		}
		return &listener{l, s.certify}
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// Close ends the server: requests under way have three seconds to finish, then
// their connections are closed. It may be called more than once, and without
// Serve.
func (s *Server) Close() error { return s.http.Close(closeTimeout) }
