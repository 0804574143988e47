package alone

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/hack/tempo"
)

// A crowd goes to ports from crowdPort on, so many that the client has a port of its
// own for every connection.
const crowdPort, crowdPorts = 6443, 4

// TestCrowd has clients that connect and say nothing, that send half a hello, that
// send a whole one and stop there, and others whose sessions are idle. Those that
// do not go on are ended in time, nothing of them is left, and other clients are
// served beside them. With CLEARSPAN_ROUNDS of more than 1 there are 5,000 half-open
// ones and 5,000 idle ones, or as many as descriptors are for, and a good client's 99th percentile must stay below
// twice of what it is without them; crowd and emptiness take turns.
func TestCrowd(t *testing.T) {
	n, turns, probes, timeout := 300, 1, 20, 20*time.Second
	if tempo.Rounds() > 1 {
		n, turns, probes, timeout = 5000, 2, 2000, 80*time.Second
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		n = min(n, int(limit.Cur)/40*9) // a pair of them takes 3 2/3 descriptors here and there
	}
	c := newScene(t, settings{Blind: true, Full: "drop",
		More: "client: {handshake_timeout: " + timeout.String() + ", silence_timeout: " + timeout.String() + "}"})
	for i := range crowdPorts {
		c.echoForLong(crowdPort + i)
	}
	config := &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName}
	var alone, beside []time.Duration
	c.probe(config, 5) // what is made once is made
	before := c.Metrics()
	for range turns {
		alone = append(alone, c.probe(config, probes)...)
		empty := c.Metrics()
		half, idle := c.halfOpen(n), c.idle(config, n)
		full := c.Metrics()
		beside = append(beside, c.probe(config, probes)...)
		if got := scenetest.Opened(full); got < float64(n+n/3*3) {
			t.Errorf("%v sessions are open, want %d", got, n+n/3*3)
		}
		t.Logf("%d half-open and %d idle sessions: %.0f KiB resident each, %v goroutines, %v descriptors", len(half), len(idle),
			(full[scenetest.ResidentMetric]-empty[scenetest.ResidentMetric])/float64(2*n)/1024, full["go_goroutines"], full["process_open_fds"])
		if stack := (full[stackMetric] - empty[stackMetric]) / float64(2*n); stack > mostStack {
			t.Errorf("a session has %.1f KiB of stack", stack/1024)
		} else {
			t.Logf("%.1f KiB of stack each", stack/1024)
		}
		begun := time.Now()
		for _, conn := range half {
			conn.SetReadDeadline(begun.Add(timeout + 20*time.Second))
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("a half-open session goes on")
			}
			conn.Close()
		}
		for _, conn := range idle { // they have not noticed
			if err := echoedOnce(conn); err != nil {
				t.Fatalf("idle session: %v", err)
			}
		}
		for _, conn := range idle {
			conn.Close()
		}
		c.Quiet(before)
	}
	slices.Sort(alone)
	slices.Sort(beside)
	p99 := func(d []time.Duration) time.Duration { return d[(len(d)-1)*99/100] }
	t.Logf("a good client's session, alone and beside: p50 %v and %v, p99 %v and %v", alone[len(alone)/2], beside[len(beside)/2], p99(alone), p99(beside))
	if tempo.Rounds() > 1 && p99(beside) >= 2*p99(alone) {
		t.Error("a crowd delays good clients")
	}
	c.Stop()
	reasons := make(map[string]int)
	for _, e := range c.Entries() {
		reasons[e.Reason]++
	}
	for reason, want := range map[string]int{"client-silent": n / 3 * 2, "client-handshake": n / 3} {
		if reasons[reason] != want*turns {
			t.Errorf("%d sessions ended for %s, want %d: %v", reasons[reason], reason, want*turns, reasons)
		}
	}
}

const (
	stackMetric = "go_memstats_stack_inuse_bytes"
	// mostStack is what a session may hold of stack, most of it in those that stop in
	// their handshake.
	mostStack = 32 << 10
)

// echoForLong serves TLS that sends back what it gets, to sessions that may stand
// for as long as the test takes.
func (c *scene) echoForLong(port int) {
	c.Helper()
	c.ListenTLS(port, func(conn *tls.Conn, under net.Conn) {
		under.SetDeadline(time.Time{})
		io.Copy(conn, conn)
	})
}

// halfOpen opens n connections, a third of each kind, and tells what one takes:
// silent, with half a hello, with a whole one.
func (c *scene) halfOpen(n int) (half []net.Conn) {
	c.Helper()
	hello := plainHello(c.T)
	c.Cleanup(func() {
		for _, conn := range half {
			conn.Close()
		}
	})
	for kind, said := range [][]byte{nil, hello[:len(hello)/2], hello} {
		before := c.Metrics()[scenetest.ResidentMetric]
		for i := range n / 3 {
			conn, err := c.Client.DialContext(c.Ctx, "tcp", net.JoinHostPort(lab.OriginV4, strconv.Itoa(crowdPort+i%crowdPorts)))
			if err != nil {
				c.Fatal(err)
			}
			half = append(half, conn)
			if _, err := conn.Write(said); err != nil {
				c.Fatal(err)
			}
			time.Sleep(time.Millisecond) // faster ones look like more than there are descriptors for
		}
		time.Sleep(time.Second) // until origins are reached
		c.Logf("half-open, %s: %.0f KiB resident each", []string{"silent", "half a hello", "a whole hello"}[kind],
			(c.Metrics()[scenetest.ResidentMetric]-before)/float64(n/3)/1024)
	}
	return half
}

// plainHello returns the ClientHello of crypto/tls for webName.
func plainHello(t *testing.T) []byte {
	t.Helper()
	a, z := net.Pipe()
	defer a.Close()
	defer z.Close()
	go tls.Client(a, &tls.Config{ServerName: webName}).Handshake()
	b := make([]byte, 8<<10)
	n, err := z.Read(b) // one write is one read
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// idle opens n sessions, four at a time, on each of which something was said.
func (c *scene) idle(config *tls.Config, n int) (open []*tls.Conn) {
	c.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	slots := make(chan struct{}, 4)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			conn, err := c.Secret(crowdPort+i%crowdPorts, config)
			if err == nil {
				err = echoedOnce(conn)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				return
			}
			open = append(open, conn)
		})
	}
	all.Wait()
	if failed != nil {
		c.Errorf("%d of %d sessions, the last error: %v", len(open), n, failed)
	}
	c.Cleanup(func() {
		for _, conn := range open {
			conn.Close()
		}
	})
	return open
}

// echoedOnce says something and wants it back.
func echoedOnce(conn *tls.Conn) error {
	conn.SetDeadline(time.Now().Add(time.Minute))
	const text = "to and fro\n"
	if _, err := io.WriteString(conn, text); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, len(text)))
	return err
}

// probe has a good client open sessions, one after the other, on each of which
// something is said, and returns how long each took. No garbage of this process, which
// holds both ends of the crowd, is collected meanwhile: that is not the appliance's delay.
func (c *scene) probe(config *tls.Config, n int) (times []time.Duration) {
	c.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for range n {
		start := time.Now()
		conn, err := c.Secret(crowdPort, config)
		if err == nil {
			err = echoedOnce(conn)
		}
		if err != nil {
			c.Fatalf("a good client: %v", err)
		}
		times = append(times, time.Since(start))
		conn.Close()
		time.Sleep(5 * time.Millisecond)
	}
	return times
}
