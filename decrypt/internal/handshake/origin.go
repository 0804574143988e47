// Package handshake makes the TLS handshakes of a session: with the origin, as a client,
// and with the client, as a server. It knows neither policy nor session. A handshake takes
// a connection and what is offered, and gives a [Result].
package handshake

import (
	"crypto/tls"
	"errors"
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
}

// ErrCertificateRequested says that the origin asks for a client certificate.
var ErrCertificateRequested = errors.New("origin asks for a client certificate")

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
	first := failRequest
	if o.NoCertificate {
		first = answerNone
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
		return shake(conn, tls.Client(conn, cfg), o.Timeout)
	}
	again := &Renegotiation{patient: p, timeout: o.Timeout, refuse: o.RefuseLate}
	cfg.Renegotiation = tls.RenegotiateFreelyAsClient
	cfg.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if again.established {
			return again.certificate()
		}
		return first(info)
	}
	result, err := shake(conn, tls.Client(again, cfg), o.Timeout)
	if err == nil {
		again.established, again.greeting = true, nil
		result.Renegotiation = again
	}
	return result, err
}

func failRequest(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return nil, ErrCertificateRequested
}

func answerNone(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return new(tls.Certificate), nil
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
