package wirefuzz

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// rig is a wire between a client and an origin, each of them a packet socket and Linux
// sockets. Many cases run in it at once, each with a client's port of its own.
type rig struct {
	*lab.Wire
	t              *testing.T
	name           string
	kind           kind
	layout         layout
	client, origin *attacker
	receiver       *receiver
	judgements     judgements
	daemon         *netlab.Cmd
	stderr         bytes.Buffer
	serial, calls  atomic.Uint32
	places         chan struct{} // one for each case that runs
}

// kind is what rigs differ in.
type kind struct {
	name     string
	takeover wire.Takeover
	impaired bool // the line between the wire and the origin loses, repeats and delays frames
	open     bool // the wire passes what it cannot judge
	down     intake.Down
	routed   bool // the box is a router that diverts connections (tproxy), no wire
}

var kinds = []kind{
	{name: "late"},
	{name: "late, bad line", impaired: true},
	{name: "accept", takeover: wire.Accept},
}

// Addresses that only packet sockets have, so that no kernel answers for them.
const (
	attackerAddresses = 64
	attackerFirst     = 100
	originFakeV4      = "192.0.2.60"
	originFakeV6      = "2001:db8:2::60"
)

// layout is what the two networks of rigs differ in.
type layout struct {
	attackerV4, attackerV6 string // forms of the attacking clients' addresses, for numbers
	clientV4, clientV6     string // of the client's sockets

	clientMAC, originMAC net.HardwareAddr // of the ends
	beyondClient         net.HardwareAddr // who the client's frames go to
	beyondOrigin         net.HardwareAddr
}

// cable is the layout of a wire: the ends are neighbours.
var cable = layout{
	"192.0.2.%d", "2001:db8:2::1%02x", lab.WireClientV4, lab.WireClientV6,
	lab.WireClientMAC, lab.WireOriginMAC, lab.WireOriginMAC, lab.WireClientMAC,
}

// router is the layout where the box is the client's router.
var router = layout{
	"198.51.100.%d", "2001:db8:51::1%02x", lab.ClientV4, lab.ClientV6,
	net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, 1}, net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, 4}, net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, 2}, net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, 3},
}

// Time of a case.
const (
	caseLimit   = 60 * time.Second       // for its sockets
	settleTime  = 250 * time.Millisecond // after its last step
	secondLook  = 5 * time.Second        // before something counts as a divergence: the machine may be busy
	mustLimit   = 50 * time.Second       // for a text that has to arrive
	mustEvery   = 250 * time.Millisecond // it is sent again
	dialLimit   = 1500 * time.Millisecond
	together    = 48 // cases at once
	firstPort   = 10_000
	clientPorts = 50_000
)

var (
	rigs     atomic.Int64
	sweeping sync.Mutex
)

// newRig builds a rig and starts its wire. It is gone when the test ends.
func newRig(t *testing.T, k kind) *rig {
	t.Helper()
	l := netlab.ForTest(t)
	w, at, err := k.network(l)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		Wire: w, t: t, kind: k, layout: at, name: fmt.Sprintf("wirefuzz-%d-%d", os.Getpid(), rigs.Add(1)),
		judgements: judgements{all: make(map[netip.AddrPort][]judgement)}, places: make(chan struct{}, together),
	}
	if !k.routed {
		r.sweep()
		t.Cleanup(r.remove)
	}
	for _, s := range []struct {
		ns         *netlab.Namespace
		key, value string
	}{
		{w.Origin, "net.ipv4.tcp_synack_retries", "1"}, // what half-open cases leave goes soon
		{w.Origin, "net.ipv4.tcp_max_syn_backlog", "8192"},
		{w.Origin, "net.ipv4.tcp_syncookies", "0"},
		{w.Origin, "net.ipv4.tcp_fastopen", "0x203"}, // also without a cookie
	} {
		if err := s.ns.Sysctl(s.key, s.value); err != nil {
			t.Fatal(err)
		}
	}
	var clients []string
	for i := range attackerAddresses {
		clients = append(clients, fmt.Sprintf(at.attackerV4, attackerFirst+i), fmt.Sprintf(at.attackerV6, i))
	}
	if k.routed {
		r.neighbours(w.Box, lab.LANInterface, at.clientMAC, clients...)
		r.neighbours(w.Box, lab.WANInterface, at.originMAC, originFakeV4, originFakeV6)
	} else {
		r.neighbours(w.Origin, lab.OriginInterface, at.clientMAC, clients...)
		r.neighbours(w.Client, lab.ClientInterface, at.originMAC, originFakeV4, originFakeV6)
	}
	if r.kind.impaired {
		if err := lab.Impair(l, w.Origin, lab.OriginInterface, lab.Impairment{Loss: 0.02, Repetition: 0.1, Lateness: 0.05}); err != nil {
			t.Fatal(err)
		}
	}
	if r.receiver, err = listen(w.Origin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.receiver.close)
	for _, e := range []struct {
		ns *netlab.Namespace
		to **attacker
	}{{w.Client, &r.client}, {w.Origin, &r.origin}} {
		if *e.to, err = openAttacker(e.ns); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*e.to).close)
	}
	r.start()
	return r
}

