package dissect

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"

	"github.com/clearspan/clearspan/decrypt/clienthello"
	"github.com/clearspan/clearspan/decrypt/proto"
	prototls "github.com/clearspan/clearspan/decrypt/proto/tls"
)

// maxNames bounds the names of a certificate that are told.
const maxNames = 100

// tlsReader reads the handshake of a session that stays closed.
type tlsReader struct {
	s      *Session
	scan   clienthello.Scanner
	hello  []byte // of the client, as long as it is not whole
	flight prototls.Flight
	event  TLS
	client bool // the client's hello is read, or cannot be
	told   bool
}

func newTLS(s *Session) *tlsReader { return &tlsReader{s: s} }

// turns notes that the client asks for TLS within its dialogue: what it says next is a hello,
// unless the server refuses, or somebody has taken TLS off.
func (s *Session) turns() { s.turning = s.contents != nil }

// turn ends the dialogue if the client's next octet begins a hello.
func (s *Session) turn(next byte) {
	const handshake = 22
	if s.turning = false; next == handshake {
		s.reader.close(Cut)
		s.reader = newTLS(s)
	}
}

func (x *tlsReader) data(dir proto.Direction, p []byte) Cause {
	switch {
	case x.told:
	case dir == proto.OriginToClient:
		if x.flight.Write(p); x.flight.Done {
			x.tell()
		}
	case !x.client:
		x.hello = append(x.hello, p...)
		if _, err := x.scan.Scan(x.hello); err != clienthello.ErrShort {
			if h, _, err := clienthello.Parse(x.hello); err == nil {
				x.event.read(h)
				x.event.JA4 = h.JA4()
			}
			x.client, x.hello = true, nil
		}
	}
	return reading
}

// read takes what a client says.
func (e *TLS) read(h *clienthello.Hello) {
	e.ServerName, e.ECH = h.ServerName, h.ECH
	if len(h.ALPN) > 0 {
		e.ALPN = h.ALPN[0]
	}
}

// tell tells of the handshake, once.
func (x *tlsReader) tell() {
	if x.told {
		return
	}
	x.told, x.hello = true, nil
	x.s.missed(StopEncrypted)
	f := &x.flight
	if x.event.JA4 == "" && f.Version == 0 {
		return // nothing was read
	}
	e := &x.s.event().tls
	*e = x.event
	e.Version = prototls.VersionName(f.Version)
	if f.Version != 0 {
		e.Suite = tls.CipherSuiteName(f.Suite)
	}
	if f.ALPN != "" {
		e.ALPN = f.ALPN
	}
	if f.Alert > 0 {
		e.Alert = tls.AlertError(f.Alert).Error()
	}
	if f.Certificate != nil {
		e.Certificate = certificateOf(f.Certificate)
	}
	x.s.sink.Event(e)
}

// certificateOf returns what a certificate says.
func certificateOf(der []byte) *Certificate {
	c := &Certificate{Fingerprint: sha256.Sum256(der)}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return c
	}
	c.Subject, c.Issuer = parsed.Subject.String(), parsed.Issuer.String()
	c.Until = parsed.NotAfter.UTC().Format("2006-01-02")
	c.Names = append(c.Names, parsed.DNSNames[:min(len(parsed.DNSNames), maxNames)]...)
	for _, a := range parsed.IPAddresses[:min(len(parsed.IPAddresses), maxNames-len(c.Names))] {
		c.Names = append(c.Names, a.String())
	}
	return c
}

// gap ends the reading of the handshake.
func (x *tlsReader) gap(proto.Direction, uint64) Cause {
	x.tell()
	return reading
}

func (x *tlsReader) end(proto.Direction) {}

func (x *tlsReader) close(Ending) { x.tell() }
