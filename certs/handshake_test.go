package certs

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"testing"
	"time"
)

// dial shakes hands with an origin on the loopback and returns the client's
// error.
func dial(t *testing.T, client *tls.Config, serve func(net.Conn)) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	deadline := time.Now().Add(5 * time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		theirs, err := listener.Accept()
		if err != nil {
			return
		}
		defer theirs.Close()
		theirs.SetDeadline(deadline)
		serve(theirs)
	}()
	ours, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ours.SetDeadline(deadline)
	err = tls.Client(ours, client).HandshakeContext(t.Context())
	ours.Close()
	<-done
	return err
}

func serveTLS(cfg *tls.Config) func(net.Conn) {
	return func(c net.Conn) { tls.Server(c, cfg).Handshake() }
}

func serving(chain []*x509.Certificate, key any) *tls.Config {
	cert := tls.Certificate{PrivateKey: key}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}}
}

// What crypto/tls refuses by itself has a reason too. The texts it does so with
// are no interface: these handshakes notice when they change.
func TestReasonOfHandshake(t *testing.T) {
	p := newPKI(t)
	leaf := p.leaf(t)
	expired := p.leaf(t, valid(-9*day, -8*day))
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8200, 1), E: 65537}
	hugeLeaf := issue(t, p.inter, publicOnly{rsaKey(t, 2048), huge}, asLeaf(testHost))
	garbled := append([]byte(nil), leaf.cert.Raw...)
	garbled[4] = 0x31

	for _, row := range []struct {
		name  string
		serve func(net.Conn)
		stock bool // verified by crypto/tls, without a judge
		want  Reason
	}{
		{"good", serveTLS(serving(p.chain(leaf), leaf.key)), false, ""},
		{"refused by the judge", serveTLS(serving(p.chain(expired), expired.key)), false, Expired},
		{"refused by crypto/tls, expired", serveTLS(serving(p.chain(expired), expired.key)), true, Expired},
		{"refused by crypto/tls, issuer", serveTLS(serving(p.chain(leaf)[:1], leaf.key)), true, UnknownIssuer},
		{"certificate that cannot be parsed", serveTLS(&tls.Config{Certificates: []tls.Certificate{{
			Certificate: [][]byte{garbled}, PrivateKey: leaf.key,
		}}}), false, Malformed},
		{"certificates of 300 KiB", serveTLS(&tls.Config{Certificates: []tls.Certificate{{
			Certificate: [][]byte{leaf.cert.Raw, make([]byte, 300<<10)}, PrivateKey: leaf.key,
		}}}), false, Malformed},
		{"RSA key of 8201 bits", serveTLS(serving([]*x509.Certificate{hugeLeaf.cert}, rsaKey(t, 2048))), false, WeakKey},
		{"unknown kind of key", serveTLS(serving([]*x509.Certificate{oddKeyLeaf(t, p)}, rsaKey(t, 2048))), false, WeakKey},
		{"key of another certificate", serveTLS(serving(p.chain(leaf), ecKey(t))), false, Malformed},
		{"TLS 1.1 only, by alert", serveTLS(&tls.Config{
			MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, Certificates: serving(p.chain(leaf), leaf.key).Certificates,
		}), false, TLSVersion},
		{"TLS 1.0 only, by hello", serveOldHello, false, TLSVersion},
		{"handshake failure", serveTLS(&tls.Config{
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") },
		}), false, ""},
		{"closed", func(c net.Conn) { io.ReadFull(c, make([]byte, 5)) }, false, ""},
		{"not TLS", func(c net.Conn) { io.WriteString(c, "SSH-2.0-test\r\n"); io.Copy(io.Discard, c) }, false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			client := &tls.Config{ServerName: testHost, RootCAs: p.roots}
			if !row.stock {
				judge := p.judge()
				client.InsecureSkipVerify = true
				client.VerifyConnection = func(s tls.ConnectionState) error {
					return judge.Verify(context.Background(), testHost, &s)
				}
			}
			err := dial(t, client, row.serve)
			if got := ReasonOf(err); got != row.want {
				t.Errorf("got %q for %v, want %q", got, err, row.want)
			}
		})
	}
}

