package e2e

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/hack/tempo"
)

// section is a section of the configuration with two values. A round changes it to the
// other one.
type section struct {
	name   string
	values [2]string
}

func sections(c *scene) []section {
	proxy := "{name: proxy, mode: explicit, listen: \":8080\", from: " + labClients + "}"
	intake := "\n  - " + proxy + "\n  - {name: fixed, mode: static, listen: \":8443\", origin: \"" + lab.OriginV4 + ":443\", sni: " + webName + "}"
	return []section{
		{"base", [2]string{"", "default"}},
		{"state", [2]string{"state", "state-other"}},
		{"user", [2]string{"", "nobody"}},
		{"drain", [2]string{"2h", "3h"}},
		{"intake", [2]string{intake, intake + "\n  - {name: more, mode: explicit, listen: \":8081\"}"}},
		{"authority", [2]string{"", "{publish: \"127.0.0.1:8091\"}"}},
		{"leaf", [2]string{"", "{lifetime: 12h}"}},
		{"client", [2]string{"", "{silence_timeout: 40s}"}},
		{"origin", [2]string{"{roots: [" + c.PKI.RootFile + "]}", "{roots: [" + c.PKI.RootFile + "], resumption: false}"}},
		{"policy", [2]string{"{default: bump}", "{default: bump, rules: [{name: other, host: [other.example.test], action: tunnel}]}"}},
		{"block", [2]string{"", "{contact: helpdesk}"}},
		{"mirror", [2]string{"[]", "\n  - {name: live, kind: pcap-over-ip, listen: \"127.0.0.1:57012\"}"}},
		{"services", [2]string{"[]", "\n  - {name: av, kind: icap, url: \"icap://127.0.0.1:1344/av\", mode: [respmod], on_failure: open}"}},
		{"audit", [2]string{"{file: sessions.jsonl}", "{file: sessions.jsonl, interim: 1m}"}},
		{"admin", [2]string{"{listen: \"127.0.0.1:8090\"}", "{listen: \"127.0.0.1:8092\"}"}},
		{"recorder", [2]string{"", "{source: [{name: own, kind: engine}]}"}},
		{"limits", [2]string{"{sessions: 100000}", "{sessions: 100000, memory: 2GiB}"}},
	}
}

// TestSections changes every section of the configuration in turn, upgrades, and kills the
// worker. No connection is refused, and none is lost but with a worker that was killed. The
// session that began before all of that goes on.
//
// There is 1 round: a change of each section, a death, an upgrade. With CLEARSPAN_ROUNDS of
// more than 1 there are 100, and the old session lasts 10 minutes at least. CLEARSPAN_RATE is the number of connections in a second,
// without it 50.
func TestSections(t *testing.T) {
	rounds, lasts, rate := 1, time.Duration(0), 50
	if tempo.Thorough() {
		rounds, lasts = 100, 10*time.Minute
	}
	if n, err := strconv.Atoi(os.Getenv("CLEARSPAN_RATE")); err == nil && n > 0 {
		rate = n
	}
	c := newScene(t, settings{Intake: "{name: proxy, mode: explicit, listen: \":8080\", from: " + labClients + "}", Blind: true, Plain: tempo.Thorough(), Lasts: 2 * time.Hour,
		Prepare: prepared(func(c *scene) {
			for _, ns := range []*netlab.Namespace{c.Box, c.Client} { // connections to one origin take ports for a minute
				if r, err := lab.Run(c.Ctx, ns, "", "sysctl", "-w", "net.ipv4.ip_local_port_range=10000 65000", "net.ipv4.tcp_tw_reuse=1"); err != nil {
					c.Fatal(err, r.Stderr)
				}
			}
		}),
	})
	s := &changing{scene: c, list: sections(c), at: make(map[string]int)}
	s.coversAll()
	s.load = &connects{scene: c, page: c.Page(c.Nginx(), "page.bin", 4_000)}
	if err := s.change(""); err != nil {
		t.Fatal(err)
	}
	old := s.begin()
	began := time.Now()
	stop := s.load.start(rate)
	for round := range rounds {
		for _, x := range s.list {
			s.at[x.name] ^= 1
			if err := s.change(x.name); err != nil {
				t.Fatalf("round %d: change of %s to %q: %v", round, x.name, x.values[s.at[x.name]], err)
			}
			s.load.more(t, 5)
			old.exchange(t)
		}
		s.kill()
		old.exchange(t)
		c.Clearspan("upgrade", "--state", s.state(), "--binary", scenetest.Binary)
		s.load.more(t, 5)
		old.exchange(t)
		if s.load.judge(t, fmt.Sprintf("round %d", round)); t.Failed() {
			break
		}
		if round%10 == 9 {
			t.Logf("round %d, %d connections, %v", round, s.load.done.Load(), time.Since(began).Round(time.Second))
		}
	}
	for time.Since(began) < lasts && !t.Failed() {
		time.Sleep(time.Second)
		old.exchange(t)
	}
	stop()
	s.load.judge(t, "end")
	old.end(t)
	t.Logf("%d rounds, %d connections, at most %v for one; %d ended with a worker that was killed", rounds, s.load.done.Load(),
		time.Duration(s.load.slowest.Load()).Round(time.Millisecond), s.load.spared.Load())
	for name := range s.at {
		s.at[name] = 0
	}
	if err := s.change(""); err != nil {
		t.Error(err)
	}
}

