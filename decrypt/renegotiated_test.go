package decrypt

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/hack/needs"
)

// files writes a certificate for www.example.test, its key and its root into a new
// directory.
func (b *testbed) files() (dir string) {
	dir = b.TempDir()
	leaf, err := b.origins.issue("www.example.test")
	if err != nil {
		b.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		b.Fatal(err)
	}
	for name, block := range map[string]pem.Block{
		"site.crt": {Type: "CERTIFICATE", Bytes: leaf.Certificate[0]},
		"site.key": {Type: "PRIVATE KEY", Bytes: key},
		"root.crt": {Type: "CERTIFICATE", Bytes: b.origins.cert.Raw},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&block), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// freePort returns an address on which nobody listens.
func (b *testbed) freePort() string {
	l := b.listen()
	defer l.Close()
	return l.Addr().String()
}

// otherServer is an origin that is another server. It counts that server's handshakes,
// by the records with which it changes the cipher spec.
type otherServer struct {
	address    string
	handshakes atomic.Int32
}

func (o *otherServer) serve(b *testbed, conn net.Conn) {
	to, err := net.Dial("tcp", o.address)
	if err != nil {
		b.Error(err)
		return
	}
	defer to.Close()
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(to, conn); to.(*net.TCPConn).CloseWrite() })
	record := make([]byte, 5, 5+1<<15)
	for {
		if _, err := io.ReadFull(to, record[:5]); err != nil {
			break
		}
		record = record[:5+int(record[3])<<8+int(record[4])]
		io.ReadFull(to, record[5:])
		conn.Write(record)
		if record[0] == 20 {
			o.handshakes.Add(1)
		}
	}
	conn.Close()
	wg.Wait()
}

// await waits for the nth handshake.
func (o *otherServer) await(t *testing.T, n int32) {
	t.Helper()
	for end := time.Now().Add(time.Minute); o.handshakes.Load() < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d handshakes, want %d", o.handshakes.Load(), n)
		}
	}
}

// awaitPort waits until somebody listens.
func (b *testbed) awaitPort(address string) {
	b.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return
		} else if time.Now().After(end) {
			b.Fatal(err)
		}
	}
}

// sServer is openssl s_server, which renegotiates at a command.
type sServer struct {
	*testbed
	commands io.Writer
	lines    *bufio.Scanner // of its standard output
}

func (b *testbed) startServer(address string, args ...string) *sServer {
	dir := b.files()
	args = append([]string{"s_server", "-tls1_2", "-accept", address, "-cert", filepath.Join(dir, "site.crt"), "-key", filepath.Join(dir, "site.key"), "-naccept", "1"}, args...)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, openSSL(b.T), args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cancel(); cmd.Wait() })
	s := &sServer{b, in, bufio.NewScanner(out)}
	s.await("ACCEPT") // it listens
	return s
}

// await reads the server's output as far as a line that holds text.
func (s *sServer) await(text string) {
	s.Helper()
	for s.lines.Scan() {
		if strings.Contains(s.lines.Text(), text) {
			return
		}
	}
	s.Fatalf("openssl s_server never says %q: %v", text, s.lines.Err())
}

// TestRenegotiation has a real origin renegotiate again and again, with and without a
// request for a certificate. Both ends go on to speak. The account says how often.
func TestRenegotiation(t *testing.T) {
	for _, tt := range []struct {
		name, command string
		services      bool
	}{{"no certificate", "r", false}, {"certificate", "R", false}, {"through a service", "R", true}} {
		t.Run(tt.name, func(t *testing.T) {
			var origin otherServer
			b := newTestbed(t, origin.serve, func(b *testbed) {
				origin.address = b.freePort()
				b.cfg.Client.HandshakeTimeout, b.cfg.Client.IdleTimeout = time.Minute, time.Minute
				if tt.services {
					b.cfg.Services = func(*Session) []Service { return []Service{passer{}} }
				}
			})
			s := b.startServer(origin.address)
			conn := b.dial()
			conn.SetDeadline(time.Now().Add(time.Minute))
			c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
			if err := c.Handshake(); err != nil {
				t.Fatal(err)
			}
			s.await("Secure Renegotiation IS supported")

			answers := bufio.NewReader(c)
			answered := func(text string) {
				io.WriteString(s.commands, text+"\n")
				if got, err := answers.ReadString('\n'); got != text+"\n" {
					t.Fatalf("the client got %q, %v", got, err)
				}
			}
			answered("before")
			const times = 4
			for i := range times {
				io.WriteString(s.commands, tt.command+"\n")
				origin.await(t, int32(i+2))
				fmt.Fprintf(c, "line %d\n", i)
				s.await(fmt.Sprint("line ", i))
				answered(fmt.Sprint("after ", i))
			}
			c.Close()
			if got := b.session(); got.OriginTLS.Renegotiated != times || got.Reason != "" {
				t.Errorf("%d renegotiations, %s %v", got.OriginTLS.Renegotiated, got.Reason, got.Err)
			}
		})
	}
}

