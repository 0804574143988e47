package admin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/appliance/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server on loopback until the test ends.
func serve(t *testing.T, board *health.Board) *Server {
	t.Helper()
	s, err := New(Config{Options: Options{Listen: "127.0.0.1:0"}, Metrics: NewMetrics("1.2.3"), Health: board})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	})
	return s
}

// do sends one request on a connection of its own.
func do(t *testing.T, s *Server, method, path, host string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, path, host)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestHealth(t *testing.T) {
	board := health.New()
	s := serve(t, board)
	board.Require(health.Worker, "main", true)
	for _, row := range []struct {
		name, method, path string
		ready              bool
		status             int
		body               string
	}{
		{"alive while not ready", "GET", "/livez", false, 200, "ok\n"},
		{"not ready", "GET", "/readyz", false, 503, "not ready\ndown: worker main: starting (since TIME)\n"},
		{"ready", "GET", "/readyz", true, 200, "ready\n"},
		{"index", "GET", "/", true, 200, "clearspan: /livez /readyz /metrics /api/learned\n"},
		{"unknown path", "GET", "/debug/pprof/", true, 404, "404 page not found\n"},
		{"other method", "POST", "/livez", true, 405, "Method Not Allowed\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			reading := health.Reading{}
			if !row.ready {
				reading = health.Reading{State: health.Down, Why: "starting"}
			}
			board.Set(health.Worker, "main", reading)
			status, body := do(t, s, row.method, row.path, "localhost")
			body = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:]+Z`).ReplaceAllString(body, "TIME")
			if status != row.status || body != row.body {
				t.Errorf("%d %q, want %d %q", status, body, row.status, row.body)
			}
		})
	}
}

// The box is ready without a mirror that nobody requires. The answer names it all the same.
func TestReadyNamesWhatIsDown(t *testing.T) {
	board := health.New()
	s := serve(t, board)
	board.Set(health.Mirror, "recorder", health.Reading{State: health.Down, Why: "interface mirror0: no carrier"})
	status, body := do(t, s, "GET", "/readyz", "localhost")
	if status != 200 || !strings.HasPrefix(body, "ready\ndown: mirror recorder: interface mirror0: no carrier (since ") {
		t.Errorf("%d %q", status, body)
	}
	board.Require(health.Mirror, "recorder", true)
	if status, _ := do(t, s, "GET", "/readyz", "localhost"); status != 503 {
		t.Errorf("%d with a required mirror down", status)
	}
}

func TestMetricsOverHTTP(t *testing.T) {
	s := serve(t, nil)
	if status, _ := do(t, s, "GET", "/readyz", "127.0.0.1"); status != 200 {
		t.Errorf("/readyz: %d", status)
	}
	status, body := do(t, s, "GET", "/metrics", "127.0.0.1")
	if status != 200 {
		t.Fatalf("status %d", status)
	}
	for _, want := range []string{
		"clearspan_build_info{", `version="1.2.3"`, "go_goroutines ", "process_open_fds ",
		`clearspan_relayed_octets_total{direction="client_to_origin"} 0`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestHostNames(t *testing.T) {
	s := serve(t, nil)
	for host, want := range map[string]int{
		"localhost": 200, "LocalHost:8090": 200, "a.localhost": 200, "localhost.": 200, "127.0.0.1:8090": 200, "[::1]:80": 200,
		"[::1]": 200, "10.0.0.1": 200, "attacker.test": 403, "attacker.test:8090": 403, "localhost.attacker.test": 403,
		"127.0.0.1.attacker.test": 403, "notlocalhost": 403, "": 403,
	} {
		if status, _ := do(t, s, "GET", "/livez", host); status != want {
			t.Errorf("host %q: %d, want %d", host, status, want)
		}
	}
}

// Off loopback any name is served: operators use their own.
func TestLoopbackAddresses(t *testing.T) {
	for address, want := range map[string]bool{"127.0.0.1": true, "127.9.9.9": true, "::1": true, "192.0.2.1": false, "2001:db8::1": false} {
		if got := isLoopback(&net.TCPAddr{IP: net.ParseIP(address)}); got != want {
			t.Errorf("%s: %t, want %t", address, got, want)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	s := serve(t, nil)
	_, err := New(Config{Options: Options{Listen: s.Addr().String()}, Metrics: NewMetrics("")})
	if err == nil || !strings.HasPrefix(err.Error(), "listen for admin on "+s.Addr().String()) {
		t.Errorf("error is %v", err)
	}
}

func TestCloseWithoutServe(t *testing.T) {
	s, err := New(Config{Options: Options{Listen: "127.0.0.1:0"}, Metrics: NewMetrics("")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("still listening")
	}
	if err := s.Serve(); err != nil {
		t.Errorf("serve after close: %v", err)
	}
}

// A client that sends nothing does not keep Close from ending.
func TestCloseWithSilentClient(t *testing.T) {
	s := serve(t, nil)
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /livez HTT"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > closeTimeout+2*time.Second {
		t.Errorf("close took %v", d)
	}
}