// publicOnly shows another public key than it signs with.
type publicOnly struct {
	*rsa.PrivateKey
	public *rsa.PublicKey
}

func (k publicOnly) Public() crypto.PublicKey { return k.public }

// serveOldHello answers with a ServerHello of TLS 1.0.
func serveOldHello(c net.Conn) {
	hello := append([]byte{0x16, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1}, make([]byte, 32)...)
	c.Write(append(hello, 0, 0xc0, 0x2f, 0))
	io.Copy(io.Discard, c) // until the client has read it and left
}

func TestReasonOf(t *testing.T) {
	key := rsaKey(t, 512)
	weak := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, make([]byte, 32), make([]byte, 64))
	early := &x509.Certificate{NotBefore: time.Now().Add(time.Hour)}
	for _, row := range []struct {
		name string
		err  error
		want Reason
	}{
		{"nil", nil, ""},
		{"wrapped refusal", fmt.Errorf("dial origin: %w", refuse(Revoked, errors.New("listed"))), Revoked},
		{"not yet valid", x509.CertificateInvalidError{Cert: early, Reason: x509.Expired}, NotYetValid},
		{"expired", x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}, Expired},
		{"expired without certificate", x509.CertificateInvalidError{Reason: x509.Expired}, Expired},
		{"host name", x509.HostnameError{Certificate: &x509.Certificate{}, Host: testHost}, NameMismatch},
		{"system roots", x509.SystemRootsError{}, UnknownIssuer},
		{"algorithm", x509.InsecureAlgorithmError(x509.SHA1WithRSA), WeakSignature},
		{"tiny RSA", fmt.Errorf("tls: invalid signature by the server certificate: %v", weak), WeakKey},
		{"handshake signature with SHA-1", errors.New("tls: certificate used with invalid signature algorithm"), WeakSignature},
		{"downgrade", errors.New("tls: downgrade attempt detected, possibly due to a MitM attack or a broken middlebox"), TLSVersion},
		{"time-out", os.ErrDeadlineExceeded, ""},
		{"refused connection", &net.OpError{Op: "dial", Err: errors.New("connection refused")}, ""},
		{"other alert", &net.OpError{Op: "remote error", Err: tls.AlertError(40)}, ""},
	} {
		if got := ReasonOf(row.err); got != row.want {
			t.Errorf("%s: got %q for %v, want %q", row.name, got, row.err, row.want)
		}
	}
}

// A forged leaf must serve: the client verifies it as any client would.
func TestForgedLeafServes(t *testing.T) {
	p := newPKI(t)
	f := testForger(t, nil)
	clients := x509.NewCertPool()
	clients.AddCert(f.trusted.Certificate())
	for _, row := range []struct {
		name           string
		trusted, ecdsa bool
		version        uint16
		want           Reason
	}{
		{"P-256, TLS 1.3", true, true, tls.VersionTLS13, ""},
		{"P-256, TLS 1.2", true, true, tls.VersionTLS12, ""},
		{"RSA, TLS 1.2", true, false, tls.VersionTLS12, ""},
		{"untrusted", false, true, tls.VersionTLS13, UnknownIssuer},
	} {
		t.Run(row.name, func(t *testing.T) {
			cert := forge(t, f, p.chain(p.leaf(t)), testHost, row.trusted, row.ecdsa)
			err := dial(t, &tls.Config{ServerName: testHost, RootCAs: clients},
				serveTLS(&tls.Config{Certificates: []tls.Certificate{*cert}, MaxVersion: row.version}))
			if got := ReasonOf(err); got != row.want || (err == nil) != (row.want == "") {
				t.Errorf("got %q (%v), want %q", got, err, row.want)
			}
		})
	}
}
