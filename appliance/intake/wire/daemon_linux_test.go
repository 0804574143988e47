package wire_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/appliance/admission"
	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/tempo"
)

// daemonEnv has the test binary run a wire instead of tests.
const daemonEnv = "CLEARSPAN_TEST_WIRE"

func TestMain(m *testing.M) {
	if text := os.Getenv(daemonEnv); text != "" {
		if err := daemon(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	tempo.Parallel(8) // they wait, mostly
	goleak.VerifyTestMain(m)
}

// settings configure the wire of a test.
type settings struct {
	Name     string
	Takeover wire.Takeover
	Down     intake.Down
	Link     wire.Link
	QUIC     intake.QUIC
	Copy     wire.Copy
	Ports    []policy.PortRange
	Exempt   intake.Exempt
	Stall    time.Duration
	Recover  time.Duration
	Open     bool
	Overload admission.Overload
	Grace    time.Duration
	Sessions int
	Procs    int    // processors that the daemon believes to have, a shard for every second one; 0: all
	CPUs     string // processors that it may use, for taskset; empty: all
	Brief    bool   // answer each session with an octet and reset it, instead of relaying it
	Judge    bool   // QUIC, see judgeQUIC
	Join     bool   // take over from a daemon that runs the wire
	Own      bool   // a mount namespace of the daemon's own
	Unsafe   bool   // start there
	Remove   bool   // remove the wire instead of running it
}

// Octets by which a client asks the daemon's hook for a decision.
var (
	wantsTunnel = []byte("TUNNEL")
	wantsMore   = []byte("MORE")
	wantsStill  = []byte("STILL") // hold up the loop that asks until SIGUSR1
)

// decide tunnels what asks for it, and waits for the end of line of "MORE" and
// for the rest of both words.
func decide(in *decrypt.Incoming, flight []byte) wire.Decision {
	switch {
	case bytes.HasPrefix(flight, wantsTunnel):
		return wire.Pass
	case bytes.HasPrefix(wantsTunnel, flight) || bytes.HasPrefix(wantsMore, flight):
		return wire.NeedMore
	case bytes.HasPrefix(flight, wantsMore) && !bytes.HasSuffix(flight, []byte("\n")):
		return wire.NeedMore
	}
	return wire.Take
}

// daemon runs a wire whose sessions are relayed as they are.
func daemon(text string) error {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	if s.Remove {
		return wire.Remove(s.Name)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	goOn := make(chan os.Signal, 1)
	signal.Notify(goOn, syscall.SIGUSR1)
	ask := func(in *decrypt.Incoming, flight []byte) wire.Decision {
		if bytes.HasPrefix(flight, wantsStill) {
			fmt.Println("still")
			<-goOn
		}
		return decide(in, flight)
	}
	handler := relay
	if s.Brief {
		handler = brief
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	in, err := wire.New(wire.Config{
		Legs: [2]string{lab.LANInterface, lab.WANInterface}, Takeover: s.Takeover, Down: s.Down, DownUnsafe: s.Unsafe, Join: s.Join, Link: s.Link, QUIC: s.QUIC, Copy: s.Copy, Ports: s.Ports,
		Exempt: s.Exempt, Decide: ask, Stall: s.Stall, Recover: s.Recover,
		Dropped: func(d wire.Drops) { fmt.Printf("dropped %s %d\n", d.Cause, d.Frames) },
		Open:    s.Open, Overload: s.Overload, Grace: s.Grace, Sessions: s.Sessions,
	}, intake.Options{Name: s.Name, Handler: handler, QUIC: judgeQUIC(s), Logger: log})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	taking := make(chan struct{})
	go func() {
		defer close(taking)
		select {
		case <-in.Taking():
			fmt.Println("taking")
		case <-ctx.Done():
		}
	}()
	sessions := ctx
	if s.Join { // sessions go on after SIGTERM
		sessions = context.Background()
		defer context.AfterFunc(ctx, func() { in.Close() })()
	}
	if err := in.Serve(sessions); err != nil {
		return err
	}
	<-taking
	in.Wait()
	return goleak.Find()
}

// brief ends a session as soon as it has begun.
func brief(_ context.Context, in *decrypt.Incoming) {
	client := in.Conn.(*net.TCPConn)
	client.Write([]byte("x"))
	client.SetLinger(0)
}

// relay joins both legs of a session, and says what it knew of it.
func relay(ctx context.Context, in *decrypt.Incoming) {
	facts, _ := json.Marshal(in.Link)
	fmt.Printf("session %s %s %s\n", in.Client, in.Origin, facts)
	client := in.Conn.(*net.TCPConn)
	conn, err := in.Dial(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		client.SetLinger(0)
		return
	}
	origin := conn.(*net.TCPConn)
	defer origin.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); origin.Close() })()
	var both sync.WaitGroup
	pump := func(to, from *net.TCPConn) {
		if _, err := io.Copy(to, from); err != nil {
			to.SetLinger(0)
			to.Close()
			from.Close()
			return
		}
		to.CloseWrite()
	}
	both.Go(func() { pump(origin, client) })
	both.Go(func() { pump(client, origin) })
	both.Wait()
}

// bench is a wire between a client and an origin.
type bench struct {
	*lab.Wire
	t    testing.TB
	name string
	dir  string
}

var serial struct {
	sync.Mutex
	n int
}

func newBench(t testing.TB) *bench {
	t.Helper()
	l := netlab.ForTest(t)
	w, err := lab.NewWire(l)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := l.Dir("wire")
	if err != nil {
		t.Fatal(err)
	}
	serial.Lock()
	serial.n++
	b := &bench{Wire: w, t: t, dir: dir, name: fmt.Sprintf("wiretest-%d-%d", os.Getpid(), serial.n)}
	serial.Unlock()
	t.Cleanup(b.remove)
	return b
}

// said is what a process has written. It may be read while the process runs.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// daemonProcess is a running daemon.
type daemonProcess struct {
	*netlab.Cmd
	b      *bench
	stderr *said
	ready  chan struct{}
	taking chan struct{} // closed when it says so
	still  chan struct{} // closed when a loop is held up

	mu       sync.Mutex
	sessions []string
	drops    map[string]int // by cause
}

// start runs a daemon in the box and waits until it is ready.
func (b *bench) start(s settings) *daemonProcess {
	b.t.Helper()
	p := b.launch(s)
	select {
	case <-p.ready:
	case <-p.Done():
		b.t.Fatalf("daemon ended: %v\n%s", p.Wait(), p.stderr)
	case <-time.After(30 * time.Second): // one wire of the machine starts after the other
		b.t.Fatal("daemon not ready after 30s")
	}
	return p
}

func (b *bench) launch(s settings) *daemonProcess {
	b.t.Helper()
	s.Name = b.name
	if s.Stall == 0 {
		s.Stall = time.Second // a test that does not measure it shall not depend on the machine
	}
	text, err := json.Marshal(s)
	if err != nil {
		b.t.Fatal(err)
	}
	r, w := io.Pipe()
	command := []string{os.Args[0]}
	if s.CPUs != "" {
		command = append([]string{"taskset", "-c", s.CPUs}, command...)
	}
	if s.Own {
		command = append([]string{"unshare", "--mount"}, command...)
	}
	p := &daemonProcess{
		Cmd: b.Box.Command(context.Background(), command[0], command[1:]...), b: b, stderr: new(said),
		ready: make(chan struct{}), taking: make(chan struct{}), still: make(chan struct{}), drops: make(map[string]int),
	}
	p.Env = childEnv(text)
	if s.Procs > 0 {
		p.Env = append(p.Env, fmt.Sprintf("GOMAXPROCS=%d", s.Procs))
	}
	p.Stdout, p.Stderr = w, p.stderr
	if err := p.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		p.Stop(time.Second)
		if b.t.Failed() {
			s, _ := wire.Inspect(b.name)
			b.t.Logf("%+v\n%.3000s", s, p.stderr)
		}
	})
	go func() { <-p.Done(); w.Close() }()
	go func() {
		var once sync.Once
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			if lines.Text() == "ready" {
				close(p.ready)
				continue
			}
			if lines.Text() == "taking" {
				close(p.taking)
				continue
			}
			if lines.Text() == "still" {
				once.Do(func() { close(p.still) })
				continue
			}
			var cause string
			var n int
			if k, _ := fmt.Sscanf(lines.Text(), "dropped %s %d", &cause, &n); k == 2 {
				p.mu.Lock()
				p.drops[cause] += n
				p.mu.Unlock()
				continue
			}
			p.mu.Lock()
			p.sessions = append(p.sessions, lines.Text())
			p.mu.Unlock()
		}
	}()
	return p
}

