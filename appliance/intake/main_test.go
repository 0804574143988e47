package intake

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/hack/tempo"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if config := os.Getenv(boxEnv); config != "" {
		os.Exit(runBox(config))
	}
	tempo.Parallel(6) // they wait more than they compute
	goleak.VerifyTestMain(m)
}

// splice is the handler of most tests: it opens the origin leg and passes on
// what either side sends.
func splice(ctx context.Context, in *decrypt.Incoming) {
	origin, err := in.Dial(ctx)
	if err != nil {
		return
	}
	defer origin.Close()
	if in.Announce != nil && in.Announce(origin) != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { in.Conn.Close(); origin.Close() })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { io.Copy(origin, in.Conn); closeWrite(origin) })
	both.Go(func() { io.Copy(in.Conn, origin); closeWrite(in.Conn) })
	both.Wait()
}

func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// recorder keeps what intakes report.
type recorder struct {
	mu       sync.Mutex
	sessions []*decrypt.Incoming
	events   map[Event]int
	log      bytes.Buffer
}

func (r *recorder) options(name string) Options {
	return Options{
		Name: name,
		Handler: func(ctx context.Context, in *decrypt.Incoming) {
			r.mu.Lock()
			r.sessions = append(r.sessions, in)
			r.mu.Unlock()
			splice(ctx, in)
		},
		Count: func(e Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.events == nil {
				r.events = make(map[Event]int)
			}
			r.events[e]++
		},
		Logger: slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *recorder) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func (r *recorder) count(e Event) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[e]
}

func (r *recorder) seen() []*decrypt.Incoming {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*decrypt.Incoming(nil), r.sessions...)
}

// serve runs an intake until the test ends.
func serve(t *testing.T, i Intake, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		i.Wait()
	})
	return i.Addr().String()
}

// echo is an origin that says "hello\n" and then what it hears.
func echo(t *testing.T) netip.AddrPort {
	t.Helper()
	return origin(t, func(c net.Conn) {
		io.WriteString(c, "hello\n")
		io.Copy(c, c)
	})
}

// origin serves connections with f until the test ends.
func origin(t *testing.T, f func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); f(c) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// dialTest connects to address; the connection is bounded by five seconds.
func dialTest(t *testing.T, address string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(5 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn), bufio.NewReader(c)
}

// ending returns how a connection to address ends that says and hears nothing.
func ending(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	_, err = c.Read(make([]byte, 1))
	return err
}

// expect reads as many octets as want has and compares.
func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(r, got)
	if string(got[:n]) != want {
		t.Fatalf("read %q (%v), want %q", got[:n], err, want)
	}
}

// names is a resolver that knows these only.
type names map[string][]netip.Addr

func (n names) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	if addrs := n[host]; network == "ip" && addrs != nil {
		return addrs, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// fullBacklog returns an address that answers no SYN.
func fullBacklog(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*unix.SockaddrInet4).Port))
	for range 8 {
		c, err := net.DialTimeout("tcp", to.String(), 100*time.Millisecond)
		if err != nil {
			return to
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("a backlog of 0 takes 8 connections")
	return to
}