// network builds the network of a kind.
func (k kind) network(l *netlab.Lab) (*lab.Wire, layout, error) {
	if !k.routed {
		w, err := lab.NewWire(l)
		return w, cable, err
	}
	g, err := lab.NewGateway(l)
	if err != nil {
		return nil, router, err
	}
	return &lab.Wire{Lab: l, Client: g.Client, Box: g.Box, Origin: g.Origin}, router, nil
}

// neighbours tells a namespace whose addresses are where.
func (r *rig) neighbours(ns *netlab.Namespace, device string, mac net.HardwareAddr, addresses ...string) {
	r.t.Helper()
	var batch strings.Builder
	for _, a := range addresses {
		fmt.Fprintf(&batch, "neighbour replace %s lladdr %s dev %s nud permanent\n", a, mac, device)
	}
	cmd := ns.Command(r.t.Context(), "ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("set neighbours: %v: %s", err, out)
	}
}

// sweep removes wires that processes of tests have left which were killed.
func (r *rig) sweep() {
	sweeping.Lock()
	defer sweeping.Unlock()
	names, err := wire.List()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, name := range names {
		var pid, n int
		if k, _ := fmt.Sscanf(name, "wirefuzz-%d-%d", &pid, &n); k == 2 && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			if out, err := r.command(settings{Name: name, Remove: true}).CombinedOutput(); err != nil {
				r.t.Logf("remove %s: %v\n%s", name, err, out)
			}
		}
	}
}

// command prepares a process of the daemon.
func (r *rig) command(s settings) *netlab.Cmd {
	s.Name, s.Takeover, s.Open = cmp.Or(s.Name, r.name), r.kind.takeover, r.kind.open
	s.Down, s.Routed = r.kind.down, r.kind.routed
	text, _ := json.Marshal(s)
	cmd := r.Box.Command(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), daemonEnv+"="+string(text), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// start runs the daemon and waits until the wire takes connections.
func (r *rig) start() {
	r.t.Helper()
	r.daemon = r.command(settings{})
	out, in := io.Pipe()
	r.daemon.Stdout, r.daemon.Stderr = in, &r.stderr
	if err := r.daemon.Start(); err != nil {
		r.t.Fatal(err)
	}
	ready := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { r.judgements.read(out, ready) })
	r.t.Cleanup(func() {
		if err := r.daemon.Stop(15 * time.Second); err != nil {
			r.t.Errorf("daemon: %v\n%.5000s", err, r.stderr.String())
		}
		in.Close()
		reading.Wait()
	})
	select {
	case <-ready:
	case <-r.daemon.Done():
		r.t.Fatalf("daemon ended: %v\n%s", r.daemon.Wait(), r.stderr.String())
	case <-time.After(20 * time.Second):
		r.t.Fatal("daemon not ready after 20s")
	}
	if r.kind.routed {
		return
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if s, err := wire.Inspect(r.name); err == nil && s.Taking {
			return
		}
	}
	r.t.Fatal("the wire does not take connections after 20s")
}

func (r *rig) remove() {
	out, err := r.command(settings{Remove: true}).CombinedOutput()
	if err != nil && !bytes.Contains(out, []byte("no such file")) && !errors.Is(err, netlab.ErrClosed) {
		r.t.Errorf("remove wire: %v\n%s", err, out)
	}
}