// seen returns what the daemon said about its sessions.
func (p *daemonProcess) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.sessions...)
}

// expect waits until the daemon has said that it took n sessions since its start.
// What it says comes a little later than what its sessions do.
func (p *daemonProcess) expect(n int) {
	p.b.t.Helper()
	for deadline := time.Now().Add(2 * time.Second); len(p.seen()) < n && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n == 0 {
		time.Sleep(20 * time.Millisecond)
	}
	if got := p.seen(); len(got) != n {
		p.b.t.Errorf("%d sessions were taken, want %d: %.1000v", len(got), n, got)
	}
}

// stop ends a daemon in order.
func (p *daemonProcess) stop() {
	p.b.t.Helper()
	if err := p.Cmd.Stop(5 * time.Second); err != nil {
		p.b.t.Errorf("daemon: %v\n%s", err, p.stderr)
	}
}

// childEnv has a child run a wire. The race detector's pause at the end of each
// process is left out.
func childEnv(settings []byte) []string {
	return append(os.Environ(), daemonEnv+"="+string(settings), "GORACE=atexit_sleep_ms=0")
}

// remove takes the wire away from inside the box, where its legs go back to.
func (b *bench) remove() {
	cmd := b.Box.Command(context.Background(), os.Args[0])
	text, _ := json.Marshal(settings{Name: b.name, Remove: true})
	cmd.Env = childEnv(text)
	if out, err := cmd.CombinedOutput(); err != nil && !bytes.Contains(out, []byte("no such file")) && !errors.Is(err, netlab.ErrClosed) {
		b.t.Errorf("remove wire: %v\n%s", err, out)
	}
}

// status reads the counters.
func (b *bench) status() *wire.Status {
	b.t.Helper()
	s, err := wire.Inspect(b.name)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// await waits until the wire takes connections, or does not.
func (b *bench) await(taking bool) {
	b.t.Helper()
	tempo.Until(b.t, fmt.Sprintf("wire takes connections: %v", taking), func() bool { return b.status().Taking == taking })
}
