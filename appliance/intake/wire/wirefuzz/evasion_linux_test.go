package wirefuzz

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/tempo"
)

// fate is what becomes of a client's hello with the name that is terminated.
type fate string

const (
	judged  fate = "judged"  // a session got it, and was terminated
	dropped fate = "dropped" // nobody got it; the wire counted frames that it dropped
)

// columns are the ways to stand in the path, in the order of the fates of an evasion.
var columns = []kind{
	{name: "late"},
	{name: "accept, block", takeover: wire.Accept, down: intake.DownBlock},
	{name: "tproxy", routed: true},
}

// evasion is a way to have a hello not judged.
type evasion struct {
	name  string
	c     Case
	fates [3]fate // by column
}

// evasions are those that once worked on some wire.
func evasions() []evasion {
	const nops = "01010101"
	const md5 = "1312" + "00000000000000000000000000000000"
	const priority = etherVLAN << 16
	syn, ack, hello := Segment{Flags: "S"}, Segment{Flags: "A"}, Segment{Flags: "PA", Text: "evil"}
	decoy := Segment{Flags: "PA", Text: "bank"}
	with := func(s Segment, change func(*Segment)) Segment {
		change(&s)
		return s
	}
	// only has the hello changed, every all segments, before has one more ahead of it.
	only := func(change func(*Segment)) Case { return Case{Steps: []Segment{syn, ack, with(hello, change)}} }
	every := func(change func(*Segment)) Case {
		return Case{Steps: []Segment{with(syn, change), with(ack, change), with(hello, change)}}
	}
	before := func(s Segment) Case { return Case{Steps: []Segment{syn, ack, s, hello}} }
	v6 := func(c Case) Case { c.V6 = true; return c }
	stamps := func(c Case) Case { c.Stamps = true; return c }
	cheat := func(steps ...Segment) Case { return Case{Origin: true, Steps: steps} }

	options := func(s *Segment) { s.IPOption = nops }
	destination := func(s *Segment) { s.Headers = []string{"destination"} }
	fragments := func(s *Segment) { s.Fragments = []int{24, 32, 64} }
	tag := func(s *Segment) { s.Tags = []uint32{priority} }
	tags := func(s *Segment) { s.Tags = []uint32{priority, priority} }

	all, wires := [3]fate{judged, judged, judged}, [3]fate{dropped, dropped, judged}
	return []evasion{
		{"nothing", Case{Steps: []Segment{syn, ack, hello}}, all},
		{"nothing, IPv6", v6(Case{Steps: []Segment{syn, ack, hello}}), all},
		{"IPv4 options of the hello", only(options), wires},
		{"IPv4 options of every segment", every(options), wires},
		{"IPv6 destination options of the hello", v6(only(destination)), wires},
		{"IPv6 destination options of every segment", v6(every(destination)), wires},
		{"hello in fragments", only(fragments), wires},
		{"hello in fragments, IPv6", v6(only(fragments)), wires},
		{"every segment in fragments", every(fragments), wires},
		{"every segment in fragments, IPv6", v6(every(fragments)), wires},
		{"VLAN 0 on every frame", every(tag), all},
		{"VLAN 0 twice on every frame", every(tags), all},
		{"VLAN 0 behind the handshake", only(tag), all},
		{"VLAN 0 twice behind the handshake", only(tags), all},
		{"origin's bare reset", cheat(Segment{Flags: "R"}, Segment{Flags: "SA"}, Segment{Flags: "A", Await: true}), all},
		{"origin's damaged reset", cheat(Segment{Flags: "SA"}, Segment{Flags: "RA", BadSum: true}, Segment{Flags: "A", Await: true}), all},
		{"split handshake", cheat(Segment{Flags: "S"}, Segment{Flags: "PA", Await: true}), [3]fate{dropped, judged, judged}},
		{"client's reset out of window", before(Segment{Flags: "RA", Seq: 1<<31 - 1}), all},
		{"client's damaged reset", before(Segment{Flags: "R", BadSum: true}), all},
		{"client's damaged end", before(Segment{Flags: "FA", BadSum: true}), all},
		{"decoy with an old timestamp", stamps(before(with(decoy, func(s *Segment) { s.Time = "old" }))), all},
		{"decoy without ACK", before(with(decoy, func(s *Segment) { s.Flags = "P" })), all},
		{"decoy that acknowledges the future", before(with(decoy, func(s *Segment) { s.Ack = 100_000 })), all},
		{"decoy with MD5", before(with(decoy, func(s *Segment) { s.Option = md5 })), all},
	}
}

