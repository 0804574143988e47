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
	port    ends
	version string // of HTTP: 1.1, 2
	status  string
	content []byte
}

// fetch makes one request by curl, see [scene.curl].
func (c *scene) fetch(args ...string) exchange {
	c.Helper()
	file := filepath.Join(c.TempDir(), "content")
	said := c.curl(append([]string{"--output", file, "--write-out", "%{local_port} %{remote_port} %{http_version} %{response_code}"}, args...)...)
	x, err := parseExchange(said)
	if err != nil {
		c.Fatal(err)
	}
	x.content = c.readFile(file)
	return x
}

func parseExchange(said string) (x exchange, err error) {
	f := strings.Fields(said)
	if len(f) != 4 {
		return x, fmt.Errorf("curl wrote %q", said)
	}
	client, err := strconv.ParseUint(f[0], 10, 16)
	if err != nil {
		return x, err
	}
	origin, err := strconv.ParseUint(f[1], 10, 16)
	return exchange{port: ends{uint16(client), uint16(origin)}, version: f[2], status: f[3]}, err
}

// ends are the ports of a client's connection, by which its session is found. The
// client's alone does not tell: the kernel gives it to connections to different
// ports at the same time.
type ends struct{ client, origin uint16 }

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

// entryOf returns the entry of a session. The origin's port decides between sessions
// of the same client's port; where a proxy is in between it says nothing.
func (c *scene) entryOf(entries []entry, port ends) entry {
	c.Helper()
	found := -1
	for i := range entries {
		switch e := entries[i].ends(); {
		case e.client != port.client:
		case e.origin == port.origin:
			return entries[i]
		case found < 0:
			found = i
		}
	}
	if found < 0 {
		c.Fatalf("no entry for ports %v", port)
	}
	return entries[found]
}

// conversationOf returns what was recorded of a session. Where sessions to several
// ports share the client's, the audit trail says which port is shown for the one
// meant: the appliance must have been stopped.
func (c *scene) conversationOf(recorded []mirrortest.Conversation, port ends) mirrortest.Conversation {
	c.Helper()
	found := -1
	for i := range recorded {
		switch client, origin := recorded[i].Client.Port(), recorded[i].Origin.Port(); {
		case client != port.client:
		case origin == port.origin:
			return recorded[i]
		case found >= 0:
			e := c.entryOf(c.entries(), port)
			for _, mapped := range e.Flow.Ports {
				if v := findConversation(recorded, ends{port.client, mapped}); v != nil {
					return *v
				}
			}
			c.Fatalf("nothing recorded for ports %v, shown as %v", port, e.Flow.Ports)
		default:
			found = i
		}
	}
	if found < 0 {
		c.Fatalf("nothing recorded for ports %v", port)
	}
	return recorded[found]
}

// findConversation returns what was recorded between exactly these ends, nil for
// nothing.
func findConversation(recorded []mirrortest.Conversation, port ends) *mirrortest.Conversation {
	for i := range recorded {
		if recorded[i].Client.Port() == port.client && recorded[i].Origin.Port() == port.origin {
			return &recorded[i]
		}
	}
	return nil
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

// pool returns the certificates in PEM files.
func (c *scene) pool(files ...string) *x509.CertPool {
	c.Helper()
	pool := x509.NewCertPool()
	for _, file := range files {
		pem, err := os.ReadFile(file)
		if err != nil || !pool.AppendCertsFromPEM(pem) {
			c.Fatalf("no certificate in %s: %v", file, err)
		}
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

// localPort returns the ports of a client's connection, none if it has none.
func localPort(conn net.Conn) ends {
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	remote, err2 := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil || err2 != nil {
		return ends{}
	}
	return ends{local.Port(), remote.Port()}
}

// ends returns the ports that a session is found by.
func (e *entry) ends() ends { return ends{e.Client.Port(), e.Origin.Port()} }

// shown returns the ports under which a session is on a mirror.
func (e *entry) shown(mirror string) ends {
	if port, ok := e.Flow.Ports[mirror]; ok {
		return ends{e.Client.Port(), port}
	}
	return e.ends()
}

// same fails the test if two contents differ, without printing them.
func same(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d octets differ from the %d expected", what, len(got), len(want))
	}
}
