package appliance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/hack/tempo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parse reads a configuration whose directory is dir.
func parse(t *testing.T, dir, yaml string) *config.Config {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte(yaml), dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start runs an appliance until the test ends.
func start(t *testing.T, c *config.Config) *Appliance {
	t.Helper()
	a, err := New(c, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	startNew(t, a)
	return a
}

// startNew runs a until the test ends.
func startNew(t *testing.T, a *Appliance) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, 5*time.Second) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

const box = `state: state
intake: [{name: fixed, mode: static, listen: "127.0.0.1:0", origin: %q, sni: example.com}]
origin: {on_invalid: {default: untrusted}}
policy: {default: %s}
mirror: [{name: files, kind: pcapng, directory: pcap}]
admin: {listen: "127.0.0.1:0"}
`

func TestSessionEndToEnd(t *testing.T) {
	origin := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	defer origin.Close()
	dir := t.TempDir()
	a := start(t, parse(t, dir, fmt.Sprintf(box, origin.Listener.Addr(), "bump")))

	// httptest's certificate is nobody's: the leaf comes from the untrusted authority.
	roots := x509.NewCertPool()
	roots.AddCert(a.engine.Load().authorities.Untrusted.Certificate())
	get := func(roots *x509.CertPool) (string, error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"}, DisableKeepAlives: true}
		r, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Get("https://" + a.intakes.Addrs()[0].String())
		if err != nil {
			return "", err
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		return string(b), err
	}
	if body, err := get(roots); err != nil || body != "hello" {
		t.Fatalf("got %q, %v", body, err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(a.engine.Load().authorities.Trusted.Certificate())
	if _, err := get(trusted); err == nil {
		t.Error("a bad origin got a leaf that clients trust")
	}

	// A reload changes the policy, and only that.
	bad := parse(t, dir, fmt.Sprintf(box, origin.Listener.Addr(), "bump"))
	bad.Origin.Roots = []string{filepath.Join(dir, "missing.pem")}
	if _, err := a.Reload(bad); err == nil {
		t.Error("a configuration that cannot work was taken")
	}
	if body, err := get(roots); err != nil || body != "hello" {
		t.Errorf("after a bad reload: %q, %v", body, err)
	}
	if _, err := a.Reload(parse(t, dir, fmt.Sprintf(box, origin.Listener.Addr(), "terminate"))); err != nil {
		t.Fatal(err)
	}
	if _, err := get(roots); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("after a reload to terminate: %v", err)
	}

	metrics, err := http.Get("http://" + a.admin.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(metrics.Body)
	metrics.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	for _, want := range []string{
		`clearspan_sessions_total{action="bump",outcome="bumped"}`, "clearspan_audit_lost_entries_total 0",
		`clearspan_intake_refusals_total{intake="fixed",reason="limit-reached"} 0`, // before it has happened
		`clearspan_mirror_lost_octets_total{reason="storage",sink="files"} 0`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	for _, step := range decrypt.Steps() {
		if !regexp.MustCompile(fmt.Sprintf(`clearspan_session_step_seconds_count\{step=%q\} [1-9]`, step)).Match(text) {
			t.Errorf("no session has the step %v", step)
		}
	}
}

func TestStateIsPrivate(t *testing.T) {
	dir := t.TempDir()
	start(t, parse(t, dir, fmt.Sprintf(box, "192.0.2.1:443", "bump")))
	for _, key := range []string{"ca.key", "untrusted.key"} {
		info, err := os.Stat(filepath.Join(dir, "state", "authority", key))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", key, info.Mode(), err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "state")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("state directory: %v, %v", info.Mode(), err)
	}
}

// TestNewFails: if a part cannot be opened, those before it are closed in reverse.
func TestNewFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := parse(t, t.TempDir(), fmt.Sprintf(box, "192.0.2.1:443", "bump"))
	c.Admin.Listen = taken.Addr().String()
	var log strings.Builder
	if _, err := New(c, "test", slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))); err == nil {
		t.Error("started on a port that is taken")
	}
	var closed []string
	for _, m := range regexp.MustCompile(`msg=closing part="?([a-z ]+)`).FindAllStringSubmatch(log.String(), -1) {
		closed = append(closed, m[1])
	}
	if diff := cmp.Diff([]string{"disks", "intake fixed", "mirrors", "audit log", "memory"}, closed); diff != "" {
		t.Errorf("closed (-want +got):\n%s", diff)
	}
}

// TestLoopIsTold: a session that would come back to its own intake has an entry and a
// line of the log.
func TestLoopIsTold(t *testing.T) {
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	c := parse(t, dir, fmt.Sprintf(box, address, "bump"))
	c.Intakes[0].Static.Listen = address
	var log lockedText
	a, err := New(c, "test", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, 0) }()
	if conn, err := net.Dial("tcp", address); err == nil { // it may be reset at once
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read %d octets, %v", n, err)
		}
		conn.Close()
	}
	tempo.Until(t, "it is logged", func() bool { return strings.Contains(log.String(), "level=WARN") })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	b, _ := os.ReadFile(filepath.Join(dir, "state", "sessions.jsonl"))
	var e struct{ Outcome, Reason, Origin string }
	if err := json.Unmarshal(b, &e); err != nil || e.Outcome != "failed" || e.Reason != "loop" || e.Origin != address {
		t.Errorf("entry %q, %v", b, err)
	}
	if n := strings.Count(log.String(), "destination is a listener of clearspan itself"); n != 1 || !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("%d lines in %s", n, log.String())
	}
}

// lockedText is a text that several goroutines write.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestAuditOfEndToEnd(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") }))
	defer origin.Close()
	dir := t.TempDir()
	a := start(t, parse(t, dir, fmt.Sprintf(box, origin.Listener.Addr(), "bump")))
	transport := &http.Transport{DisableKeepAlives: true}
	r, err := (&http.Client{Transport: transport}).Get("http://" + a.intakes.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
	deadline := time.Now().Add(5 * time.Second)
	for {
		b, _ := os.ReadFile(filepath.Join(dir, "state", "sessions.jsonl"))
		if len(b) > 0 {
			var e struct {
				Outcome, Protocol string
				Octets            map[string]uint64
				Mirror            map[string]struct{ Octets, Lost uint64 }
			}
			if err := json.Unmarshal(b, &e); err != nil {
				t.Fatal(err)
			}
			sum := e.Octets["client_to_origin"] + e.Octets["origin_to_client"]
			if e.Outcome != "plain" || e.Protocol != "http" || sum == 0 || e.Mirror["files"].Octets != sum {
				t.Errorf("entry %s", b)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no entry")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
