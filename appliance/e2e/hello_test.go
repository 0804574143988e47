package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/hack/scenetest"
)

// carving is a client's connection that carves up its first flight: into TLS
// records of at most record octets of content, and into writes, each a segment,
// of at most segment octets. Zero leaves either as it is. It keeps what was
// written, and may be used by one writer.
type carving struct {
	net.Conn
	record, segment int

	begun   bool
	written []byte
}

func (c *carving) Write(p []byte) (int, error) {
	if c.begun {
		c.written = append(c.written, p...)
		return c.Conn.Write(p)
	}
	c.begun = true
	flight := records(p, c.record)
	c.written = append(c.written, flight...)
	for len(flight) > 0 {
		n := len(flight)
		if c.segment > 0 {
			n = min(n, c.segment)
		}
		if _, err := c.Conn.Write(flight[:n]); err != nil { // TCP_NODELAY is Go's default
			return 0, err
		}
		flight = flight[n:]
	}
	return len(p), nil
}

// records cuts one TLS record (RFC 8446, Section 5.1) into several with at most
// size octets of content.
func records(record []byte, size int) (out []byte) {
	if size == 0 {
		return record
	}
	for content := record[5:]; len(content) > 0; {
		n := min(size, len(content))
		out = append(out, record[:3]...)
		out = append(out, byte(n>>8), byte(n))
		out = append(out, content[:n]...)
		content = content[n:]
	}
	return out
}

var carvings = []struct {
	name            string
	record, segment int
}{
	{"in one segment", 0, 0},
	{"octet by octet", 0, 1},
	{"records of 16 octets", 16, 0},
	{"records of one octet", 1, 0},
	{"records of seven octets, octet by octet", 7, 1},
	{"a record's header in two segments", 100, 104},
}

// TestHello sends a hello with ML-KEM in every way that transport allows.
func TestHello(t *testing.T) {
	c := newScene(t, settings{})
	c.Listen(6443, c.Echo(&tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}))
	want := make(map[ends]string)
	for _, row := range carvings {
		t.Run(row.name, func(t *testing.T) {
			c := c.In(t)
			conn := &carving{Conn: c.Dial(6443), record: row.record, segment: row.segment}
			client := tls.Client(conn, &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName})
			if err := client.HandshakeContext(c.Ctx); err != nil {
				t.Fatal(err)
			}
			if curve := client.ConnectionState().CurveID; curve != tls.X25519MLKEM768 || len(conn.written) < 1500 {
				t.Errorf("key exchange %v, %d octets", curve, len(conn.written))
			}
			c.echoed(client, row.name)
			want[scenetest.LocalPort(conn)] = row.name
		})
	}
	if t.Failed() {
		return
	}
	recorded := c.Stop()
	if len(recorded) != len(want) {
		t.Errorf("%d conversations for %d sessions", len(recorded), len(want))
	}
	for port, said := range want {
		v, e := c.ConversationOf(recorded, port), c.EntryOf(c.Entries(), port)
		if string(v.Streams[0]) != said || string(v.Streams[1]) != said {
			t.Errorf("%s: recorded %q and %q", said, v.Streams[0], v.Streams[1])
		}
		if e.Outcome != "bumped" || e.Reason != "" || e.SNI != webName || e.TLSClient.JA4 == "" {
			t.Errorf("%s: entry %+v", said, e)
		}
	}
}

// echoed sends text over a connection, wants it back, and ends the connection.
func (c *scene) echoed(conn *tls.Conn, text string) {
	c.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		c.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		c.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != text {
		c.Errorf("%q came back as %q, %v", text, got, err)
	}
	conn.Close()
}

// heard is an origin's connection that keeps what the client sent.
type heard struct {
	net.Conn

	mu     sync.Mutex
	octets []byte
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.mu.Lock()
	h.octets = append(h.octets, p[:n]...)
	h.mu.Unlock()
	return n, err
}

func (h *heard) all() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Clone(h.octets)
}

// peer completes a handshake on a connection without judging the certificate,
// and returns it.
func peer(ctx context.Context, conn net.Conn, name string) (*x509.Certificate, error) {
	client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: name})
	defer client.Close()
	if err := client.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return client.ConnectionState().PeerCertificates[0], nil
}
