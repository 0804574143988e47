package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestReload changes the configuration under load: a bad file changes nothing, a
// good one concerns sessions that begin later, and no session is lost.
func TestReload(t *testing.T) {
	const closing = "default: bump\n"
	c := newScene(t, settings{Hosts: lab.OriginV4 + " late.bank.test\n", Policy: "\n  " + closing})
	web := c.Nginx()
	load := &load{page: c.Page(web, "page.bin", 20_000), roots: c.Pool(c.CA)}
	stop := load.start(c)
	lasting, err := c.Secret(lab.HTTP1Port, &tls.Config{RootCAs: load.roots, ServerName: "late.bank.test", InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	issuer := func() string {
		conn := c.Dial(lab.TLSPort)
		defer conn.Close()
		leaf, err := peer(c.Ctx, conn, "late.bank.test")
		if err != nil {
			return err.Error()
		}
		return leaf.Issuer.CommonName
	}
	before := issuer()
	load.more(t, 20)

	c.reconfigure(closing, "default: [\n", "configuration unchanged")
	if !strings.Contains(c.Appliance.Log(), "clearspan.yaml:") {
		t.Errorf("the log does not say where the fault is:\n%s", c.Appliance.Log())
	}
	if got := issuer(); got != before {
		t.Errorf("after a bad file: %s, before: %s", got, before)
	}
	load.more(t, 20)

	const rule = "default: bump\n  rules: [{name: late, host: [\"*.bank.test\"], action: tunnel}]\n"
	c.reconfigure("default: [\n", rule, "reloaded")
	if got := issuer(); got != c.PKI.Root.Subject.CommonName {
		t.Errorf("after a good file: %s", got)
	}
	load.more(t, 20)

	// The command does what the signal does.
	text := strings.Replace(string(c.ReadFile(c.Appliance.ConfigFile)), "action: tunnel", "action: terminate", 1)
	c.Write(c.Appliance.ConfigFile, []byte(text))
	count := func() int { return strings.Count(c.Appliance.Log(), `"msg":"reloaded"`) }
	times := count()
	if _, err := lab.Run(c.Ctx, c.Box, "", scenetest.Binary, "reload", "-c", c.Appliance.ConfigFile); err != nil {
		t.Fatal(err)
	}
	scenetest.Eventually(t, "reloaded by command", func() bool { return count() > times })
	if got := issuer(); !strings.Contains(got, "access denied") {
		t.Errorf("after the second file: %s", got)
	}
	load.more(t, 20)

	// A session goes on as it began.
	fmt.Fprintf(lasting, "GET /page.bin HTTP/1.1\r\nHost: late.bank.test\r\nConnection: close\r\n\r\n")
	if answer, err := io.ReadAll(lasting); err != nil || !strings.HasSuffix(string(answer), string(load.page)) {
		t.Errorf("session that began before: %d octets, %v", len(answer), err)
	}
	lasting.Close()
	stop()
	if n := load.failed.Load(); n > 0 {
		t.Errorf("%d of %d sessions failed, first: %v", n, load.done.Load(), load.first)
	}
	c.Stop()
	lost := 0
	for _, e := range c.Entries() {
		if e.SNI == webName && (e.Outcome != "bumped" || e.Reason != "") {
			lost++
			t.Logf("%+v", e)
		}
	}
	if lost > 0 {
		t.Errorf("%d sessions lost by the entries", lost)
	}
	if e := c.EntryOf(c.Entries(), scenetest.LocalPort(lasting)); e.Outcome != "bumped" || e.Rule != "default" || e.Reason != "" {
		t.Errorf("session that began before: %+v", e)
	}
}

// load fetches a page over and over, each time by a session of its own.
type load struct {
	page  []byte
	roots *x509.CertPool
	to    string // an address of the box; empty: the origin's

	done, failed atomic.Int64
	once         sync.Once
	first        error // why a session failed
}

// start begins, with two clients. The function ends it and waits.
func (l *load) start(c *scene) (stop func()) {
	end := make(chan struct{})
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				if err := l.fetch(c); err != nil {
					l.once.Do(func() { l.first = err })
					l.failed.Add(1)
				}
				l.done.Add(1)
			}
		})
	}
	var once sync.Once
	stop = func() {
		once.Do(func() { close(end) })
		running.Wait()
	}
	c.Cleanup(stop)
	return stop
}

// fetch reads to the end of the stream before it closes. [http.Transport] closes
// once it has the page, in the middle of its own write at times, when crypto/tls sends
// no close_notify: with ours unread in the socket that is a reset.
func (l *load) fetch(c *scene) error {
	conn, err := l.dial(c)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /page.bin HTTP/1.1\r\nHost: "+webName+"\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	page, err := io.ReadAll(r.Body)
	if err == nil && string(page) != string(l.page) {
		return fmt.Errorf("status %s, %d octets", r.Status, len(page))
	}
	if _, end := in.ReadByte(); err == nil && end != io.EOF {
		return fmt.Errorf("behind the page: %v", end)
	}
	return err
}

func (l *load) dial(c *scene) (*tls.Conn, error) {
	config := &tls.Config{RootCAs: l.roots, ServerName: webName}
	if l.to == "" {
		return c.Secret(lab.TLSPort, config)
	}
	raw, err := c.Client.DialContext(c.Ctx, "tcp", l.to)
	if err != nil {
		return nil, err
	}
	raw.SetDeadline(time.Now().Add(time.Minute))
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(c.Ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// more waits for n further sessions.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	n += l.done.Load()
	scenetest.Eventually(t, "more sessions", func() bool { return l.done.Load() >= n })
}
