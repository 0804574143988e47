package webtest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/web"
	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/decrypt"
)

// Memory is one end of a connection without a buffer.
type Memory struct {
	*io.PipeReader
	w *io.PipeWriter
}

// Pair returns the two ends of a connection.
func Pair() (a, b *Memory) {
	ar, bw := io.Pipe()
	br, aw := io.Pipe()
	return &Memory{ar, aw}, &Memory{br, bw}
}

// ErrReset is what reading from an end returns after an Abort.
var ErrReset = errors.New("end was reset")

// Write implements [io.Writer].
func (m *Memory) Write(p []byte) (int, error) { return m.w.Write(p) }

// CloseWrite implements [decrypt.End].
func (m *Memory) CloseWrite() error { return m.w.Close() }

// Abort implements [decrypt.End].
func (m *Memory) Abort() {
	m.CloseWithError(ErrReset)
	m.w.CloseWithError(ErrReset)
}

// Scene is a session under test: the test is at both ends.
type Scene struct {
	Client, Origin *Memory
	Account        *decrypt.Session

	t     *testing.T
	ended chan error
}

// Play begins a session with an application protocol of TLS, "" without one. It
// aborts the session when the test ends.
func Play(t *testing.T, cfg adapt.Config, alpn string) *Scene {
	t.Helper()
	sc := &Scene{t: t, ended: make(chan error, 1), Account: &decrypt.Session{
		Client: netip.MustParseAddrPort("192.0.2.1:50000"), Origin: netip.MustParseAddrPort("198.51.100.2:443"), ALPN: alpn,
	}}
	var left, right *Memory
	sc.Client, left = Pair()
	sc.Origin, right = Pair()
	e := web.New(cfg)
	go func() {
		err := e.Carry(context.Background(), sc.Account, left, right)
		for _, end := range []*Memory{left, right} {
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
		sc.Client.Abort()
		sc.Origin.Abort()
	})
	return sc
}

// End waits for the session's end and returns its reason.
func (sc *Scene) End() error {
	sc.t.Helper()
	select {
	case err := <-sc.ended:
		return err
	case <-time.After(20 * time.Second):
		sc.t.Fatal("session has not ended")
		return nil
	}
}

// Say writes p in pieces of random lengths, or at once if pieces is nil.
func Say(w io.Writer, p []byte, pieces *rand.Rand) error {
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

// Hear reads n octets.
func Hear(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	p := make([]byte, n)
	m, err := io.ReadFull(r, p)
	if err != nil {
		t.Errorf("heard %q, %v", p[:m], err)
	}
	return string(p[:m])
}

// Observed counts what [adapt.Config] Observe hears.
type Observed struct {
	mu    sync.Mutex
	words map[string]int
}

// Count returns how often a service had a word.
func (o *Observed) Count(service, word string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.words[service+":"+word]
}

// Observe is for [adapt.Config].
func (o *Observed) Observe(service, word string, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.words == nil {
		o.words = make(map[string]int)
	}
	o.words[service+":"+word]++
}

// ReasonOf returns the word of a refusal, "" without an error.
func ReasonOf(err error) string {
	var r *adapt.Refusal
	if errors.As(err, &r) {
		return r.Reason()
	}
	if err != nil {
		return "error: " + err.Error()
	}
	return ""
}

// Babble has both ends say their octets, whatever the session answers, and waits
// for its end. It does it once for each kind of service: one that looks at the
// beginning, one that lets the rest pass, one that changes all, one that blocks.
func Babble(t *testing.T, alpn string, client, origin []byte) {
	for _, a := range []AdapterFunc{Preview(5), Glance(5), Shout(), EICAR()} {
		cfg := One(a)
		cfg.Linger, cfg.Stall = time.Millisecond, time.Millisecond
		sc := Play(t, cfg, alpn)
		go func() { io.Copy(io.Discard, sc.Client) }()
		go func() { io.Copy(io.Discard, sc.Origin) }()
		go func() { Say(sc.Client, client, nil); sc.Client.CloseWrite() }()
		go func() { Say(sc.Origin, origin, nil); sc.Origin.CloseWrite() }()
		sc.End()
	}
}
