package alone

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestSoak runs mixed load for as long as CLEARSPAN_SOAK says, such as 30m, with
// mirror port and capture files on, and compares memory, goroutines and descriptors
// of the last quarter with those of the first. Nothing may be logged as an error,
// nothing may be left at the end, and the octets of every session must be accounted
// for.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("CLEARSPAN_SOAK"))
	if err != nil || length <= 0 {
		t.Skip("set CLEARSPAN_SOAK to a duration such as 30m")
	}
	c := newScene(t, settings{
		Plain: true, Blind: true, Lasts: 2*length + 5*time.Minute,
		Policy: "{default: bump, rules: [{name: bank, port: [8443], action: tunnel}]}",
		Mirror: "  - {name: files, kind: pcapng, directory: pcap, full: block, rotate: {size: 256MiB, keep: 2}}",
	})
	before := c.Metrics()
	load := c.soakLoad()
	ctx, cancel := context.WithTimeout(c.Ctx, length)
	defer cancel()
	var all sync.WaitGroup
	done := make([]atomic.Int64, len(load))
	for i, l := range load {
		for range l.workers {
			all.Go(func() {
				for ctx.Err() == nil {
					if err := l.once(ctx); err != nil && ctx.Err() == nil {
						t.Errorf("%s: %v", l.name, err)
						cancel()
						return
					}
					done[i].Add(1)
					select {
					case <-ctx.Done():
					case <-time.After(l.pause):
					}
				}
			})
		}
	}
	watched := []string{scenetest.ResidentMetric, "go_memstats_heap_alloc_bytes", "go_goroutines", "process_open_fds"}
	samples := make(map[string][]float64)
	for every := max(length/240, 250*time.Millisecond); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-time.After(every):
			m := c.Metrics()
			for _, name := range watched {
				samples[name] = append(samples[name], m[name])
			}
		}
	}
	all.Wait()
	for i, l := range load {
		t.Logf("%s: %d", l.name, done[i].Load())
	}
	for i, name := range watched {
		// Memory goes up and down by what the collector leaves, the others by a session.
		spare := []float64{16 << 20, 16 << 20, 40, 20}[i]
		v := samples[name]
		quarter := len(v) / 4
		if quarter == 0 {
			t.Fatalf("%d samples", len(v))
		}
		first, last := median(v[:quarter]), median(v[len(v)-quarter:])
		t.Logf("%s: %.0f in the first quarter, %.0f in the last; %.0f to %.0f", name, first, last, slices.Min(v), slices.Max(v))
		if last > first*1.1+spare {
			t.Errorf("%s grows", name)
		}
	}
	c.Quiet(before)
	m := c.Metrics()
	t.Logf("%v and %v octets relayed, at the end %.0f KiB resident", m[`clearspan_relayed_octets_total{direction="client_to_origin"}`],
		m[`clearspan_relayed_octets_total{direction="origin_to_client"}`], m[scenetest.ResidentMetric]/1024)
	c.Stop()
	c.Balance("files")
	c.soaked()
}

// soaked judges log and audit trail.
func (c *scene) soaked() {
	c.Helper()
	for line := range strings.Lines(c.Appliance.Log()) {
		if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, "level=ERROR") {
			c.Errorf("log: %s", line)
		}
	}
	ended := make(map[string]int)
	entries := c.Entries()
	for _, e := range entries {
		ended[e.Outcome+" "+e.Reason]++
		for name, m := range e.Mirror {
			if m.Lost > 0 && m.Reason != "concealed" && m.Reason != "unselected" { // which are choices
				c.Errorf("session %s lost %d octets on %s (%s)", e.Session, m.Lost, name, m.Reason)
			}
		}
	}
	c.Logf("%d entries: %v", len(entries), ended)
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// soakWork is something that clients do again and again.
type soakWork struct {
	name    string
	workers int
	pause   time.Duration // between two
	once    func(context.Context) error
}

