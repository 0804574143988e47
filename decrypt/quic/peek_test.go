package quic

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/quicclient"
)

var (
	client = netip.MustParseAddrPort("192.0.2.2:50000")
	origin = netip.MustParseAddrPort("192.0.2.10:443")
	id     = []byte("original")
)

// bench is a Peek that refuses names in evil.test, and what cannot be read unless
// lenient. Its clock stands still.
type bench struct {
	*Peek
	t       testing.TB
	now     time.Time
	lenient bool
	results []string // such as "www.a.test whole 2"
	last    Result
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t, now: time.Unix(1000, 0)}
	b.Peek = NewPeek(Config{Now: func() time.Time { return b.now }, Judge: func(r *Result) Verdict {
		name := "-"
		if r.Hello != nil {
			name = r.Hello.ServerName
		}
		b.last = *r
		b.results = append(b.results, fmt.Sprintf("%s %v %d", name, r.State, r.Datagrams))
		if strings.HasSuffix(name, "evil.test") || name == "-" && !b.lenient {
			return Refuse
		}
		return Pass
	}})
	return b
}

// send gives datagrams of one flow and returns the verdicts, a letter each.
func (b *bench) send(datagrams ...[]byte) string {
	var verdicts strings.Builder
	for _, d := range datagrams {
		verdicts.WriteByte("UPR"[b.Datagram(client, origin, d)])
	}
	return verdicts.String()
}

func (b *bench) expect(results ...string) {
	b.t.Helper()
	if !slices.Equal(b.results, results) {
		b.t.Errorf("results %q, want %q", b.results, results)
	}
}

