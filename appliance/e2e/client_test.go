package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// in returns the scene for a subtest.
func (c *scene) in(t *testing.T) *scene {
	d := *c
	d.T = t
	return &d
}

// exchange is one request as curl saw it.
type exchange struct {
	port    uint16 // the client's, by which the session is found
	version string // of HTTP: 1.1, 2
	status  string
	content []byte
}

// fetch makes one request by curl, see [scene.curl].
func (c *scene) fetch(args ...string) exchange {
	c.Helper()
	file := filepath.Join(c.TempDir(), "content")
	said := c.curl(append([]string{"--output", file, "--write-out", "%{local_port} %{http_version} %{response_code}"}, args...)...)
	x, err := parseExchange(said)
	if err != nil {
		c.Fatal(err)
	}
	x.content = c.readFile(file)
	return x
}

func parseExchange(said string) (x exchange, err error) {
	f := strings.Fields(said)
	if len(f) != 3 {
		return x, fmt.Errorf("curl wrote %q", said)
	}
	port, err := strconv.ParseUint(f[0], 10, 16)
	return exchange{port: uint16(port), version: f[1], status: f[2]}, err
}

// refused runs curl with a CA file; it must fail. The exit status and what curl
// said are returned.
func (c *scene) refused(ca string, args ...string) lab.Result {
	c.Helper()
	r, err := lab.Curl(c.ctx, c.Client, ca, args...)
	if err == nil {
		c.Fatalf("curl %s: got an answer: %.200q", strings.Join(args, " "), r.Stdout)
	}
	return r
}

// entryOf returns the entry of the session from a client's port.
func (c *scene) entryOf(entries []entry, port uint16) entry {
	c.Helper()
	for _, e := range entries {
		if e.Client.Port() == port {
			return e
		}
	}
	c.Fatalf("no entry for client port %d", port)
	return entry{}
}

// conversationOf returns what was recorded of the session from a client's port.
func (c *scene) conversationOf(recorded []mirrortest.Conversation, port uint16) mirrortest.Conversation {
	c.Helper()
	for _, v := range recorded {
		if v.Client.Port() == port {
			return v
		}
	}
	c.Fatalf("nothing recorded for client port %d", port)
	return mirrortest.Conversation{}
}

// page puts a file of random octets onto the web server.
func (c *scene) page(web *lab.Web, name string, size int) []byte {
	c.Helper()
	content := make([]byte, size)
	rand.Read(content)
	c.write(filepath.Join(web.Root, name), content)
	return content
}

func (c *scene) write(path string, content []byte) {
	c.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		c.Fatal(err)
	}
}

func (c *scene) readFile(path string) []byte {
	c.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		c.Fatal(err)
	}
	return content
}

// pool returns the certificates in a PEM file.
func (c *scene) pool(file string) *x509.CertPool {
	c.Helper()
	pem, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		c.Fatalf("no certificate in %s: %v", file, err)
	}
	return pool
}

// pair loads a certificate with its key.
func (c *scene) pair(k lab.KeyPair) tls.Certificate {
	c.Helper()
	pair, err := tls.LoadX509KeyPair(k.CertFile, k.KeyFile)
	if err != nil {
		c.Fatal(err)
	}
	return pair
}

// dial connects the client to a port of the origin. The connection is closed
// with the test, and its deadline is half a minute from now.
func (c *scene) dial(port int) net.Conn {
	c.Helper()
	conn, err := c.Client.DialContext(c.ctx, "tcp", net.JoinHostPort(lab.OriginV4, strconv.Itoa(port)))
	if err != nil {
		c.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	c.Cleanup(func() { conn.Close() })
	return conn
}

// listen serves a port of the origin until the test ends, each connection in a
// goroutine of its own.
func (c *scene) listen(port int, serve func(net.Conn)) {
	c.Helper()
	l, err := c.Origin.Listen("tcp", ":"+strconv.Itoa(port))
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(time.Minute))
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
}

// localPort is the client's end of a connection.
func localPort(conn net.Conn) uint16 {
	a, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return 0
	}
	return a.Port()
}

// same fails the test if two contents differ, without printing them.
func same(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d octets differ from the %d expected", what, len(got), len(want))
	}
}