// kill ends the worker that serves, and waits until another one does. Connections that the
// worker had end with it; those that come meanwhile wait.
func (s *changing) kill() {
	s.Helper()
	var pid int
	scenetest.Eventually(s.T, "a worker", func() bool { pid = s.Appliance.Worker(); return pid != 0 })
	s.load.spare.Store(true)
	syscall.Kill(pid, syscall.SIGKILL)
	scenetest.Eventually(s.T, "another worker", func() bool { now := s.Appliance.Worker(); return now != 0 && now != pid })
	s.load.settle(s.T)
	s.load.spare.Store(false)
}

// changing is a configuration that changes.
type changing struct {
	*scene
	list []section
	at   map[string]int // which value each section has
	load *connects
	last string // state directory in force
}

// coversAll fails the test if the configuration has a section that is not in the list.
func (s *changing) coversAll() {
	var have, want []string
	for _, x := range s.list {
		have = append(have, x.name)
	}
	for _, k := range config.Keys() {
		if k.Table() == "" {
			want = append(want, k.Path)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		s.Fatalf("sections %q are changed, the configuration has %q", have, want)
	}
}

func (s *changing) state() string { return filepath.Join(s.Dir, s.last) }

// change puts the values in force.
func (s *changing) change(name string) error {
	var text strings.Builder
	for _, x := range s.list {
		if v := x.values[s.at[x.name]]; v != "" {
			fmt.Fprintf(&text, "%s: %s\n", x.name, v)
		}
	}
	s.Write(s.Appliance.ConfigFile, []byte(text.String()))
	if s.last == "" {
		s.last = "state"
	}
	r, err := lab.Run(s.Ctx, s.Box, "", scenetest.Binary, "reload", "-c", s.Appliance.ConfigFile)
	if err != nil {
		return fmt.Errorf("%w\n%s%s", err, r.Stdout, r.Stderr)
	}
	if name != "" && !strings.Contains(r.Stdout, name) && name != "base" {
		return fmt.Errorf("reload does not name it: %s", r.Stdout)
	}
	s.last = s.list[slices.IndexFunc(s.list, func(x section) bool { return x.name == "state" })].values[s.at["state"]]
	return nil
}

// oldSession is a session whose origin returns what it gets.
type oldSession struct {
	conn     *tls.Conn
	up, down []byte
	sent     uint64
}

// begin begins it through the proxy.
func (s *changing) begin() *oldSession {
	s.Helper()
	s.ListenTLS(993, func(conn *tls.Conn, _ net.Conn) {
		conn.SetDeadline(time.Time{}) // it lasts
		io.Copy(conn, conn)
		conn.CloseWrite()
		conn.Close()
	})
	conn, err := s.load.tunnel("993")
	if err != nil {
		s.Fatal(err)
	}
	secure := tls.Client(conn, &tls.Config{RootCAs: s.load.roots(), ServerName: webName})
	if err := secure.HandshakeContext(s.Ctx); err != nil {
		s.Fatal(err)
	}
	return &oldSession{conn: secure}
}

// exchange sends octets and has them returned.
func (o *oldSession) exchange(t *testing.T) {
	t.Helper()
	p := make([]byte, 1+rand.IntN(32<<10))
	for i := range p {
		p[i] = byte(rand.Uint32())
	}
	back := make([]byte, len(p))
	o.conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := o.conn.Write(p); err != nil {
		t.Fatalf("old session, after %d octets: %v", o.sent, err)
	}
	if _, err := io.ReadFull(o.conn, back); err != nil {
		t.Fatalf("old session, after %d octets: %v", o.sent, err)
	}
	o.sent += uint64(len(p))
	up, down := sha256.Sum256(append(o.up, p...)), sha256.Sum256(append(o.down, back...))
	o.up, o.down = up[:], down[:]
}

// end closes it in order and compares.
func (o *oldSession) end(t *testing.T) {
	o.conn.CloseWrite()
	if rest, err := io.ReadAll(o.conn); len(rest) > 0 || err != nil {
		t.Errorf("old session: %d octets at its end, %v", len(rest), err)
	}
	if !slices.Equal(o.up, o.down) {
		t.Error("old session: octets differ")
	}
	t.Logf("old session: %d octets each way", o.sent)
}

// connects makes connections at a rate: plain requests to the proxy, and each tenth a TLS
// session, half of them to the listener with a fixed origin.
type connects struct {
	*scene
	page            []byte
	number          atomic.Int64
	done, failed    atomic.Int64
	spared, slowest atomic.Int64
	spare           atomic.Bool // failures count as spared
	mu              sync.Mutex
	first           error
	pending         sync.WaitGroup
	pools           map[string]*x509.CertPool
}

func (l *connects) start(rate int) (stop func()) {
	end := make(chan struct{})
	tick := time.NewTicker(time.Second / time.Duration(rate))
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				l.pending.Go(l.once)
			}
		}
	})
	return sync.OnceFunc(func() { close(end); tick.Stop(); running.Wait(); l.pending.Wait() })
}

