package intake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/hack/tempo"
)

// faulty fails to accept a number of times before it does.
type faulty struct {
	acceptor
	left atomic.Int32
}

func (f *faulty) Accept() (net.Conn, error) {
	if f.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return f.acceptor.Accept()
}

func TestAcceptFailure(t *testing.T) {
	var r recorder
	i, err := NewStatic(Static{Listen: "127.0.0.1:0", Origin: echo(t).String()}, r.options("s"))
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{acceptor: i.(*static).listeners[0]}
	f.left.Store(4)
	i.(*static).listeners[0] = f
	begin := time.Now()
	_, read := dialTest(t, serve(t, i, nil))
	expect(t, read, "hello\n")
	if pause := time.Since(begin); pause < 75*time.Millisecond { // 5 + 10 + 20 + 40
		t.Errorf("tried again four times within %v", pause)
	}
	if n := r.count(AcceptFailed); n != 4 {
		t.Errorf("counted %d failures, want 4", n)
	}
	if n := strings.Count(r.logged(), "accept failed"); n != 1 {
		t.Errorf("logged %d lines, want 1", n)
	}
}

func TestAcceptFailureClose(t *testing.T) {
	i, err := NewStatic(Static{Listen: "127.0.0.1:0", Origin: "127.0.0.1:1"}, new(recorder).options("s"))
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{acceptor: i.(*static).listeners[0]}
	f.left.Store(1 << 30)
	i.(*static).listeners[0] = f
	serve(t, i, nil) // its clean-up hangs if Serve does
}

func TestLimiter(t *testing.T) {
	var r recorder
	o := r.options("s")
	o.Limiter = NewLimiter(Limits{1}, nil)
	config := Static{Listen: "127.0.0.1:0", Origin: echo(t).String()}
	one, err := NewStatic(config, o)
	addr1 := serve(t, one, err)
	two, err := NewStatic(config, o)
	addr2 := serve(t, two, err)

	first, read := dialTest(t, addr1)
	expect(t, read, "hello\n")
	if err := ending(addr2); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read over the limit: %v, want a reset", err)
	}
	if n, open := r.count(LimitReached), o.Limiter.Open(); n != 1 || open != 1 {
		t.Errorf("%d refused, %d open, want 1 and 1", n, open)
	}
	first.Close()
	tempo.Until(t, "session ended", func() bool { return o.Limiter.Open() == 0 })
	_, read = dialTest(t, addr2)
	expect(t, read, "hello\n")

	o.Limiter.SetLimits(Limits{0})
	_, read = dialTest(t, addr2)
	expect(t, read, "hello\n")
}

func TestAdmission(t *testing.T) {
	var r recorder
	o := r.options("s")
	var full atomic.Bool
	o.Limiter = NewLimiter(Limits{0}, func() (Event, bool) { return MemoryShort, !full.Load() })
	i, err := NewStatic(Static{Listen: "127.0.0.1:0", Origin: echo(t).String()}, o)
	addr := serve(t, i, err)
	_, read := dialTest(t, addr)
	expect(t, read, "hello\n")
	full.Store(true)
	if err := ending(addr); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read without room: %v, want a reset", err)
	}
	if n, open := r.count(MemoryShort), o.Limiter.Open(); n != 1 || open != 1 {
		t.Errorf("%d refused, %d open, want 1 and 1", n, open)
	}
	full.Store(false)
	_, read = dialTest(t, addr)
	expect(t, read, "hello\n")
}

func TestPanic(t *testing.T) {
	var r recorder
	o := r.options("s")
	origin := echo(t).String()
	handler := o.Handler
	o.Handler = func(ctx context.Context, in *decrypt.Incoming) {
		if len(r.seen()) == 0 {
			r.mu.Lock()
			r.sessions = append(r.sessions, in)
			r.mu.Unlock()
			panic("oh")
		}
		handler(ctx, in)
	}
	i, err := NewStatic(Static{Listen: "127.0.0.1:0", Origin: origin}, o)
	addr := serve(t, i, err)
	if err := ending(addr); err != io.EOF {
		t.Errorf("read after panic: %v, want the end", err)
	}
	_, read := dialTest(t, addr)
	expect(t, read, "hello\n")
	if r.count(Panicked) != 1 || !strings.Contains(r.logged(), "server_test.go") {
		t.Errorf("%d panics counted, log has no stack: %s", r.count(Panicked), r.logged())
	}
}

// Close ends accepting at once; what is open goes on, and Wait waits for it.
func TestDrain(t *testing.T) {
	var r recorder
	i, err := NewStatic(Static{Listen: "127.0.0.1:0", Origin: echo(t).String()}, r.options("s"))
	undone := make(chan struct{})
	i.(*static).undo = func() error { close(undone); return errors.New("undo nothing") }
	addr := serve(t, i, err)
	open, read := dialTest(t, addr)
	expect(t, read, "hello\n")

	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after Close: %v", err)
	}
	io.WriteString(open, "still here\n")
	expect(t, read, "still here\n")
	select {
	case <-undone:
		t.Error("undone before the last session ended")
	default:
	}
	open.Close()
	i.Wait()
	<-undone
	if !strings.Contains(r.logged(), "undo nothing") {
		t.Error("failure to undo is not logged")
	}
	if err := i.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// When the context ends, so do sessions and Serve.
func TestCancel(t *testing.T) {
	i, err := NewStatic(Static{Listen: "127.0.0.1:0", Origin: echo(t).String()}, new(recorder).options("s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- i.Serve(ctx) }()
	_, read := dialTest(t, i.Addr().String())
	expect(t, read, "hello\n")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	i.Wait()
	if _, err := read.ReadByte(); err == nil {
		t.Error("session outlives its context")
	}
}

func TestThrottle(t *testing.T) {
	var th throttle
	now := time.Now()
	for i, c := range []struct {
		after  time.Duration
		missed int
		ok     bool
	}{{0, 0, true}, {1, 0, false}, {9 * time.Second, 0, false}, {10 * time.Second, 2, true}, {21 * time.Second, 0, true}} {
		if missed, ok := th.allow(now.Add(c.after)); missed != c.missed || ok != c.ok {
			t.Errorf("%d: %d %v, want %d %v", i, missed, ok, c.missed, c.ok)
		}
	}
}

func TestPeekedConn(t *testing.T) {
	pair := func(t *testing.T) (*PeekedConn, net.Conn) {
		near, far, err := socketPair()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { near.Close(); far.Close() })
		io.WriteString(far, "rest")
		return NewPeekedConn(near, []byte("prefix")), far
	}
	t.Run("read", func(t *testing.T) {
		p, far := pair(t)
		far.Close()
		var got bytes.Buffer
		if _, err := io.Copy(&got, bufio.NewReaderSize(p, 16)); err != nil || got.String() != "prefixrest" {
			t.Errorf("read %q, %v", got.String(), err)
		}
	})
	t.Run("take what is left", func(t *testing.T) {
		p, _ := pair(t)
		b := make([]byte, 4)
		if n, err := p.Read(b); string(b[:n]) != "pref" || err != nil {
			t.Fatalf("read %q, %v", b[:n], err)
		}
		if b := p.Prefix(); string(b) != "ix" {
			t.Errorf("prefix %q", b)
		}
		if b := p.Prefix(); b != nil {
			t.Errorf("prefix again %q", b)
		}
		expect(t, p.NetConn(), "rest")
	})
	t.Run("close writing half", func(t *testing.T) {
		p, far := pair(t)
		if err := p.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read: %v", err)
		}
		io.WriteString(far, "!")
		expect(t, p, "prefixrest!")
	})
}
