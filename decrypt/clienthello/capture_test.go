package clienthello

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/needs"
)

// writeOnly records what a TLS client sends first and then hangs up.
type writeOnly struct{ sent bytes.Buffer }

func (c *writeOnly) Write(p []byte) (int, error)      { return c.sent.Write(p) }
func (c *writeOnly) Read([]byte) (int, error)         { return 0, io.EOF }
func (c *writeOnly) Close() error                     { return nil }
func (c *writeOnly) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *writeOnly) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *writeOnly) SetDeadline(time.Time) error      { return nil }
func (c *writeOnly) SetReadDeadline(time.Time) error  { return nil }
func (c *writeOnly) SetWriteDeadline(time.Time) error { return nil }

// captureGo returns the hello of a crypto/tls client.
func captureGo(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	conn := new(writeOnly)
	if err := tls.Client(conn, config).Handshake(); err == nil {
		t.Fatal("handshake with nobody succeeded")
	}
	if conn.sent.Len() == 0 {
		t.Fatal("client sent no hello")
	}
	return conn.sent.Bytes()
}

// captureOpenSSL returns the hello of openssl s_client with the arguments.
func captureOpenSSL(t *testing.T, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		needs.Missing(t, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", append([]string{"s_client", "-connect", l.Addr().String()}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	l.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	var hello []byte
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		hello = append(hello, buf[:n]...)
		if _, short := Complete(hello); short != ErrShort {
			return hello
		}
		if err != nil {
			t.Fatalf("hello ends after %d octets: %v", len(hello), err)
		}
	}
}

// refragment puts the handshake message of a one-record hello into records of
// size octets each.
func refragment(hello []byte, size int) []byte {
	var out []byte
	for rest := hello[recordHeader:]; len(rest) > 0; {
		n := min(size, len(rest))
		out = append(out, typeHandshake, 3, 1)
		out = binary.BigEndian.AppendUint16(out, uint16(n))
		out = append(out, rest[:n]...)
		rest = rest[n:]
	}
	return out
}

// builder makes a ClientHello in one record.
type builder struct {
	version    uint16
	suites     []uint16
	extensions []extension // nil: the hello ends before them
}

type extension struct {
	typ  uint16
	data []byte
}

func (b builder) record() []byte {
	body := binary.BigEndian.AppendUint16(nil, b.version)
	body = append(body, make([]byte, 32)...)
	body = append(body, 0)
	body = append(body, list16(b.suites...)...)
	body = append(body, 1, 0)
	if b.extensions != nil {
		var all []byte
		for _, e := range b.extensions {
			all = binary.BigEndian.AppendUint16(all, e.typ)
			all = append(all, vector16(e.data)...)
		}
		body = append(body, vector16(all)...)
	}
	return wrap(body)
}

// wrap makes a record of the body of a ClientHello, however wrong it is.
func wrap(body []byte) []byte {
	msg := append([]byte{typeClientHello, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	return append([]byte{typeHandshake, 3, 1}, vector16(msg)...)
}

func vector8(b []byte) []byte { return append([]byte{byte(len(b))}, b...) }

func vector16(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

// list16 is a vector of 16-bit values with a length of 16 bits.
func list16(values ...uint16) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return vector16(b)
}

// versions8 is the data of supported_versions.
func versions8(values ...uint16) []byte { return list16(values...)[1:] }

// sni is the data of server_name with one host name.
func sni(name string) []byte { return vector16(append([]byte{0}, vector16([]byte(name))...)) }

// alpn is the data of the ALPN extension.
func alpn(names ...string) []byte {
	var b []byte
	for _, n := range names {
		b = append(b, vector8([]byte(n))...)
	}
	return vector16(b)
}
