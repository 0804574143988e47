package control

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/watch"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// running is an open session.
type running struct {
	account *decrypt.Session
	cut     chan struct{}
}

func (r *running) Account() *decrypt.Session { return r.account }
func (r *running) Cut()                      { close(r.cut) }

// began returns the n-th session, which has begun in a registry.
func began(reg *watch.Registry, n int) (*running, decrypt.Observer) {
	r := &running{cut: make(chan struct{}), account: &decrypt.Session{
		ID: fmt.Sprintf("%016x", n), Intake: "proxy", Start: time.Now(),
		Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 50000),
		Origin: netip.MustParseAddrPort("192.0.2.1:443"),
		SNI:    fmt.Sprintf("host%d.example.com", n%1000), Protocol: "http", Outcome: decrypt.Bumped,
	}}
	r.account.Decision = policy.Decision{Rule: "default"}
	return r, reg.Begin(r)
}

func (r *running) end(reg *watch.Registry) {
	r.account.End = time.Now()
	reg.End(r.account, "")
}

// client returns a client of a socket.
func client(t testing.TB, path string) *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestSessions: sessions are listed page by page, shown, ended.
func TestSessions(t *testing.T) {
	reg := watch.New(100)
	open, _ := began(reg, 1)
	for n := 2; n < 12; n++ {
		s, _ := began(reg, n)
		s.end(reg)
	}
	path := serve(t, &fake{registry: reg}, -1)
	seen, next := make(map[string]bool), ""
	for pages := 1; ; pages++ {
		var l List
		status, body, _ := strings.Cut(askOnce(path, "GET", "/api/v1/sessions?limit=4&cursor="+next), " ")
		if err := json.Unmarshal([]byte(body), &l); err != nil || status != "200" {
			t.Fatal(status, body, err)
		}
		for _, r := range l.Sessions {
			seen[r.Session] = true
		}
		if next = string(l.Next); next == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if len(seen) != 11 {
		t.Errorf("%d sessions", len(seen))
	}
	if got := askOnce(path, "GET", "/api/v1/sessions?query=host:nosuch"); got != `200 {"sessions":[],"next":""}`+"\n" {
		t.Error(got)
	}
	for url, kind := range map[string]string{
		"/api/v1/sessions?query=hots:x":           TypeRequest,
		"/api/v1/sessions?limit=0":                TypeRequest,
		"/api/v1/sessions?limit=1000000":          TypeRequest,
		"/api/v1/sessions?cursor=x":               TypeRequest,
		"/api/v1/sessions/ffffffffffffffff":       TypeNotFound,
		"/api/v1/top?window=1h":                   TypeRequest,
		"/api/v1/top?window=1ms&limit=1000000000": TypeRequest,
	} {
		if p := problem(t, askOnce(path, "GET", url)); p.Type != kind {
			t.Errorf("%s: %+v", url, p)
		}
	}
	if got := askOnce(path, "GET", "/api/v1/sessions/"+open.account.ID); !strings.HasPrefix(got, `200 {"session":"`+open.account.ID+`","state":"open"`) {
		t.Error(got)
	}
	if got := askOnce(path, "DELETE", "/api/v1/sessions/"+open.account.ID); !strings.HasPrefix(got, "200 ") {
		t.Error(got)
	}
	select {
	case <-open.cut:
	default:
		t.Error("the session was not reset")
	}
	open.end(reg)
	if p := problem(t, askOnce(path, "DELETE", "/api/v1/sessions/"+open.account.ID)); p.Type != TypeNotFound || !strings.HasSuffix(p.Detail, "has ended already") {
		t.Errorf("%+v", p)
	}
}

// follow begins a stream, and returns its lines.
func follow(t *testing.T, c *http.Client, url string) (*bufio.Scanner, int) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), "GET", "http://box"+url, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Accept", ndjson)
	res, err := c.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return bufio.NewScanner(res.Body), res.StatusCode
}