func hello(t testing.TB, name string) []byte {
	t.Helper()
	b, err := quicclient.Hello(name, "h3")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// chaos returns a hello in frames of random order, with PINGs and padding between, as
// Chromium sends it, in that many datagrams.
func chaos(h []byte, datagrams int, random *rand.Rand) [][]byte {
	var cuts []int
	for range 15 {
		cuts = append(cuts, random.IntN(len(h)))
	}
	cuts = append(cuts, 0, len(h))
	slices.Sort(cuts)
	var frames [][]byte
	for i := range cuts[1:] {
		frames = append(frames, quicclient.Crypto(cuts[i], h[cuts[i]:cuts[i+1]]))
	}
	random.Shuffle(len(frames), func(i, j int) { frames[i], frames[j] = frames[j], frames[i] })
	parts := make([][]byte, datagrams)
	for i, f := range frames {
		to := &parts[i*datagrams/len(frames)]
		*to = append(append(*to, f...), make([]byte, random.IntN(10))...) // padding
		*to = append(*to, framePing)
	}
	var all [][]byte
	for i, part := range parts {
		all = append(all, quicclient.Datagram(&quicclient.Packet{Destination: id, Number: uint64(i + 1), Length: 1, Frames: part}))
	}
	return all
}

func TestPeek(t *testing.T) {
	h := hello(t, "www.a.test")
	two := quicclient.Datagrams(id, h, 2)
	packet := func(p quicclient.Packet) []byte {
		if p.Destination == nil {
			p.Destination = id
		}
		return quicclient.Datagram(&p)
	}
	crypto := func(from, to int) []byte { return quicclient.Crypto(from, h[from:to]) }
	other := hello(t, "www.b.test")
	evil := hello(t, "www.evil.test")
	for _, tt := range []struct {
		name      string
		datagrams [][]byte
		verdicts  string
		results   []string
	}{
		{"one datagram", quicclient.Datagrams(id, h, 1), "P", []string{"www.a.test whole 1"}},
		{"two", two, "UP", []string{"www.a.test whole 2"}},
		{"the last one first", [][]byte{two[1], two[0]}, "UP", []string{"www.a.test whole 2"}},
		{"repeated", [][]byte{two[0], two[0], two[1], two[1]}, "UUPP", []string{"www.a.test whole 3"}},
		{"overlapping", [][]byte{packet(quicclient.Packet{Frames: crypto(0, 100)}), packet(quicclient.Packet{Number: 1, Frames: crypto(50, len(h))})}, "UP", []string{"www.a.test whole 2"}},
		{"refused by name", quicclient.Datagrams(id, evil, 2), "UR", []string{"www.evil.test whole 2"}},
		{"refused for good", append(quicclient.Datagrams(id, evil, 2), quicclient.Datagrams([]byte("another1"), h, 1)...), "URR", []string{"www.evil.test whole 2"}},
		{"version 2", [][]byte{packet(quicclient.Packet{Version: Version2, Frames: crypto(0, len(h))})}, "P", []string{"www.a.test whole 1"}},
		{"version changed", [][]byte{
			packet(quicclient.Packet{Frames: crypto(0, len(h))}),
			packet(quicclient.Packet{Version: Version2, Destination: []byte("chosen"), Original: id, Number: 1, Frames: []byte{frameACK, 0, 0, 0, 0}}),
		}, "PP", []string{"www.a.test whole 1"}},
		{"without connection ID", [][]byte{packet(quicclient.Packet{Destination: []byte{}, Frames: crypto(0, len(h))})}, "P", []string{"www.a.test whole 1"}},
		{"fixed bit clear", [][]byte{packet(quicclient.Packet{Clear: true, Frames: crypto(0, len(h))})}, "P", []string{"www.a.test whole 1"}},
		{"token", [][]byte{packet(quicclient.Packet{Token: make([]byte, 100), Frames: crypto(0, len(h))})}, "P", []string{"www.a.test whole 1"}},
		{"acknowledgement between", [][]byte{
			packet(quicclient.Packet{Frames: append([]byte{frameACKECN, 5, 1, 1, 2, 0, 1, 7, 8, 9}, crypto(0, 300)...)}),
			packet(quicclient.Packet{Number: 1, Frames: append(crypto(300, len(h)), frameClose, 1, 6, 2, 'n', 'o')}),
		}, "UP", []string{"www.a.test whole 2"}},
		{"coalesced", [][]byte{slices.Concat(
			(&quicclient.Packet{Type: 1, Destination: id, Frames: make([]byte, 50)}).Seal(),
			(&quicclient.Packet{Destination: id, Frames: crypto(0, 200)}).Seal(),
			(&quicclient.Packet{Destination: id, Number: 1, Frames: crypto(200, len(h))}).Seal(),
			(&quicclient.Packet{Type: 2, Destination: id, Frames: make([]byte, 50)}).Seal(),
			[]byte{0x40, 1, 2, 3},
		)}, "P", []string{"www.a.test whole 1"}},
		{"0-RTT first", [][]byte{(&quicclient.Packet{Type: 1, Destination: id, Frames: make([]byte, 50)}).Seal(), two[0], two[1]}, "UUP", []string{"www.a.test whole 3"}},
		{"handshake afterwards", [][]byte{two[0], two[1],
			packet(quicclient.Packet{Destination: []byte("chosen"), Original: id, Number: 2, Frames: []byte{frameACK, 0, 0, 0, 0}}),
			(&quicclient.Packet{Type: 2, Destination: []byte("chosen"), Frames: make([]byte, 50)}).Seal(),
		}, "UPPP", []string{"www.a.test whole 2"}},
		{"after a Retry", [][]byte{two[0], two[1], packet(quicclient.Packet{Destination: []byte("retried"), Number: 2, Token: []byte("token"), Frames: crypto(0, len(h))})}, "UPP", []string{"www.a.test whole 2"}},
		{"another connection", append(slices.Clone(two), quicclient.Datagrams([]byte("another1"), other, 1)...), "UPP", []string{"www.a.test whole 2", "www.b.test whole 3"}},
		{"another connection, refused", append(slices.Clone(two), quicclient.Datagrams([]byte("another1"), evil, 2)...), "UPUR", []string{"www.a.test whole 2", "www.evil.test whole 4"}},
		{"too many connections", [][]byte{
			packet(quicclient.Packet{Destination: []byte("1"), Frames: crypto(0, len(h))}), packet(quicclient.Packet{Destination: []byte("2"), Frames: crypto(0, len(h))}),
			packet(quicclient.Packet{Destination: []byte("3"), Frames: crypto(0, len(h))}), packet(quicclient.Packet{Destination: []byte("4"), Frames: crypto(0, len(h))}),
			packet(quicclient.Packet{Destination: []byte("5"), Frames: crypto(0, len(h))}),
		}, "PPPPR", []string{"www.a.test whole 1", "- excess 5"}},
		{"says two things", [][]byte{two[0], packet(quicclient.Packet{Number: 1, Frames: quicclient.Crypto(0, evil[:200])})}, "UR", []string{"- malformed 2"}},
		{"says another thing afterwards", append(slices.Clone(two), quicclient.Datagrams(id, evil, 1)...), "UPR", []string{"www.a.test whole 2", "- malformed 3"}},
		{"another hello for the same name", append(slices.Clone(two), packet(quicclient.Packet{Number: 2, Frames: quicclient.Crypto(len(h), h[:100])}),
			packet(quicclient.Packet{Number: 3, Frames: quicclient.Crypto(len(h)+100, h[100:])})), "UPUP", []string{"www.a.test whole 2"}},
		{"another hello for another name", append(slices.Clone(two), packet(quicclient.Packet{Number: 2, Frames: quicclient.Crypto(len(h), evil)})), "UPR",
			[]string{"www.a.test whole 2", "- malformed 3"}},
		{"stream frame", [][]byte{packet(quicclient.Packet{Frames: []byte{8, 0, 1}})}, "R", []string{"- malformed 1"}},
		{"frame too short", [][]byte{(&quicclient.Packet{Destination: id, Frames: []byte{0, 0, 0, frameCrypto, 0, 0x40, 50, 1}}).Seal()}, "R", []string{"- malformed 1"}},
		{"another message", [][]byte{packet(quicclient.Packet{Frames: quicclient.Crypto(0, []byte{2, 0, 0, 4})})}, "R", []string{"- malformed 1"}},
		{"hello that says nothing", [][]byte{packet(quicclient.Packet{Frames: quicclient.Crypto(0, []byte{1, 0, 0, 1, 0})})}, "R", []string{"- malformed 1"}},
		{"hello too long", [][]byte{packet(quicclient.Packet{Frames: quicclient.Crypto(0, []byte{1, 0, 0x40, 0})})}, "R", []string{"- excess 1"}},
		{"offset too far", [][]byte{packet(quicclient.Packet{Frames: quicclient.Crypto(1<<14, []byte{1})})}, "R", []string{"- excess 1"}},
		{"offset far too far", [][]byte{packet(quicclient.Packet{Frames: append(quicclient.Varint([]byte{frameCrypto}, 1<<62-1), 1, 1)})}, "R", []string{"- excess 1"}},
		{"too many datagrams", slices.Repeat([][]byte{two[0]}, 17), strings.Repeat("U", 16) + "R", []string{"- excess 17"}},
		{"too many octets", slices.Repeat([][]byte{append(slices.Clone(two[0]), make([]byte, 10000)...)}, 6), "UUUUUR", []string{"- excess 6"}},
		{"damaged", [][]byte{append(slices.Clone(two[0][:1199]), two[0][1199]^1)}, "R", []string{"- malformed 1"}},
		{"cut", [][]byte{two[0][:1000]}, "R", []string{"- malformed 1"}},
		{"garbage behind", [][]byte{append(slices.Clone(quicclient.Datagrams(id, h, 1)[0]), 0xc0, 0, 0, 0, 1, 99)}, "P", []string{"www.a.test whole 1"}},
		{"Retry", [][]byte{(&quicclient.Packet{Type: 3, Destination: id, Frames: make([]byte, 50)}).Seal()}, "R", []string{"- malformed 1"}},
		{"version negotiation", [][]byte{{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, "R", []string{"- unsupported 1"}},
		{"other version", [][]byte{{0xc0, 0xba, 0xba, 0xba, 0xba, 0, 0}}, "R", []string{"- unsupported 1"}},
		{"one octet", [][]byte{{0x80}}, "R", []string{"- malformed 1"}},
		{"short header", [][]byte{{0x40, 1, 2, 3}, {}}, "PP", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			before := make([][]byte, len(tt.datagrams))
			for i, d := range tt.datagrams {
				before[i] = bytes.Clone(d)
			}
			if got := b.send(tt.datagrams...); got != tt.verdicts {
				t.Errorf("verdicts %s, want %s", got, tt.verdicts)
			}
			b.expect(tt.results...)
			if !slices.EqualFunc(before, tt.datagrams, bytes.Equal) {
				t.Error("a datagram was changed")
			}
		})
	}
}

// TestChaos has hellos in random order, as browsers send them.
func TestChaos(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		b := newBench(t)
		name := fmt.Sprintf("host%d.a.test", i)
		n := 1 + i%3
		datagrams := chaos(hello(t, name), n, random)
		random.Shuffle(n, func(i, j int) { datagrams[i], datagrams[j] = datagrams[j], datagrams[i] })
		if got, want := b.send(datagrams...), strings.Repeat("U", n-1)+"P"; got != want {
			t.Errorf("verdicts %s, want %s", got, want)
		}
		b.expect(fmt.Sprintf("%s whole %d", name, n))
	}
}

// TestJA4 tells a hello over QUIC from one over TCP.
func TestJA4(t *testing.T) {
	b := newBench(t)
	b.send(quicclient.Datagrams(id, hello(t, "www.a.test"), 1)...)
	if ja4 := b.last.Hello.JA4QUIC(); !strings.HasPrefix(ja4, "q13d") || !strings.Contains(ja4, "h3_") || ja4[1:] != b.last.Hello.JA4()[1:] {
		t.Errorf("JA4 %s", ja4)
	}
}

// TestExpire: a flow whose hello is never whole is judged without it, and what passed
// may go on.
func TestExpire(t *testing.T) {
	b := newBench(t)
	b.lenient = true
	two := quicclient.Datagrams(id, hello(t, "www.a.test"), 2)
	if got := b.send(two[0]); got != "U" {
		t.Fatal(got)
	}
	b.now = b.now.Add(patience - time.Millisecond)
	b.Expire()
	b.expect()
	b.now = b.now.Add(time.Millisecond)
	b.Expire()
	b.expect("- incomplete 1")
	if got := b.send(two[1]); got != "P" {
		t.Errorf("verdict %s afterwards", got)
	}
	b.now = b.now.Add(memory)
	b.Expire()
	if len(b.flows) != 0 || b.octets != 0 || b.decided.Len()+b.waiting.Len() != 0 {
		t.Errorf("%d flows, %d octets are known for good", len(b.flows), b.octets)
	}
	if got := b.send(two...); got != "UP" {
		t.Errorf("verdicts %s of a flow that was forgotten", got)
	}
}

// TestFlood makes more flows than there is room for: memory is bounded, and those that
// are judged are not forgotten for those that never end.
func TestFlood(t *testing.T) {
	b := newBench(t)
	h := hello(t, "www.a.test")
	first := quicclient.Datagram(&quicclient.Packet{Destination: id, Frames: quicclient.Crypto(maxStream-200, h[:200])})
	if got := b.send(quicclient.Datagrams(id, h, 1)...); got != "P" {
		t.Fatal(got)
	}
	for i := range 3 * maxFlows / 2 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), uint16(1000+i>>16))
		b.Datagram(from, origin, first)
		if len(b.flows) > maxFlows || b.octets > maxOctets {
			t.Fatalf("%d flows, %d octets", len(b.flows), b.octets)
		}
	}
	if b.Evicted() == 0 {
		t.Error("nothing was evicted")
	}
	if _, ok := b.flows[tuple{client, origin}]; !ok {
		t.Error("the flow that was judged is forgotten")
	}
	sum := 0
	for _, f := range b.flows {
		sum += f.cost
	}
	if sum != b.octets || len(b.flows) != b.waiting.Len()+b.decided.Len() {
		t.Errorf("%d octets counted, %d held; %d flows, %d and %d in lists", b.octets, sum, len(b.flows), b.waiting.Len(), b.decided.Len())
	}
}