// passer is a service that passes what comes.
type passer struct{}

func (passer) Carry(_ context.Context, _ *Session, client, origin End) error {
	errs := make(chan error, 2)
	pass := func(to, from End) {
		_, err := io.Copy(to, from)
		if err == nil {
			err = to.CloseWrite()
		}
		if err != nil {
			client.Abort()
			origin.Abort()
		}
		errs <- err
	}
	go pass(origin, client)
	go pass(client, origin)
	return firstError(<-errs, <-errs)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestCertificateForAPlace has a web server that asks for a client certificate for some
// places only, which it does by renegotiating. Where it can do without, its pages arrive.
// Where it cannot, the session says so, and teaches what an origin teaches that asks at
// once.
func TestCertificateForAPlace(t *testing.T) {
	httpd, err := exec.LookPath("apache2")
	if err != nil {
		needs.Missing(t, err)
	}
	for _, tt := range []struct {
		place   string
		request CertificateRequest
		ok      bool
		taught  learn.Lesson
	}{
		{"/may/", TunnelRequest, true, ""},
		{"/need/", TunnelRequest, false, learn.ClientCertificate},
		{"/may/", BlockRequest, false, ""},
	} {
		t.Run(fmt.Sprint(tt.place, tt.request), func(t *testing.T) {
			var origin otherServer
			b := newTestbed(t, origin.serve, func(b *testbed) {
				origin.address = b.freePort()
				b.cfg.Client.HandshakeTimeout, b.cfg.Origin.ClientCertificate = time.Minute, tt.request
			})
			dir := b.files()
			for _, place := range []string{"may", "need"} {
				if err := os.MkdirAll(filepath.Join(dir, "pages", place), 0o755); err != nil {
					t.Fatal(err)
				}
				os.WriteFile(filepath.Join(dir, "pages", place, "index.html"), []byte(place), 0o644)
			}
			os.WriteFile(filepath.Join(dir, "httpd.conf"), fmt.Appendf(nil, apacheConfig, dir, origin.address), 0o644)
			ctx, cancel := context.WithCancel(context.Background())
			cmd := exec.CommandContext(ctx, httpd, "-X", "-f", filepath.Join(dir, "httpd.conf"))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cancel(); cmd.Wait() })
			b.awaitPort(origin.address)

			conn := b.dial()
			conn.SetDeadline(time.Now().Add(time.Minute))
			c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: www.example.test\r\nConnection: close\r\n\r\n", tt.place)
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if (err == nil) != tt.ok || tt.ok && answer.StatusCode != http.StatusOK {
				t.Errorf("the client got %v, %v", answer, err)
			}
			c.Close()
			s := b.session()
			if reason := map[bool]string{true: "", false: "renegotiation"}[tt.ok]; s.Reason != reason || s.Taught != tt.taught {
				t.Errorf("reason %q (%v), taught %q", s.Reason, s.Err, s.Taught)
			}
		})
	}
}

// Apache as it runs here: its directory, its address.
const apacheConfig = `ServerRoot %[1]s
PidFile %[1]s/httpd.pid
Mutex file:%[1]s
Listen %[2]s
ServerName www.example.test
ErrorLog %[1]s/httpd.log
LoadModule mpm_worker_module /usr/lib/apache2/modules/mod_mpm_worker.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
DocumentRoot %[1]s/pages
DirectoryIndex index.html
SSLEngine on
SSLProtocol TLSv1.2
SSLCertificateFile %[1]s/site.crt
SSLCertificateKeyFile %[1]s/site.key
SSLCACertificateFile %[1]s/root.crt
<Location /may/>
 SSLVerifyClient optional
</Location>
<Location /need/>
 SSLVerifyClient require
</Location>
`