// alive reports whether the daemon runs.
func (r *rig) alive() bool {
	select {
	case <-r.daemon.Done():
		return false
	default:
		return true
	}
}

// way returns addresses for one run of a case: the attacker's, to its peer.
func (r *rig) way(c *Case) way {
	at, n := 0, 0
	if c.Origin {
		n = int(r.calls.Add(1)) // the client has one address
	} else {
		n = int(r.serial.Add(1))
		at, n = n%attackerAddresses, n/attackerAddresses // none opens connections fast
	}
	port := uint16(firstPort + n%clientPorts)
	client, origin := fmt.Sprintf(r.layout.attackerV4, attackerFirst+at), lab.OriginV4
	if c.V6 {
		client, origin = fmt.Sprintf(r.layout.attackerV6, at), lab.OriginV6
	}
	if c.Origin {
		client, origin = r.layout.clientV4, originFakeV4
		if c.V6 {
			client, origin = r.layout.clientV6, originFakeV6
		}
	}
	w := way{
		from: netip.AddrPortFrom(netip.MustParseAddr(client), port), to: netip.AddrPortFrom(netip.MustParseAddr(origin), c.port()),
		fromMAC: r.layout.clientMAC, toMAC: r.layout.beyondClient,
	}
	if c.Origin {
		w.from, w.to, w.fromMAC, w.toMAC = w.to, w.from, r.layout.originMAC, r.layout.beyondOrigin
	}
	return w
}

func (c *Case) port() uint16 {
	if c.Port == 0 {
		return webPort
	}
	return uint16(c.Port)
}

// run plays a case and judges what came of it; nil is within the law.
func (r *rig) run(c *Case) (*divergence, error) {
	r.places <- struct{}{}
	defer func() { <-r.places }()
	w := r.way(c)
	isn := [2]uint32{rand.Uint32(), rand.Uint32()}
	if c.Wrap {
		isn[0] = 1<<32 - 100
	}
	if c.Origin {
		return r.runOrigin(c, w, isn)
	}
	l := r.client.start(c, w, isn)
	defer l.end()
	r.judgements.watch(w.from)
	defer r.judgements.forget(w.from)
	defer r.receiver.finish(w.from)
	if err := l.play(); err != nil {
		return nil, err
	}
	if c.Must != "" {
		if d := r.insist(c, l); d != nil {
			return d, nil
		}
	} else {
		time.Sleep(settleTime)
	}
	return r.judge(c, w.from, func() [][]byte { return r.receiver.of(w.from) }), nil
}

// insist sends a text again until it has arrived.
func (r *rig) insist(c *Case, l *line) *divergence {
	want := texts[c.Must]
	again := []Segment{{Flags: "A"}}
	for from := 0; from < len(want); from += maxSegment {
		again = append(again, Segment{Flags: "PA", Text: c.Must, From: from, To: from + maxSegment})
	}
	for deadline, next := time.Now().Add(mustLimit), time.Now().Add(mustEvery); ; time.Sleep(5 * time.Millisecond) {
		for _, got := range r.receiver.of(l.w.from) {
			if bytes.HasPrefix(got, want) {
				return nil
			}
		}
		switch now := time.Now(); {
		case now.After(deadline):
			return &divergence{kind: lost, got: bytes.Join(r.receiver.of(l.w.from), nil), judged: r.judgements.of(l.w.from), client: l.w.from}
		case now.After(next):
			next = now.Add(mustEvery)
			if !l.answered() {
				_ = l.send(&c.Steps[0])
				continue
			}
			for i := range again {
				_ = l.send(&again[i])
			}
		}
	}
}

// runOrigin plays a case in which the origin attacks a client of Linux.
func (r *rig) runOrigin(c *Case, w way, isn [2]uint32) (*divergence, error) {
	l := r.origin.start(c, w, isn)
	defer l.end()
	r.judgements.watch(w.to)
	defer r.judgements.forget(w.to)
	ctx, cancel := context.WithTimeout(context.Background(), dialLimit)
	var client sync.WaitGroup
	defer client.Wait()
	defer cancel()
	client.Go(func() { caller(ctx, r.Client, w.to, w.from, texts[c.hello()]) })
	l.await(dialLimit)
	if err := l.play(); err != nil {
		return nil, err
	}
	time.Sleep(settleTime)
	return r.judge(c, w.to, l.heard), nil
}
