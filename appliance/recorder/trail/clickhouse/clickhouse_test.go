package clickhouse

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/appliance/recorder/trail/trailtest"
	"github.com/clearspan/clearspan/hack/needs"
)

// server is a real ClickHouse in a directory.
type server struct {
	dir, address string
	program      string
	cmd          *exec.Cmd
}

const users = `<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default><password>sec'ret</password>
<networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users></yandex>`

// newServer starts a server, which ends with the test.
func newServer(t testing.TB) *server {
	t.Helper()
	s := &server{dir: t.TempDir(), program: needs.Program(t, "clickhouse-server")}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(s.address)
	for name, text := range map[string]string{"users.xml": users, "config.xml": `<yandex><logger><level>warning</level><console>1</console></logger><http_port>` + port +
		`</http_port><listen_host>127.0.0.1</listen_host><path>` + s.dir + `/data/</path><tmp_path>` + s.dir + `/tmp/</tmp_path><users_config>users.xml</users_config>` +
		`<mark_cache_size>67108864</mark_cache_size><default_profile>default</default_profile><default_database>default</default_database></yandex>`} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { s.stop() })
	s.start(t)
	return s
}

func (s *server) start(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(s.program, "--config-file="+filepath.Join(s.dir, "config.xml"))
	s.cmd.Dir = s.dir
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if w, err := http.Get("http://" + s.address + "/"); err == nil {
			w.Body.Close()
			return
		}
	}
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	t.Fatalf("the server does not answer: %s", text)
}

// stop ends the server at once, as a crash does.
func (s *server) stop() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *server) open(t testing.TB, spool string, size int64) *Store {
	t.Helper()
	c, err := Open(Config{URL: "http://default:sec%27ret@" + s.address + "/?database=tr%60ail", Spool: spool, SpoolSize: size})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestStore runs what every store must pass, with a real server.
func TestStore(t *testing.T) {
	t.Parallel()
	trailtest.Run(t, newServer(t).open(t, t.TempDir(), 0))
}

func count(t *testing.T, s *Store, text string) (n int) {
	t.Helper()
	q, err := trail.Language.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Events(t.Context(), trail.Question{Query: q, Limit: 1000}, func(*trail.Full) bool { n++; return true }); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAway: batches of the time without a server are kept, over a restart of the recorder,
// too, and are there once and in order when the server answers again.
func TestAway(t *testing.T) {
	t.Parallel()
	server, spool := newServer(t), t.TempDir()
	s := server.open(t, spool, 0)
	if err := s.Write(t.Context(), trailtest.Events(0, 10)); err != nil {
		t.Fatal(err)
	}
	server.stop()
	late := trailtest.Events(10, 10)
	late.Events[0].Status = 999
	for _, b := range []*trail.Batch{late, trailtest.Events(10, 20)} {
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if n, _, away := s.Waiting(); n != 2 || away == nil {
		t.Errorf("%d batches wait, %v", n, away)
	}
	s = server.open(t, spool, 0)
	if c, err := s.Cursor(t.Context()); err != nil || string(c) != "30" {
		t.Errorf("cursor %q, %v", c, err)
	}
	if err := s.Write(t.Context(), trailtest.Events(30, 10)); err != nil {
		t.Fatal(err)
	}
	server.start(t)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if n, _, away := s.Waiting(); n == 0 && away == nil { // without another batch
			break
		}
	}
	if n, octets, away := s.Waiting(); n != 0 || octets != 0 || away != nil {
		t.Errorf("%d batches of %d octets wait: %v", n, octets, away)
	}
	if n := count(t, s, ""); n != 40 {
		t.Errorf("%d events, want 40", n)
	}
	if n := count(t, s, "status:999"); n != 0 {
		t.Errorf("%d events as they were before they were written again", n)
	}
	if c, err := s.Cursor(t.Context()); err != nil || string(c) != "40" {
		t.Errorf("cursor %q, %v", c, err)
	}
}

// TestFull: what does not go into the directory is told.
func TestFull(t *testing.T) {
	t.Parallel()
	s, err := Open(Config{URL: "http://127.0.0.1:1", Spool: t.TempDir(), SpoolSize: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for ; err == nil && kept < 100; kept++ {
		err = s.Write(t.Context(), trailtest.Events(kept*10, 10))
	}
	if n, octets, _ := s.Waiting(); !errors.Is(err, errSpoolFull) || n != kept-1 || octets > 20_000 {
		t.Errorf("%d batches of %d octets wait: %v", n, octets, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Write(ctx, trailtest.Events(0, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("an end of the context: %v", err)
	}
}

// TestOpen: a URL that is none is refused.
func TestOpen(t *testing.T) {
	for _, u := range []string{"", "127.0.0.1:8123", "ftp://x/", "http://"} {
		if _, err := Open(Config{URL: u, Spool: t.TempDir()}); err == nil {
			t.Errorf("%q is taken", u)
		}
	}
}

// BenchmarkWrite tells events a second, of the writer and of the server together, and what a
// CPU second of the writer does.
func BenchmarkWrite(b *testing.B) {
	s := newServer(b).open(b, b.TempDir(), 0)
	n := 0
	for b.Loop() {
		if err := s.Write(b.Context(), trailtest.Events(n, 5000)); err != nil {
			b.Fatal(err)
		}
		n += 5000
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
	var octets float64
	if err := s.ask(b.Context(), "select toString(sum(bytes_on_disk)) from system.parts where active and database="+text(s.database), func(a *answer) {
		octets, _ = strconv.ParseFloat(strings.TrimSpace(a.text()), 64)
	}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(octets/float64(n), "B/event")
}