// soakLoad starts the origins and returns what is done with them.
func (c *scene) soakLoad() []soakWork {
	c.Helper()
	web := c.Nginx()
	const page, large = 20_000, 16 << 20
	c.Page(web, "page", page)
	c.Page(web, "large", large)
	for i := range crowdPorts {
		c.echoForLong(crowdPort + i)
	}
	boxes, err := lab.NewMailboxes(c.Directory("mail"), domain, map[string]string{user: password})
	if err != nil {
		c.Fatal(err)
	}
	if _, err := lab.StartPostfix(c.Origin, c.Directory("postfix"), c.Cert, boxes); err != nil {
		c.Fatal(err)
	}
	config := &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName}
	straight := &tls.Config{RootCAs: c.Pool(c.PKI.RootFile), ServerName: webName}
	get := func(config *tls.Config, port int, path string, h2 bool, requests int, size int64) func(context.Context) error {
		return func(ctx context.Context) error {
			t := &http.Transport{DialContext: c.Client.DialContext, TLSClientConfig: config.Clone(), ForceAttemptHTTP2: h2, DisableCompression: true}
			defer t.CloseIdleConnections()
			for range requests {
				if err := download(ctx, t, fmt.Sprintf("https://%s:%d/%s", lab.OriginV4, port, path), size); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return []soakWork{
		{"pages by HTTP/1.1", 2, 50 * time.Millisecond, get(config, lab.TLSPort, "page", false, 8, page)},
		{"pages by HTTP/2", 2, 50 * time.Millisecond, get(config, lab.TLSPort, "page", true, 8, page)},
		{"handshakes", 2, 20 * time.Millisecond, func(context.Context) error { return c.handshake(config) }},
		{"large downloads", 2, 500 * time.Millisecond, get(config, lab.TLSPort, "large", false, 1, large)},
		{"tunnels", 1, 100 * time.Millisecond, get(straight, lab.TLS12Port, "page", false, 4, page)},
		{"messages", 1, 300 * time.Millisecond, func(context.Context) error { return c.message(boxes) }},
		{"resets", 1, 100 * time.Millisecond, func(context.Context) error { return c.breakOff(config) }},
		{"idle sessions", 40, time.Millisecond, func(ctx context.Context) error { return c.linger(ctx, config, 5*time.Second) }},
	}
}

// download fetches an object and checks its size.
func download(ctx context.Context, t *http.Transport, url string, size int64) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Host = webName
	answer, err := t.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if n, err := io.Copy(io.Discard, answer.Body); err != nil || n != size {
		return fmt.Errorf("%s: %d octets of %d, %w", url, n, size, err)
	}
	return nil
}

// handshake has a session in which one thing is said.
func (c *scene) handshake(config *tls.Config) error {
	conn, err := c.Secret(crowdPort, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	return echoedOnce(conn)
}

// linger is a session that is idle for a while.
func (c *scene) linger(ctx context.Context, config *tls.Config, pause time.Duration) error {
	conn, err := c.Secret(crowdPort+1, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := echoedOnce(conn); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
	return echoedOnce(conn)
}

// breakOff is a download that the client breaks off.
func (c *scene) breakOff(config *tls.Config) error {
	conn, err := c.Secret(lab.TLSPort, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /large HTTP/1.1\r\nHost: "+webName+"\r\n\r\n"); err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, conn, 300_000)
	conn.NetConn().(*net.TCPConn).SetLinger(0)
	return err
}

// message is sent after STARTTLS, delivered, and removed.
func (c *scene) message(boxes *lab.Mailboxes) error {
	conn, err := c.Client.DialContext(c.Ctx, "tcp", net.JoinHostPort(lab.OriginV4, strconv.Itoa(lab.SubmissionPort)))
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	m, err := smtp.NewClient(conn, mailName)
	if err != nil {
		return err
	}
	if err := m.StartTLS(&tls.Config{RootCAs: c.Pool(c.CA), ServerName: mailName}); err != nil {
		return fmt.Errorf("STARTTLS: %w", err)
	}
	if err := errors.Join(m.Mail("alice@"+domain), m.Rcpt(user+"@"+domain)); err != nil {
		return err
	}
	w, err := m.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "Subject: soak\r\n\r\n"+strings.Repeat("Nothing new.\r\n", 500)); err != nil {
		return err
	}
	if err := errors.Join(w.Close(), m.Quit()); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(boxes.Dir, user, "new", "*"))
	for _, file := range old {
		os.Remove(file)
	}
	return err
}
