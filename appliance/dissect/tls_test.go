package dissect_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// certificate returns one for a name.
func certificate(t testing.TB, name string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name, "*." + name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// heard notes what an end writes.
type heard struct {
	net.Conn
	mu    *sync.Mutex
	dir   proto.Direction
	steps *[]step
}

func (h heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	*h.steps = append(*h.steps, step{dir: h.dir, text: string(p)})
	h.mu.Unlock()
	return h.Conn.Write(p)
}

// shake returns what two ends say in a handshake.
func shake(t testing.TB, client, server *tls.Config) (steps []step) {
	near, far := net.Pipe()
	var mu sync.Mutex
	done := make(chan struct{})
	go func() {
		defer close(done)
		s := tls.Server(heard{far, &mu, proto.OriginToClient, &steps}, server)
		if s.Handshake() == nil {
			io.Copy(s, s)
		}
		far.Close()
	}()
	c := tls.Client(heard{near, &mu, proto.ClientToOrigin, &steps}, client)
	if c.Handshake() == nil {
		fmt.Fprint(c, "hello")
		io.ReadFull(c, make([]byte, 5))
	}
	near.Close()
	<-done
	return steps
}

// TestTLS: the handshakes of sessions that stay closed are told, wherever octets are cut.
func TestTLS(t *testing.T) {
	cert := certificate(t, "a.example.test")
	for _, tt := range []struct {
		name string
		max  uint16
		alpn string // of the server
		want []string
	}{
		{"1.3", tls.VersionTLS13, "h2", []string{"tls a.example.test h2 t13d", " 1.3 TLS_", `""` + "\n"}},
		{"1.2", tls.VersionTLS12, "http/1.1", []string{"tls a.example.test http/1.1 t12d", " 1.2 TLS_ECDHE_ECDSA_", ` "" CN=a.example.test [a.example.test *.a.example.test] `, fmt.Sprintf("%.8x", sha256.Sum256(cert.Certificate[0]))[:8]}},
		{"refused", tls.VersionTLS12, "other", []string{"tls a.example.test h2 t12d", `"tls: no application protocol"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			steps := shake(t, &tls.Config{ServerName: "a.example.test", InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}, MaxVersion: tt.max},
				&tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{tt.alpn}})
			whole := play(0, steps...)
			for _, want := range append(tt.want, "\nstop encrypted\n") {
				if !strings.Contains(whole, want) {
					t.Errorf("%q is not in\n%s", want, whole)
				}
			}
			if strings.Count(whole, "\n") != 2 {
				t.Errorf("%s", whole)
			}
			for _, piece := range []int{1, 3, 5, 100, 1460} {
				if diff := cmp.Diff(whole, play(piece, steps...)); diff != "" {
					t.Fatalf("in pieces of %d (-whole +cut):\n%s", piece, diff)
				}
			}
		})
	}
}

// TestTurn: the handshake of a dialogue that turns to TLS is told. Where TLS was taken off, or
// refused, the dialogue goes on.
func TestTurn(t *testing.T) {
	cert := certificate(t, "mx.example.test")
	hello := shake(t, &tls.Config{ServerName: "mx.example.test", InsecureSkipVerify: true}, &tls.Config{Certificates: []tls.Certificate{cert}})
	for _, tt := range []struct{ greeting, command, reply, login, granted string }{
		{"220 x ESMTP\r\n", "STARTTLS\r\n", "220 go\r\n", "AUTH PLAIN AGJvYgBwdw==\r\n", "235 ok\r\n"},
		{"* OK\r\n", "a STARTTLS\r\n", "a OK go\r\n", "b LOGIN bob pw\r\n", "b OK\r\n"},
		{"+OK\r\n", "STLS\r\n", "+OK go\r\n", "AUTH PLAIN AGJvYgBwdw==\r\n", "+OK\r\n"},
		{"220 x FTP\r\n", "AUTH TLS\r\n", "234 go\r\n", "USER bob\r\n", "230 ok\r\n"},
	} {
		begin := []step{down(tt.greeting), up(tt.command), down(tt.reply)}
		for _, piece := range []int{0, 1, 100} {
			if got := play(piece, append(begin, hello...)...); !strings.HasPrefix(got, "tls mx.example.test ") || !strings.HasSuffix(got, "\nstop encrypted\n") || strings.Count(got, "\n") != 2 {
				t.Errorf("%q in pieces of %d:\n%s", tt.command, piece, got)
			}
		}
		if got := play(0, append(begin, up(tt.login), down(tt.granted))...); !strings.Contains(got, " bob granted\nstop ended\n") {
			t.Errorf("%q and cleartext:\n%s", tt.command, got)
		}
	}
}

// FuzzTLS: whatever a server says, nothing breaks.
func FuzzTLS(f *testing.F) {
	cert := certificate(f, "a.example.test")
	for _, version := range []uint16{tls.VersionTLS13, tls.VersionTLS12} {
		steps := shake(f, &tls.Config{ServerName: "a.example.test", InsecureSkipVerify: true, MaxVersion: version}, &tls.Config{Certificates: []tls.Certificate{cert}})
		var both [2]string
		for _, s := range steps {
			both[s.dir] += s.text
		}
		f.Add([]byte(both[0]), []byte(both[1]), byte(9))
	}
	f.Fuzz(func(t *testing.T, client, origin []byte, cut byte) {
		if len(client) < 2 || string(client[:2]) != "\x16\x03" {
			return
		}
		steps := []step{up(string(client)), down(string(origin))}
		if diff := cmp.Diff(play(0, steps...), play(int(cut)+1, steps...)); diff != "" {
			t.Errorf("in pieces of %d (-whole +cut):\n%s", int(cut)+1, diff)
		}
	})
}
