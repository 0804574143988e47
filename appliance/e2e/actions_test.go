package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// overheard is a connection that keeps what was said on it, in both directions.
type overheard struct {
	net.Conn

	mu            sync.Mutex
	read, written []byte
}

func (o *overheard) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	o.mu.Lock()
	o.read = append(o.read, p[:n]...)
	o.mu.Unlock()
	return n, err
}

func (o *overheard) Write(p []byte) (int, error) {
	o.mu.Lock()
	o.written = append(o.written, p...)
	o.mu.Unlock()
	return o.Conn.Write(p)
}

// said returns what was read and written so far.
func (o *overheard) said() (read, written []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.read), bytes.Clone(o.written)
}

// connect asks the proxy for target by CONNECT.
func (c *scene) connect(target string) net.Conn {
	c.Helper()
	conn, status := c.ask(target)
	if status != http.StatusOK {
		c.Fatalf("CONNECT %s: status %d", target, status)
	}
	return conn
}

// ask is connect for an answer of any status.
func (c *scene) ask(target string) (net.Conn, int) {
	c.Helper()
	conn, err := c.Client.DialContext(c.Ctx, "tcp", lab.BoxLANV4+":"+proxyPort)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	r := bufio.NewReaderSize(conn, 16) // what is behind the answer comes only when the client has spoken
	answer, err := http.ReadResponse(r, nil)
	if err != nil || answer.StatusCode == http.StatusOK && r.Buffered() > 0 {
		c.Fatalf("CONNECT %s: %v, %v", target, answer, err)
	}
	return conn, answer.StatusCode
}

// origins serves an echo over TLS on the ports, and returns where the connections
// that came are found.
func (c *scene) origins(config *tls.Config, ports ...int) chan *overheard {
	arrived := make(chan *overheard, 64)
	for _, port := range ports {
		c.Listen(port, func(conn net.Conn) {
			o := &overheard{Conn: conn}
			arrived <- o
			c.Echo(config)(o)
		})
	}
	return arrived
}

