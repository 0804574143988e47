package leg

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// socketPair returns two ends of a TCP connection, the first as a leg.
func socketPair(t *testing.T) (*Leg, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return New(near), far.(*net.TCPConn)
}

// TestLegNeverWaitsInACall has a socket whose mode is to block: a call that waits
// would stop everything that its processor has to run.
func TestLegNeverWaitsInACall(t *testing.T) {
	l, _ := socketPair(t)
	if err := l.raw.Control(func(fd uintptr) { unix.SetNonblock(int(fd), false) }); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- l.Fill(false) }()
	select {
	case err := <-done:
		if err != ErrAgain {
			t.Errorf("reading an empty socket: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("reading waits in the call")
	}
	l.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	go func() { done <- l.Send(make([]byte, 64<<20)) }()
	select {
	case err := <-done:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("writing to a full socket: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("writing waits in the call")
	}
}

// TestLegWritesAll has a reader that is slower than the writer.
func TestLegWritesAll(t *testing.T) {
	l, far := socketPair(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	sent := make(chan error, 1)
	go func() { sent <- errors.Join(l.Send(want), l.CloseWrite()) }()
	time.Sleep(20 * time.Millisecond) // the socket fills
	got, err := io.ReadAll(far)
	if err := errors.Join(err, <-sent); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d octets of %d, or others", len(got), len(want))
	}
}

// TestLegWriteErrors says what a writer learns of a peer that is gone.
func TestLegWriteErrors(t *testing.T) {
	l, far := socketPair(t)
	far.SetLinger(0)
	far.Close()
	var err error
	for deadline := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(deadline); {
		err = l.Send([]byte{1})
	}
	if !IsReset(err) {
		t.Errorf("after a reset: %v", err)
	}
	if err = l.Send([]byte{1}); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("after that: %v", err)
	}
	l.Finish()
	if err = l.Send([]byte{1}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

// TestLegCallsDoNotAllocate holds the budget of the hot path.
func TestLegCallsDoNotAllocate(t *testing.T) {
	l, far := socketPair(t)
	p := make([]byte, 1024)
	if n := testing.AllocsPerRun(100, func() {
		if err := l.Send(p); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(far, p); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a write allocates %v times", n)
	}
}