// TestFollow: a stream has what matches, and says how much its client has missed.
func TestFollow(t *testing.T) {
	reg := watch.New(100)
	path := serve(t, &fake{registry: reg}, -1)
	lines, status := follow(t, client(t, path), "/api/v1/sessions?query=host:host5.*")
	if status != http.StatusOK {
		t.Fatal(status)
	}
	for n := range 10 {
		s, o := began(reg, n)
		o.Reached(decrypt.StageRelay)
		s.end(reg)
	}
	for _, want := range []string{`"state":"open"`, `"state":"ended"`} {
		if !lines.Scan() || !strings.Contains(lines.Text(), want) || !strings.Contains(lines.Text(), `"host":"host5.example.com"`) {
			t.Errorf("got %s, want %s", lines.Text(), want)
		}
	}
	// Far more than sockets and queues hold, while nobody reads.
	const many = 20_000
	for range many {
		s, _ := began(reg, 5)
		s.end(reg)
	}
	got, missed := uint64(0), uint64(0)
	for got+missed < many {
		if !lines.Scan() {
			t.Fatalf("the stream ends after %d sessions and %d missed: %v", got, missed, lines.Err())
		}
		var e struct{ Missed uint64 }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if e.Missed > 0 {
			missed += e.Missed
		} else {
			got++
		}
	}
	if missed == 0 || got+missed != many {
		t.Errorf("%d sessions came, %d were missed, of %d", got, missed, many)
	}
}

// TestStreamsAreBounded: there are 64 streams at most, and other requests go on.
func TestStreamsAreBounded(t *testing.T) {
	path := serve(t, &fake{registry: watch.New(10)}, -1)
	c := client(t, path)
	for range maxStreams {
		if _, status := follow(t, c, "/api/v1/sessions"); status != http.StatusOK {
			t.Fatal(status)
		}
	}
	if _, status := follow(t, c, "/api/v1/sessions"); status != http.StatusServiceUnavailable {
		t.Errorf("one stream more: %d", status)
	}
	if got := askOnce(path, "GET", "/api/v1/status"); !strings.HasPrefix(got, "200 ") {
		t.Error(got)
	}
}

// TestTop: sessions that go on and sessions that ended meanwhile count.
func TestTop(t *testing.T) {
	reg := watch.New(100)
	old, _ := began(reg, 1)
	old.end(reg)
	began(reg, 2)
	go func() {
		time.Sleep(20 * time.Millisecond)
		for n := 1002; n < 1005; n++ { // the first has the host of session 2
			s, _ := began(reg, n)
			s.end(reg)
		}
	}()
	top, err := Measure(t.Context(), reg, 500*time.Millisecond, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(top.Hosts) != 2 || top.Rules[0].Name != "default" || top.Sum.Open != 1 {
		t.Errorf("%+v", top)
	}
	if began := top.Sum.Began * top.Window.Seconds(); began < 2.99 || began > 3.01 {
		t.Errorf("%v sessions began, want 3", began)
	}
	for _, h := range top.Hosts {
		if h.Name == "host1.example.com" {
			t.Error("a session counts that had ended before")
		}
	}
}

// cpuTime returns the time of processors that the process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAnswers asks a box with 50,000 open and 100,000 ended sessions. The times of
// processors count the client, too.
func BenchmarkAnswers(b *testing.B) {
	reg := watch.New(0)
	for n := range watch.DefaultEnded {
		s, _ := began(reg, 1<<20+n)
		s.end(reg)
	}
	for n := range 50_000 {
		_, o := began(reg, n)
		o.Reached(decrypt.StageRelay)
	}
	path := serve(b, &fake{registry: reg}, -1)
	c := client(b, path)
	for _, url := range []string{
		"/api/v1/status",
		"/api/v1/sessions",
		"/api/v1/sessions?query=state:ended",
		"/api/v1/sessions?query=host:host7.*",
		"/api/v1/sessions?query=client:10.0.0.7",
		"/api/v1/sessions?query=host:nosuch",
		"/api/v1/sessions/0000000000000007",
	} {
		b.Run(url, func(b *testing.B) {
			slowest, before := time.Duration(0), cpuTime(b)
			for b.Loop() {
				begin := time.Now()
				res, err := c.Get("http://box" + url)
				if err != nil {
					b.Fatal(err)
				}
				var answer any
				err = json.NewDecoder(res.Body).Decode(&answer)
				res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK {
					b.Fatal(res.Status, err)
				}
				slowest = max(slowest, time.Since(begin))
			}
			b.ReportMetric(float64(slowest.Microseconds())/1000, "ms-slowest")
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}
