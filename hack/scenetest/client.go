package scenetest

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// Nginx starts the usual sites on the origin.
func (c *Scene) Nginx() *lab.Web {
	c.Helper()
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), lab.Sites(c.Cert))
	if err != nil {
		c.Fatal(err)
	}
	return web
}

// Curl runs curl on the client, which trusts the appliance's authority and knows
// WebName; it must succeed.
func (c *Scene) Curl(args ...string) string {
	c.Helper()
	r, err := lab.Curl(c.Ctx, c.Client, c.CA, append(lab.Resolve(WebName, lab.OriginV4), args...)...)
	if err != nil {
		c.Fatalf("curl %s: %v", strings.Join(args, " "), err)
	}
	return r.Stdout
}

// Exchange is one request as curl saw it.
type Exchange struct {
	Ends    Ends
	Version string // of HTTP: 1.1, 2
	Status  string
	Content []byte
}

// Fetch makes one request by curl, see [Scene.Curl].
func (c *Scene) Fetch(args ...string) Exchange {
	c.Helper()
	file := filepath.Join(c.TempDir(), "content")
	said := c.Curl(append([]string{"--output", file, "--write-out", "%{local_port} %{remote_port} %{http_version} %{response_code}"}, args...)...)
	x, err := parseExchange(said)
	if err != nil {
		c.Fatal(err)
	}
	x.Content = c.ReadFile(file)
	return x
}

func parseExchange(said string) (x Exchange, err error) {
	f := strings.Fields(said)
	if len(f) != 4 {
		return x, fmt.Errorf("curl wrote %q", said)
	}
	client, err := strconv.ParseUint(f[0], 10, 16)
	if err != nil {
		return x, err
	}
	origin, err := strconv.ParseUint(f[1], 10, 16)
	return Exchange{Ends: Ends{uint16(client), uint16(origin)}, Version: f[2], Status: f[3]}, err
}

// Page puts a file of random octets onto the web server.
func (c *Scene) Page(web *lab.Web, name string, size int) []byte {
	c.Helper()
	content := make([]byte, size)
	rand.Read(content)
	c.Write(filepath.Join(web.Root, name), content)
	return content
}

func (c *Scene) Write(path string, content []byte) {
	c.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		c.Fatal(err)
	}
}

func (c *Scene) ReadFile(path string) []byte {
	c.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		c.Fatal(err)
	}
	return content
}

// Pool returns the certificates in PEM files.
func (c *Scene) Pool(files ...string) *x509.CertPool {
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

// Pair loads a certificate with its key.
func (c *Scene) Pair(k lab.KeyPair) tls.Certificate {
	c.Helper()
	pair, err := tls.LoadX509KeyPair(k.CertFile, k.KeyFile)
	if err != nil {
		c.Fatal(err)
	}
	return pair
}

// Dial connects the client to a port of the origin. The connection is closed
// with the test, and its deadline is half a minute from now.
func (c *Scene) Dial(port int) net.Conn {
	c.Helper()
	conn, err := c.Client.DialContext(c.Ctx, "tcp", net.JoinHostPort(lab.OriginV4, strconv.Itoa(port)))
	if err != nil {
		c.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	c.Cleanup(func() { conn.Close() })
	return conn
}

// Listen serves a port of the origin until the test ends, each connection in a
// goroutine of its own.
func (c *Scene) Listen(port int, serve func(net.Conn)) {
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

// ListenTLS is [Scene.Listen] for a server with the usual certificate. serve also
// gets the connection beneath.
func (c *Scene) ListenTLS(port int, serve func(conn *tls.Conn, under net.Conn)) {
	c.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}
	c.Listen(port, func(conn net.Conn) {
		serve(tls.Server(conn, config), conn)
	})
}

// Echo returns a TLS server that sends everything back until the client ends.
func (c *Scene) Echo(config *tls.Config) func(net.Conn) {
	return func(conn net.Conn) {
		server := tls.Server(conn, config)
		if _, err := io.Copy(server, server); err == nil {
			server.Close()
		}
	}
}
