// Package handshake makes the TLS handshakes of a session: with the origin, as a client,
// and with the client, as a server. It knows neither policy nor session. A handshake takes
// a connection and what is offered, and gives a [Result].
package handshake

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// GreenSuites are the TLS 1.2 cipher suites offered and accepted: forward
// secrecy with authenticated encryption. Those of TLS 1.3 all qualify. Not to be changed.
var GreenSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// Result is what came of a handshake.
type Result struct {
	Conn  *tls.Conn           // nil if it failed
	State tls.ConnectionState // as far as it came
	Took  time.Duration

	Renegotiation *Renegotiation // of an origin; nil if it failed, or the connection cannot wait
	// Requested tells that the origin asked for a client certificate.
	Requested bool
}

// ErrCertificateRequested says that the origin asks for a client certificate.
var ErrCertificateRequested = errors.New("origin asks for a client certificate")

// ErrCertificateRequired says that the origin asked for a client certificate, and ended
// the session because there is none.
var ErrCertificateRequired = errors.New("origin insists on a client certificate")

// insistence are the alerts by which origins say so. RFC 8446, Section 4.4.2.4, has
// certificate_required, and RFC 5246, Section 7.4.6, handshake_failure.
var insistence = []Alert{
	AlertHandshakeFailure, AlertNoCertificate, AlertBadCertificate, AlertCertificateUnknown, AlertAccessDenied, AlertCertificateRequired,
}

// Insists returns err, as an [ErrCertificateRequired] if it is an alert by which an
// origin insists on the client certificate that it asked for.
func Insists(err error) error {
	if err != nil && Answers(err, insistence...) {
		return fmt.Errorf("%w: %w", ErrCertificateRequired, err)
	}
	return err
}

// Origin is the handshake with an origin.
type Origin struct {
	Name       string   // asked for, "" for none
	Protocols  []string // offered
	MinVersion uint16
	Keys       io.Writer // of secrets, in the NSS key log format; nil: nowhere
	Timeout    time.Duration

	Sessions      tls.ClientSessionCache // nil: none is resumed
	NoCertificate bool                   // an origin that asks for our certificate is told that there is none
	RefuseLate    bool                   // one that asks for it in a renegotiation ends the session; else it is told that there is none
}

// Shake completes the handshake on a connection, which it borrows, whatever the origin's
// certificate says. Result says how far it came in case of an error. Within a session of
// TLS 1.2 the origin may begin more of them.
func (o *Origin) Shake(conn net.Conn) (Result, error) {
	requested := new(bool) // the connection holds no more
	first := failRequest
	if o.NoCertificate {
		first = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			*requested = true
			return new(tls.Certificate), nil
		}
	}
	cfg := &tls.Config{
		ServerName:                  o.Name,
		NextProtos:                  o.Protocols,
		InsecureSkipVerify:          true, // whoever calls judges
		MinVersion:                  o.MinVersion,
		CipherSuites:                GreenSuites,
		DynamicRecordSizingDisabled: true,
		KeyLogWriter:                o.Keys,
		ClientSessionCache:          o.Sessions,
		GetClientCertificate:        first, // the connection holds nothing of o
	}
	p, ok := conn.(patient)
	if !ok {
		return insisted(requested)(shake(conn, tls.Client(conn, cfg), o.Timeout))
	}
	again := &Renegotiation{patient: p, timeout: o.Timeout, refuse: o.RefuseLate}
	cfg.Renegotiation = tls.RenegotiateFreelyAsClient
	cfg.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if again.established {
			return again.certificate()
		}
		return first(info)
	}
	result, err := insisted(requested)(shake(conn, tls.Client(again, cfg), o.Timeout))
	if err == nil {
		again.established, again.greeting = true, nil
		result.Renegotiation = again
	}
	return result, err
}

// insisted adds to what came of a handshake whether the origin has requested a
// certificate that we do not have, and insists on it.
func insisted(requested *bool) func(Result, error) (Result, error) {
	return func(r Result, err error) (Result, error) {
		if r.Requested = *requested; r.Requested {
			err = Insists(err)
		}
		return r, err
	}
}

func failRequest(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return nil, ErrCertificateRequested
}

// shake completes a handshake in time. The deadline stays if it fails.
func shake(under net.Conn, conn *tls.Conn, timeout time.Duration) (Result, error) {
	start := time.Now()
	under.SetDeadline(start.Add(timeout))
	err := conn.Handshake()
	r := Result{Took: time.Since(start), State: conn.ConnectionState()}
	if err != nil {
		return r, err
	}
	under.SetDeadline(time.Time{})
	r.Conn = conn
	return r, nil
}