func (l *connects) once() {
	spare := l.spare.Load()
	began := time.Now()
	err := l.try(l.number.Add(1))
	if took := int64(time.Since(began)); took > l.slowest.Load() {
		l.slowest.Store(took)
	}
	l.done.Add(1)
	switch {
	case err == nil:
	case spare || l.spare.Load():
		l.spared.Add(1)
	default:
		l.failed.Add(1)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.first == nil {
			l.first = err
		}
	}
}

func (l *connects) try(n int64) error {
	var conn net.Conn
	var err error
	switch n % 20 {
	case 0:
		conn, err = l.tunnel("443")
	case 10:
		conn, err = l.Client.DialContext(l.Ctx, "tcp", net.JoinHostPort(lab.BoxLANV4, "8443"))
	default:
		conn, err = l.Client.DialContext(l.Ctx, "tcp", net.JoinHostPort(lab.BoxLANV4, "8080"))
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	target := "/page.bin"
	if n%10 == 0 {
		secure := tls.Client(conn, &tls.Config{RootCAs: l.roots(), ServerName: webName})
		if err := secure.HandshakeContext(l.Ctx); err != nil {
			return fmt.Errorf("handshake: %w", err)
		}
		conn = secure
	} else {
		target = "http://" + lab.OriginV4 + "/page.bin"
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, webName); err != nil {
		return err
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	page, err := io.ReadAll(r.Body)
	if err == nil && !slices.Equal(page, l.page) {
		err = fmt.Errorf("status %s, %d octets", r.Status, len(page))
	}
	return err
}

// tunnel opens a port of the origin by CONNECT.
func (l *connects) tunnel(port string) (net.Conn, error) {
	conn, err := l.Client.DialContext(l.Ctx, "tcp", net.JoinHostPort(lab.BoxLANV4, "8080"))
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "CONNECT %s:%s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", lab.OriginV4, port)
	var head []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(head), "\r\n\r\n"); head = append(head, b[0]) {
		if _, err := conn.Read(b); err != nil {
			conn.Close()
			return nil, fmt.Errorf("answer to CONNECT: %w", err)
		}
	}
	if !strings.Contains(string(head), " 200 ") {
		conn.Close()
		return nil, errors.New(string(head))
	}
	return conn, nil
}

// roots are the authorities of all state directories.
func (l *connects) roots() *x509.CertPool {
	files, _ := filepath.Glob(filepath.Join(l.Dir, "state*", "authority", "ca.crt"))
	l.mu.Lock()
	defer l.mu.Unlock()
	key := strings.Join(files, " ")
	if p := l.pools[key]; p != nil {
		return p
	}
	p := x509.NewCertPool()
	for _, f := range files {
		text, _ := os.ReadFile(f)
		p.AppendCertsFromPEM(text)
	}
	if l.pools = maps.Clone(l.pools); l.pools == nil {
		l.pools = make(map[string]*x509.CertPool)
	}
	l.pools[key] = p
	return p
}

// more waits for n further connections.
func (l *connects) more(t *testing.T, n int64) {
	t.Helper()
	n += l.done.Load()
	scenetest.Eventually(t, "more connections", func() bool { return l.done.Load() >= n })
}

// settle waits until connections succeed again.
func (l *connects) settle(t *testing.T) {
	t.Helper()
	scenetest.Eventually(t, "connections that succeed", func() bool {
		before := l.spared.Load()
		l.more(t, 10)
		return l.spared.Load() == before
	})
}

func (l *connects) judge(t *testing.T, what string) {
	t.Helper()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%s: %d of %d connections failed, first: %v", what, n, l.done.Load(), l.first)
	}
}
