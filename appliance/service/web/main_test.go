package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/decrypt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is one end of a connection without a buffer.
type memory struct {
	*io.PipeReader
	w *io.PipeWriter
}

func pair() (a, b *memory) {
	ar, bw := io.Pipe()
	br, aw := io.Pipe()
	return &memory{ar, aw}, &memory{br, bw}
}

func (m *memory) Write(p []byte) (int, error) { return m.w.Write(p) }
func (m *memory) CloseWrite() error           { return m.w.Close() }
func (m *memory) Abort() {
	m.CloseWithError(errReset)
	m.w.CloseWithError(errReset)
}

// scene is a session under test: what the test is at both ends.
type scene struct {
	t              *testing.T
	client, origin *memory
	s              *decrypt.Session
	ended          chan error
}

func play(t *testing.T, cfg Config, alpn string) *scene {
	t.Helper()
	sc := &scene{t: t, ended: make(chan error, 1), s: &decrypt.Session{
		Client: netip.MustParseAddrPort("192.0.2.1:50000"), Origin: netip.MustParseAddrPort("198.51.100.2:443"), ALPN: alpn,
	}}
	var left, right *memory
	sc.client, left = pair()
	sc.origin, right = pair()
	e := New(cfg)
	go func() {
		err := e.Carry(context.Background(), sc.s, left, right)
		for _, end := range []*memory{left, right} {
			if err != nil {
				end.Abort()
			} else {
				end.CloseWrite()
				end.PipeReader.Close()
			}
		}
		sc.ended <- err
	}()
	t.Cleanup(func() {
		sc.client.Abort()
		sc.origin.Abort()
	})
	return sc
}

// end waits for the session's end.
func (sc *scene) end() error {
	sc.t.Helper()
	select {
	case err := <-sc.ended:
		return err
	case <-time.After(20 * time.Second):
		sc.t.Fatal("session has not ended")
		return nil
	}
}

// say writes p in pieces.
func say(w io.Writer, p []byte, pieces *rand.Rand) error {
	for len(p) > 0 {
		n := len(p)
		if pieces != nil {
			n = 1 + pieces.IntN(min(len(p), 1+pieces.IntN(3000)))
		}
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// hear reads n octets.
func hear(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	p := make([]byte, n)
	m, err := io.ReadFull(r, p)
	if err != nil {
		t.Errorf("heard %q, %v", p[:m], err)
	}
	return string(p[:m])
}

// adapterFunc is an Adapter.
type adapterFunc func(ctx context.Context, m *Message) (*Result, error)

func (f adapterFunc) Adapt(ctx context.Context, m *Message) (*Result, error) { return f(ctx, m) }

// unmodified is what an adapter returns that has read kept of the body.
func unmodified(m *Message, kept []byte) *Result {
	if m.Body == nil {
		return &Result{}
	}
	return &Result{Body: io.NopCloser(io.MultiReader(bytes.NewReader(kept), m.Body))}
}

// preview reads up to n octets of the body, and leaves all as it is.
func preview(n int64) adapterFunc {
	return func(_ context.Context, m *Message) (*Result, error) {
		var kept []byte
		if m.Body != nil {
			var err error
			if kept, err = io.ReadAll(io.LimitReader(m.Body, n)); err != nil {
				return nil, err
			}
		}
		return unmodified(m, kept), nil
	}
}

// glance is preview by a service whose body tells what is at hand and what comes
// as it is.
func glance(n int64) adapterFunc {
	return func(_ context.Context, m *Message) (*Result, error) {
		if m.Body == nil {
			return &Result{}, nil
		}
		kept, err := io.ReadAll(io.LimitReader(m.Body, n))
		return &Result{Body: &begun{bytes.NewReader(kept), m.Body}}, err
	}
}

// begun is what was read of a body, then its rest.
type begun struct {
	kept *bytes.Reader
	rest io.Reader
}

func (k *begun) Read(p []byte) (int, error) {
	if k.Ready() {
		return k.kept.Read(p)
	}
	return k.rest.Read(p)
}

func (k *begun) Ready() bool { return k.kept.Len() > 0 }

func (k *begun) Rest() io.Reader {
	if k.Ready() {
		return nil
	}
	return k.rest
}

func (k *begun) Close() error { return nil }

// streaming reads the body in a goroutine of its own while it is written.
func streaming(_ context.Context, m *Message) (*Result, error) {
	if m.Body == nil {
		return &Result{}, nil
	}
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, m.Body)
		w.CloseWithError(err)
	}()
	return &Result{Body: r}, nil
}

// eicar blocks messages that hold the word.
func eicar(_ context.Context, m *Message) (*Result, error) {
	var all []byte
	if m.Body != nil {
		var err error
		if all, err = io.ReadAll(m.Body); err != nil {
			return nil, err
		}
	}
	if !bytes.Contains(all, []byte("EICAR")) {
		return unmodified(m, all), nil
	}
	return &Result{
		Outcome: Blocked,
		Header:  []byte("HTTP/1.1 403 Forbidden\r\nX-Service: test\r\nContent-Length: 7\r\n\r\n"),
		Body:    io.NopCloser(strings.NewReader("blocked")),
	}, nil
}

// shout rewrites bodies to capitals, under a header of its own.
func shout(_ context.Context, m *Message) (*Result, error) {
	if m.Body == nil {
		return &Result{}, nil
	}
	all, err := io.ReadAll(m.Body)
	if err != nil {
		return nil, err
	}
	h := m.Request
	if m.Kind == Response {
		h = m.Response
	}
	h = withoutFraming(h)
	h = append(h[:len(h)-2], "X-Shout: yes\r\n\r\n"...)
	return &Result{Outcome: Modified, Header: h, Body: io.NopCloser(bytes.NewReader(bytes.ToUpper(all)))}, nil
}

// failing reads n octets of the body and gives up.
func failing(n int64) adapterFunc {
	return func(_ context.Context, m *Message) (*Result, error) {
		if m.Body != nil {
			io.CopyN(io.Discard, m.Body, n)
		}
		return nil, errors.New("no answer from the service")
	}
}

func both(name string, a Adapter) Service {
	return Service{Name: name, Adapter: a, Requests: true, Responses: true}
}

func one(a Adapter) Config { return Config{Services: []Service{both("av", a)}} }

// observed counts what Observe hears.
type observed struct {
	mu    sync.Mutex
	words map[string]int
}

func (o *observed) observe(service, word string, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.words == nil {
		o.words = make(map[string]int)
	}
	o.words[service+":"+word]++
}

func reasonOf(err error) string {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason()
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return ""
}
