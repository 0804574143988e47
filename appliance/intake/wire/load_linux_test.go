package wire_test

import (
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/tempo"
)

// Sessions in sequence over few client ports meet what their predecessors left
// in TIME-WAIT.
func TestPortReuse(t *testing.T) {
	for _, takeover := range []wire.Takeover{wire.Accept, wire.Late} {
		t.Run(string(takeover), func(t *testing.T) {
			b := newBench(t)
			for _, s := range [][2]string{
				{"net.ipv4.ip_local_port_range", "20000 20127"},
				{"net.ipv4.tcp_tw_reuse", "1"},
				{"net.ipv4.tcp_tw_reuse_delay", "1"},
			} {
				if err := b.Client.Sysctl(s[0], s[1]); err != nil {
					t.Skip(err) // before Linux 6.14
				}
			}
			b.echo("tcp", ":443")
			p := b.start(settings{Takeover: takeover})
			b.await(true)
			n := tempo.Of(400, 10_000)
			start := time.Now()
			for i := range n {
				if err := b.exchange("tcp", echoV4, []byte("hello")); err != nil {
					t.Fatalf("session %d: %v", i, err)
				}
			}
			took := time.Since(start)
			t.Logf("%d sessions over 128 ports, %v each", n, took/time.Duration(n))
			p.expect(n)
			p.stop()
			if strings.Contains(p.stderr.String(), "not taken") {
				t.Logf("%+v\n%.2000s", b.status(), p.stderr)
			}
		})
	}
}

// One connection after the other: what taking costs a client that is alone.
func TestLatency(t *testing.T) {
	median := func(port uint16, s settings) time.Duration {
		b := newBench(t)
		b.echo("tcp", ":443")
		s.Ports = []policy.PortRange{{First: port, Last: port}}
		p := b.start(s)
		b.await(true)
		var all []time.Duration
		err := b.Client.Do(func() error {
			for range 300 {
				d, err := quick()
				if err != nil {
					return err
				}
				all = append(all, d)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		p.stop()
		slices.Sort(all)
		t.Logf("p50 %v, p99 %v: port %d taken, %s", all[len(all)/2], all[len(all)*99/100], port, s.Takeover)
		return all[len(all)/2]
	}
	passing := median(1, settings{})
	median(443, settings{Takeover: wire.Accept})
	if late := median(443, settings{}); late > passing+5*time.Millisecond {
		t.Errorf("a take-over delays the first answer by %v", late-passing)
	}
}

// Many connections at once; the first answer tells how long taking takes.
func TestRate(t *testing.T) {
	b := newBench(t)
	b.echo("tcp", ":443")
	p := b.start(settings{})
	b.await(true)
	const workers = 8
	each := tempo.Of(100, 2500)
	var failed atomic.Int64
	times := make([][]time.Duration, workers)
	var all sync.WaitGroup
	start := time.Now()
	for w := range workers {
		all.Go(func() {
			// A thread in the client's namespace for all, so that the client costs little.
			err := b.Client.Do(func() error {
				for range each {
					d, err := quick()
					if err != nil {
						failed.Add(1)
						continue
					}
					times[w] = append(times[w], d)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	every := slices.Concat(times...)
	slices.Sort(every)
	if len(every) == 0 {
		t.Fatal("no connection succeeded")
	}
	t.Logf("%d take-overs at %.0f a second, answer to the first octets after p50 %v, p99 %v", len(every),
		float64(len(every))/took.Seconds(), every[len(every)/2], every[len(every)*99/100])
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of %d connections failed", n, workers*each)
	}
	p.stop()
	if t.Failed() {
		t.Logf("%+v\n%.3000s", b.status(), p.stderr)
	}
}

// quick connects, and measures one exchange; the connection is reset.
func quick() (time.Duration, error) {
	fd, err := connect()
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	start := time.Now()
	if err := hello(fd); err != nil {
		return 0, err
	}
	if err := answer(fd); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// connect connects a socket of the calling thread's namespace, on which nothing takes
// longer than ten seconds.
func connect() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	limit := unix.Timeval{Sec: 10}
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	err = again(func() error {
		return unix.Connect(fd, &unix.SockaddrInet4{Port: 443, Addr: [4]byte{192, 0, 2, 10}})
	})
	if err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, nil
}

func hello(fd int) error {
	return os.NewSyscallError("write", again(func() error {
		_, err := unix.Write(fd, []byte("hello\n"))
		return err
	}))
}

// answer waits for the first octets that come back.
func answer(fd int) error {
	return os.NewSyscallError("read", again(func() error {
		_, err := unix.Read(fd, make([]byte, 16))
		return err
	}))
}

// again calls what the runtime's signals may interrupt.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// While a flow is held: the client repeats itself, gives up, or the daemon dies. Not
// beside tests that load the machine: a flow is held for 200 ms at most.
func TestWhileHeld(t *testing.T) {
	b := newBench(t)
	b.echo("tcp", ":443")
	p := b.start(settings{})
	b.await(true)

	conn, err := b.Client.Dial("tcp", echoV4)
	if err != nil {
		t.Fatal(err)
	}
	const short = 20 * time.Millisecond // to be held, and by far not long enough to be taken undecided
	io.WriteString(conn, "MORE")
	time.Sleep(short)
	conn.(*net.TCPConn).SetLinger(0)
	conn.Close() // reset: the flow is gone, and nothing is taken
	time.Sleep(400 * time.Millisecond)
	p.expect(0)

	conn, err = b.Client.Dial("tcp", echoV4)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "MORE")
	time.Sleep(short)
	p.Signal(unix.SIGKILL)
	<-p.Done()
	if got, err := line(conn, "\n"); got != "MORE\n" {
		t.Errorf("killed while held: %q, %v", got, err)
	}
}
