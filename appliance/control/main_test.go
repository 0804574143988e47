package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/appliance/health"
	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/watch"
	"github.com/clearspan/clearspan/decrypt/learn"
)

// asUser has the test binary be a client: it asks at the socket that the variable names.
const asUser = "CLEARSPAN_TEST_CONTROL_SOCKET"

func TestMain(m *testing.M) {
	if path := os.Getenv(asUser); path != "" {
		fmt.Print(askOnce(path, os.Args[1], os.Args[2]))
		return
	}
	goleak.VerifyTestMain(m)
}

// askOnce returns the status and the body of an answer, or why there is none.
func askOnce(path, method, url string) string {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	q, err := http.NewRequest(method, "http://box"+url, nil)
	if err != nil {
		return err.Error()
	}
	res, err := (&http.Client{Transport: transport}).Do(q)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return strconv.Itoa(res.StatusCode) + " " + string(body)
}

// askAs asks as another user, in groups of which the first is the primary one. It needs
// root.
func askAs(t *testing.T, path string, uid uint32, groups []uint32, method, url string) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", method, url) // its path may be closed to others
	cmd.Env = append(os.Environ(), asUser+"="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: groups[0], Groups: groups[1:]}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("ask as user %d: %v\n%s", uid, err, out)
	}
	return string(out)
}

// fake answers as a box that does nothing.
type fake struct {
	status Status
	reload func() (Reloaded, error)

	registry *watch.Registry // real
	learned  *learn.Table    // real
}

func (f *fake) Status() Status {
	if f.registry != nil {
		counts := f.registry.Counts()
		f.status.Sessions.Began, f.status.Sessions.Ended = counts.Began, counts.Ended
	}
	return f.status
}

func (f *fake) Alerts() []health.Alert { return []health.Alert{} }
func (f *fake) Mirrors() []Mirror      { return []Mirror{} }
func (f *fake) Services() []Service    { return []Service{} }
func (f *fake) Intakes() []Intake      { return []Intake{} }

func (f *fake) Sessions(q *query.Query, limit int, at watch.Cursor) (l List, err error) {
	l.Sessions, l.Next, err = f.registry.List(q, limit, at)
	return l, err
}
func (f *fake) Session(id string) (d Detail, found bool) {
	d.Row, found = f.registry.Get(id)
	return d, found
}
func (f *fake) EndSession(id string) bool { return f.registry.Kill(id) }
func (f *fake) Subscribe(q *query.Query) (*watch.Subscription, error) {
	return f.registry.Subscribe(q)
}
func (f *fake) Top(ctx context.Context, window time.Duration, limit int) (Top, error) {
	return Measure(ctx, f.registry, window, limit)
}

func (f *fake) Learned() []learn.Entry             { return f.learned.List() }
func (f *fake) KeepLearned(id string, k bool) bool { return f.learned.Keep(id, k) }
func (f *fake) DeleteLearned(id string) bool       { return f.learned.Delete(id) }

func (f *fake) Metrics(w io.Writer) error      { _, err := io.WriteString(w, "up 1\n"); return err }
func (f *fake) Configuration() ([]byte, error) { return []byte("state: /s\n"), nil }
func (f *fake) Log() string                    { return "" }

func (f *fake) Reload(context.Context) (Reloaded, error) { return f.reload() }

// serve runs a server on a socket until the test ends, and returns the socket's path.
func serve(t testing.TB, o Operations, group int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "control") // where other users come by
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	socket, err := listenAt(dir+"/"+SocketName, group)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(o, socket, nil)
	done := make(chan error, 1)
	go func() {
		done <- s.serve(func(l net.Listener) net.Listener {
			of := newListener(l, s.log)
			of.group = group
			return of
		})
	}()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return socket.Path()
}

// problem reads a problem behind its status.
func problem(t *testing.T, answer string) (p Problem) {
	t.Helper()
	status, body, _ := strings.Cut(answer, " ")
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("no problem: %q: %v", answer, err)
	}
	if strconv.Itoa(p.Status) != status {
		t.Errorf("status %s, in the problem %d", status, p.Status)
	}
	return p
}