// Every evasion in every column: the origin never gets an octet that was not judged. The
// terminated hello is judged, or it is dropped and the wire counts that.
func TestEvasions(t *testing.T) {
	for i, k := range columns {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, k)
			for _, e := range evasions() { // one after the other: the wire's counters are of all
				t.Run(e.name, func(t *testing.T) { r.evade(t, &e.c, e.fates[i]) })
			}
			t.Run("burst of hellos", r.burst)
			t.Run("flood of doubled SYNs", r.flood)
		})
	}
}

// drops returns how many frames the wire has dropped because it could not judge them.
func (r *rig) drops(t *testing.T) (n uint64) {
	t.Helper()
	if r.kind.routed {
		return 0
	}
	s, err := wire.Inspect(r.name)
	if err != nil {
		t.Fatal(err)
	}
	for word, frames := range s.Paths {
		if strings.HasSuffix(word, "-dropped") {
			n += frames
		}
	}
	return n
}

// Times of an evasion.
const (
	fateLimit  = 20 * time.Second       // for what is to become of a hello
	againEvery = 250 * time.Millisecond // a client's steps are sent again, as TCP does
)

// evade plays a case and waits for its fate.
func (r *rig) evade(t *testing.T, c *Case, want fate) {
	w := r.way(c)
	counted := r.drops(t)
	attacker, client, received := r.client, w.from, func() [][]byte { return r.receiver.of(w.from) }
	if c.Origin {
		attacker, client = r.origin, w.to
	}
	l := attacker.start(c, w, [2]uint32{1 << 20, 1 << 24})
	defer l.end()
	r.judgements.watch(client)
	defer r.judgements.forget(client)
	defer r.receiver.finish(client)
	if c.Origin {
		received = l.heard
		ctx, cancel := context.WithTimeout(t.Context(), fateLimit)
		var victim sync.WaitGroup
		defer victim.Wait()
		defer cancel()
		victim.Go(func() { caller(ctx, r.Client, w.to, w.from, texts[c.hello()]) })
		if r.kind.takeover == wire.Late && !r.kind.routed {
			l.await(fateLimit)
		} else { // a box that answers itself says nothing to this origin
			l.await(settleTime)
		}
	}
	if err := l.play(); err != nil {
		t.Fatal(err)
	}
	done := func() bool {
		if want == judged {
			return len(r.judgements.of(client)) > 0
		}
		return r.drops(t) > counted
	}
	for end, again := time.Now().Add(fateLimit), time.Now().Add(againEvery); !done(); time.Sleep(10 * time.Millisecond) {
		now := time.Now()
		if now.After(end) {
			t.Errorf("not %s: %d frames dropped, judgements %v", want, r.drops(t)-counted, r.judgements.of(client))
			break
		}
		if now.After(again) && !c.Origin {
			again = now.Add(againEvery)
			for i := range c.Steps {
				if c.Steps[i].has("S") && l.answered() {
					continue
				}
				if err := l.send(&c.Steps[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	time.Sleep(settleTime / 5) // for what is under way
	all := r.judgements.of(client)
	if want == dropped && len(all) > 0 {
		t.Errorf("%d judgements, want none, the first of kind %s", len(all), all[0].kind)
	}
	for _, j := range all {
		if j.kind != ended {
			t.Errorf("judged otherwise: %s %s", j.kind, describe(j.octets))
		}
	}
	for _, got := range received() {
		if len(got) > 0 {
			t.Errorf("the origin got %s", describe(got))
		}
	}
}

// local returns the address of a client.
func local(conn net.Conn) netip.AddrPort {
	a := conn.LocalAddr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// burst has many clients say a long hello while nobody decides: more than the kernel
// keeps. None passes, and each is judged when somebody decides again.
func (r *rig) burst(t *testing.T) {
	if err := r.daemon.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	resume := sync.OnceFunc(func() { r.daemon.Signal(unix.SIGCONT) })
	defer resume()
	counted := r.drops(t)
	n := tempo.Of(900, 2500)
	var clients []netip.AddrPort
	var conns []net.Conn
	defer func() {
		for i, conn := range conns {
			conn.Close()
			r.judgements.forget(clients[i])
		}
	}()
	var saying sync.WaitGroup
	for range n {
		conn, err := r.Client.Dial("tcp", lab.OriginV4+":443")
		if err != nil {
			t.Fatal(err)
		}
		client := local(conn)
		conns, clients = append(conns, conn), append(clients, client)
		r.judgements.watch(client)
		conn.SetDeadline(time.Now().Add(time.Minute))
		saying.Go(func() { conn.Write(texts["evil99"]) })
	}
	saying.Wait()
	time.Sleep(settleTime)
	arrived := func(when string) {
		t.Helper()
		for _, client := range clients {
			for _, got := range r.receiver.of(client) {
				if len(got) > 0 {
					t.Fatalf("%s the origin got %s", when, describe(got))
				}
			}
		}
	}
	arrived("while nobody decides,")
	if late := !r.kind.routed && r.kind.takeover == wire.Late; late && r.drops(t) == counted {
		t.Errorf("the kernel had room for %d hellos: that is no burst", n)
	}
	resume()
	for i, conn := range conns {
		if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Fatalf("connection %d is not ended: %v", i, err)
		}
	}
	for i, client := range clients {
		tempo.Until(t, fmt.Sprintf("connection %d is judged", i), func() bool { return len(r.judgements.of(client)) > 0 })
		if j := r.judgements.of(client)[0]; j.kind != ended {
			t.Errorf("connection %d: %s", i, j.kind)
		}
	}
	arrived("in the end")
	for _, client := range clients {
		r.receiver.finish(client)
	}
}

// flood sends SYNs of made-up clients, each twice. A session that is carried goes on,
// and a connection whose client has said nothing is judged.
func (r *rig) flood(t *testing.T) {
	dial := func() (net.Conn, netip.AddrPort) {
		t.Helper()
		conn, err := r.Client.Dial("tcp", lab.OriginV4+":443")
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(time.Minute))
		client := local(conn)
		r.judgements.watch(client)
		return conn, client
	}
	carried, carriedBy := dial()
	defer carried.Close()
	defer r.judgements.forget(carriedBy)
	if _, err := carried.Write(texts["bump"]); err != nil {
		t.Fatal(err)
	}
	octets := func() (n int) {
		for _, got := range r.receiver.of(carriedBy) {
			n += len(got)
		}
		return n
	}
	tempo.Until(t, "a session is carried", func() bool { return octets() == len(texts["bump"]) })
	silent, silentBy := dial()
	defer silent.Close()
	defer r.judgements.forget(silentBy)

	c := &Case{Steps: []Segment{{Flags: "S"}}}
	w := r.way(c)
	for i := range tempo.Of(20_000, 450_000) {
		w.from = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 50_000)
		frame := c.Steps[0].frames(w, numbers{seq: uint32(i)}, false)[0]
		for range 2 {
			if err := r.client.send(frame); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := carried.Write([]byte("more")); err != nil {
		t.Errorf("the session that was carried: %v", err)
	}
	tempo.Until(t, "the session goes on", func() bool { return octets() == len(texts["bump"])+len("more") })
	if _, err := silent.Write(texts["evil"]); err != nil {
		t.Errorf("the silent connection: %v", err)
	}
	tempo.Until(t, "the silent connection is judged", func() bool { return len(r.judgements.of(silentBy)) > 0 })
	if j := r.judgements.of(silentBy)[0]; j.kind != ended {
		t.Errorf("the silent connection: %s", j.kind)
	}
	for _, got := range r.receiver.of(silentBy) {
		if len(got) > 0 {
			t.Errorf("of the silent connection, the origin got %s", describe(got))
		}
	}
}