// TestKasperskysTable has an SSL rule of every action: what the client, the origin
// and the recorder see of it.
func TestKasperskysTable(t *testing.T) {
	const (
		bump = 6443 + iota
		tunnel
		checked
		round
		foreign
		terminate
		named
	)
	c := newScene(t, settings{
		Intake: `{name: proxy, mode: explicit, listen: ":` + proxyPort + `", from: ` + labClients + `}`,
		// The name has more addresses than the one that the client was given.
		Hosts: "192.0.2.99 round.example.test\n" + lab.OriginV4 + " round.example.test\n192.0.2.98 harmless.example.test\n",
		Policy: fmt.Sprintf(`
  default: terminate
  rules:
    - {name: bump, port: %d, action: bump}
    - {name: tunnel, port: %d, action: tunnel}
    - {name: check, port: "%d-%d", action: Tunnel with SNI check}
    - {name: terminate, port: %d, action: terminate}
    - {name: allowed, port: %d, host: allowed.example.test, action: tunnel}`, bump, tunnel, checked, foreign, terminate, named),
	})
	arrived := c.origins(&tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}, bump, tunnel, checked, round, foreign, terminate, named)
	wan, err := lab.StartCapture(c.Box, lab.WANInterface, filepath.Join(c.Directory("wan"), "wan.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[uint16][]string) // what the entry of a client's port must say
	rows := []struct {
		name    string
		port    int
		sni     string
		version uint16
		issuer  string // of the certificate that the client sees; empty: an alert
		entry   []string
	}{
		{"bump", bump, webName, tls.VersionTLS13, "clearspan", []string{"bump", "bump", "bumped", ""}},
		{"tunnel", tunnel, webName, tls.VersionTLS13, c.PKI.Root.Subject.CommonName, []string{"tunnel", "tunnel", "tunneled", ""}},
		{"check, certificate", checked, webName, tls.VersionTLS13, c.PKI.Root.Subject.CommonName, []string{"check", "tunnel-check", "tunneled", ""}},
		{"check, round robin", round, "round.example.test", tls.VersionTLS12, c.PKI.Root.Subject.CommonName, []string{"check", "tunnel-check", "tunneled", ""}},
		{"check, foreign destination, TLS 1.2", foreign, "harmless.example.test", tls.VersionTLS12, "", []string{"check", "tunnel-check", "terminated", "name-mismatch-check"}},
		{"check, foreign destination, TLS 1.3", foreign, "harmless.example.test", tls.VersionTLS13, "", []string{"check", "tunnel-check", "terminated", "name-mismatch-check"}},
		{"terminate by the name", named, webName, tls.VersionTLS13, "", []string{"default", "terminate", "terminated", "policy"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := c.In(t)
			conn := &overheard{Conn: c.connect(net.JoinHostPort(lab.OriginV4, strconv.Itoa(row.port)))}
			want[scenetest.LocalPort(conn).Client] = row.entry
			client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: row.sni, MinVersion: row.version, MaxVersion: row.version})
			err := client.HandshakeContext(c.Ctx)
			if row.issuer == "" {
				if err == nil || !strings.Contains(err.Error(), "access denied") {
					t.Errorf("client saw %v, want an alert access denied and no page", err)
				}
				_, hello := conn.said()
				for len(arrived) > 0 {
					heard, _ := (<-arrived).said()
					if bytes.Contains(heard, hello[11:43]) { // the random of RFC 8446, Section 4.1.2
						t.Error("the client's hello reached the origin")
					}
					if row.port == named {
						t.Error("a connection reached the origin")
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if issuer := client.ConnectionState().PeerCertificates[0].Issuer.CommonName; !strings.Contains(strings.ToLower(issuer), strings.ToLower(row.issuer)) {
				t.Errorf("certificate of %q, want %q", issuer, row.issuer)
			}
			c.echoed(client, row.name)
			read, written := conn.said()
			unchanged := false
			for len(arrived) > 0 { // a probe may have come before
				heard, answered := (<-arrived).said()
				unchanged = unchanged || bytes.Equal(heard, written) && bytes.Equal(answered, read)
			}
			if unchanged != (row.entry[1] != "bump") {
				t.Errorf("the same octets at both ends: %t", unchanged)
			}
		})
	}
	// Whom no name could help is told before there is a tunnel.
	conn, status := c.ask(net.JoinHostPort(lab.OriginV4, strconv.Itoa(terminate)))
	if want[scenetest.LocalPort(conn).Client] = []string{"terminate", "terminate", "terminated", "policy"}; status != http.StatusForbidden {
		t.Errorf("terminate by the port: status %d", status)
	}
	conn.Close()
	if t.Failed() {
		return
	}
	recorded := c.Stop()
	if len(recorded) != 1 || string(recorded[0].Streams[0]) != "bump" || string(recorded[0].Streams[1]) != "bump" {
		t.Errorf("%d conversations on the mirror, want that of bump", len(recorded))
	}
	entries := c.Entries()
	if len(entries) != len(want) {
		t.Errorf("%d entries, want %d", len(entries), len(want))
	}
	for _, e := range entries {
		if diff := cmp.Diff(want[e.Client.Port()], []string{e.Rule, e.Action, e.Outcome, e.Reason}); diff != "" {
			t.Errorf("entry (-want +got):\n%s", diff)
		}
	}
	if _, err := wan.Stop(); err != nil {
		t.Error(err)
	}
	for port, seen := range map[int]bool{tunnel: true, terminate: false, named: false} {
		packets, err := lab.Fields(c.Ctx, wan.File, fmt.Sprintf("tcp.port == %d", port), "frame.number")
		if err != nil || len(packets) > 0 != seen {
			t.Errorf("port %d: %d packets towards the origin, %v", port, len(packets), err)
		}
	}
}

// TestCiscosFlows sends sessions through an explicit and a transparent proxy, each
// with decryption and with an exception from it.
func TestCiscosFlows(t *testing.T) {
	const port, held, broken = 6443, 6444, 6445
	const bank = "bank.example.test"
	for _, mode := range []string{"explicit", "transparent"} {
		t.Run(mode, func(t *testing.T) {
			s := settings{
				Hosts:  lab.OriginV4 + " " + webName + " " + bank + "\n",
				Policy: "{default: bump, rules: [{name: exception, host: [" + bank + "], action: tunnel}]}",
			}
			if mode == "explicit" {
				s.Intake = `{name: proxy, mode: explicit, listen: ":` + proxyPort + `", from: ` + labClients + `}`
			}
			c := newScene(t, s)
			reach := func(c *scene, name string, port int) net.Conn {
				if mode == "explicit" {
					return c.connect(net.JoinHostPort(name, strconv.Itoa(port)))
				}
				return c.Dial(port)
			}
			config := &tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}
			arrived := c.origins(config, port)
			release := make(chan struct{})
			c.Listen(held, func(conn net.Conn) {
				<-release
				c.Echo(config)(conn)
			})
			c.Listen(broken, func(conn net.Conn) { conn.Read(make([]byte, 1)) })
			forged := func() float64 { return c.Metrics()["clearspan_forged_leaves_total"] }

			for _, row := range []struct {
				name   string
				bumped bool
			}{{bank, false}, {webName, true}} {
				conn := &overheard{Conn: reach(c, row.name, port)}
				client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: row.name})
				if err := client.HandshakeContext(c.Ctx); err != nil {
					t.Fatalf("%s: %v", row.name, err)
				}
				own := bytes.Equal(client.ConnectionState().PeerCertificates[0].Raw, c.Cert.Leaf.Raw)
				c.echoed(client, row.name)
				read, written := conn.said()
				heard, answered := (<-arrived).said()
				hellos := bytes.Equal(helloOf(heard), helloOf(written)) && bytes.Equal(helloOf(answered), helloOf(read))
				if own == row.bumped || hellos == row.bumped || bytes.Equal(heard, written) == row.bumped || bytes.Equal(answered, read) == row.bumped {
					t.Errorf("%s: the origin's certificate %t, its and the client's hello unchanged %t", row.name, own, hellos)
				}
			}
			// No certificate before the origin's handshake, and none without it.
			before := forged()
			conn := &overheard{Conn: reach(c, webName, held)}
			client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: "later." + webName})
			done := make(chan error, 1)
			go func() { done <- client.HandshakeContext(c.Ctx) }()
			time.Sleep(300 * time.Millisecond)
			if read, _ := conn.said(); len(read) > 0 || forged() != before {
				t.Errorf("before the origin's handshake: %d octets to the client, %v leaves forged", len(read), forged()-before)
			}
			close(release)
			if err := <-done; err != nil || forged() != before+1 {
				t.Errorf("after it: %v, %v leaves forged", err, forged()-before)
			}
			client.Close()
			lost := reach(c, webName, broken)
			if _, err := peer(c.Ctx, lost, "never."+webName); err == nil || forged() != before+1 {
				t.Errorf("without it: %v, %v leaves forged", err, forged()-before)
			}
			for _, v := range c.Stop() {
				if got := string(v.Streams[0]); got != webName && got != "" {
					t.Errorf("recorded %q", got)
				}
			}
			rules := map[string]string{}
			for _, e := range c.Entries() {
				rules[e.SNI] = e.Rule + " " + e.Outcome
			}
			if diff := cmp.Diff(map[string]string{
				bank: "exception tunneled", webName: "default bumped", "later." + webName: "default bumped", "never." + webName: "default failed",
			}, rules); diff != "" {
				t.Errorf("rules and outcomes (-want +got):\n%s", diff)
			}
		})
	}
}

// helloOf returns the first record.
func helloOf(flight []byte) []byte {
	if len(flight) < 5 {
		return nil
	}
	return flight[:min(len(flight), 5+int(flight[3])<<8+int(flight[4]))]
}
