package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/tempo"
)

// TestProblems: errors are of the form that RFC 9457 has.
func TestProblems(t *testing.T) {
	bad := NewProblem(TypeConfiguration, "box.yaml:3:1: unknown key")
	bad.Faults = []Fault{{"box.yaml", 3, 1, "unknown key"}}
	var err error
	path := serve(t, &fake{reload: func() (Reloaded, error) { return Reloaded{}, err }}, -1)
	for _, tt := range []struct {
		name, method, url string
		err               error
		want              Problem
	}{
		{"configuration", "POST", "/api/v1/reload", bad, *bad},
		{"internal", "POST", "/api/v1/reload", errors.New("no luck"), Problem{TypeInternal, "Internal error", 500, "no luck", nil}},
		{"path", "GET", "/api/v2/status", nil, Problem{TypeNotFound, "Not found", 404, "there is no GET /api/v2/status", nil}},
		{"method", "PUT", "/api/v1/status", nil, Problem{TypeNotFound, "Not found", 404, "there is no PUT /api/v1/status", nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err = tt.err
			if diff := cmp.Diff(tt.want, problem(t, askOnce(path, tt.method, tt.url))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNoPeer: who is no process of this machine may do nothing.
func TestNoPeer(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(&fake{}, tcp, nil)
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + tcp.Addr().String() + "/api/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("status %d", res.StatusCode)
	}
	if err := errors.Join(s.Close(), <-done); err != nil {
		t.Error(err)
	}
}

// TestAnswersWhoHasConnected: a process that leaves the socket to another one answers who
// has connected to it.
func TestAnswersWhoHasConnected(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(&fake{}, tcp, nil)
	accepted, done := make(chan bool, 1), make(chan error, 2)
	go func() {
		done <- s.serve(func(l net.Listener) net.Listener { return tellingListener{newListener(l, s.log), accepted} })
	}()
	conn, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	<-accepted
	go func() { done <- s.Close() }()
	tempo.Until(t, "nobody else is accepted", func() bool {
		other, err := net.Dial("tcp", tcp.Addr().String())
		if err == nil {
			other.Close()
		}
		return err != nil
	})
	io.WriteString(conn, "GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if err := errors.Join(<-done, <-done); err != nil {
		t.Error(err)
	}
}

// tellingListener tells of each connection that it has accepted.
type tellingListener struct {
	net.Listener
	accepted chan bool
}

func (l tellingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		select {
		case l.accepted <- true:
		default:
		}
	}
	return c, err
}

// TestRoutes: every change needs full access, everything else can be read, and each
// says what it does.
func TestRoutes(t *testing.T) {
	for _, r := range Routes {
		if want := map[bool]Access{true: Read, false: Full}[r.Method == "GET"]; r.Access < want {
			t.Errorf("%s %s needs access %d only", r.Method, r.Path, r.Access)
		}
		if !strings.HasPrefix(r.Path, "/api/v1/") || !strings.HasSuffix(r.Text, ".") {
			t.Errorf("%s %s: %q", r.Method, r.Path, r.Text)
		}
	}
}

// TestLists: lists in answers are never null.
func TestLists(t *testing.T) {
	text, err := json.Marshal(Reloaded{Changed: []string{}, Restart: []string{}})
	if err != nil || strings.Contains(string(text), "null") {
		t.Errorf("%s, %v", text, err)
	}
}
