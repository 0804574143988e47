package conformance_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

var (
	flow4 = mirror.Flow{Client: netip.MustParseAddrPort("192.0.2.1:50000"), Origin: netip.MustParseAddrPort("198.51.100.2:8080")}
	flow6 = mirror.Flow{Client: netip.MustParseAddrPort("[2001:db8::1]:50000"), Origin: netip.MustParseAddrPort("[2001:db8:1::2]:8080")}
)

// capture is a list of frames under construction; times are 1 ms apart.
type capture struct {
	frames [][]byte
	wire   map[int]int           // by index: octets on the wire, where more than captured
	late   map[int]time.Duration // by index: added to the time
}

// word is one thing that a side says.
type word struct {
	dir  mirror.Direction
	text string
}

const (
	toOrigin = mirror.ClientToOrigin
	toClient = mirror.OriginToClient
)

// talk returns the frames of a sound conversation in which words are said.
func talk(flow mirror.Flow, opts mirror.Options, mtu int, words ...word) capture {
	recorder := &mirrortest.Recorder{}
	recorder.SetMTU(mtu)
	c := mirror.Open(recorder, flow, opts)
	for _, w := range words {
		c.Data(w.dir, []byte(w.text))
	}
	c.Close()
	return capture{frames: recorder.Frames()}
}

// session is a sound conversation: frames 0 to 2 are the handshake, 3 a request
// of 100 octets, 4 (1448) and 5 (552 octets; 1428 and 572 by IPv6) its answer,
// 6 the client's FIN, 7 the origin's, 8 the last ACK.
func session(flow mirror.Flow) capture {
	return talk(flow, mirror.Options{}, 1500, word{toOrigin, string(bytes.Repeat([]byte("q"), 100))}, word{toClient, string(bytes.Repeat([]byte("a"), 2000))})
}

// Offsets in frames without a tag.
const (
	ip     = 14
	tcp4   = ip + 20
	tcp6   = ip + 40
	opts4  = tcp4 + 20
	data4  = tcp4 + 32
	seqAt  = tcp4 + 4
	ackAt  = tcp4 + 8
	winAt  = tcp4 + 14
	tsval  = opts4 + 4 // behind NOP, NOP, kind, length
	idAt   = ip + 4
	fragAt = ip + 6
)

// edit changes frame i of c, which is IPv4, and makes its sums good.
func (c *capture) edit(i int, change func(f []byte)) {
	c.frames[i] = bytes.Clone(c.frames[i])
	change(c.frames[i])
	fix(c.frames[i])
}

// insert puts a changed copy of frame i in front of frame before.
func (c *capture) insert(before, i int, change func(f []byte)) {
	f := bytes.Clone(c.frames[i])
	change(f)
	fix(f)
	c.frames = slices.Insert(c.frames, before, f)
}

func (c *capture) drop(from, to int) { c.frames = slices.Delete(c.frames, from, to) }

func (c *capture) swap(i, j int) { c.frames[i], c.frames[j] = c.frames[j], c.frames[i] }

func put16(f []byte, at int, v uint16) { binary.BigEndian.PutUint16(f[at:], v) }

func get16(f []byte, at int) uint16 { return binary.BigEndian.Uint16(f[at:]) }

func add32(f []byte, at int, n int) {
	binary.BigEndian.PutUint32(f[at:], uint32(int64(binary.BigEndian.Uint32(f[at:]))+int64(n)))
}

// fix makes the sums of an IPv4 frame good, octet by octet.
func fix(f []byte) {
	put16(f, ip+10, 0)
	put16(f, ip+10, ^slowSum(f[ip:tcp4]))
	end := ip + int(get16(f, ip+2))
	put16(f, tcp4+16, 0)
	pseudo := slices.Concat(f[ip+12:ip+20], []byte{0, 6}, binary.BigEndian.AppendUint16(nil, uint16(end-tcp4)))
	put16(f, tcp4+16, ^slowSum(append(pseudo, f[tcp4:end]...)))
}

func slowSum(p []byte) uint16 {
	sum := uint32(0)
	for i, octet := range p {
		sum += uint32(octet) << (8 * (1 - i%2))
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// judge returns the report on captures, one after the other.
func judge(options conformance.Options, captures ...capture) *conformance.Report {
	c := conformance.New(options)
	at := start
	for _, capture := range captures {
		for i, f := range capture.frames {
			at = at.Add(time.Millisecond)
			c.Add(f, capture.wire[i], at.Add(capture.late[i]))
		}
	}
	return c.Report()
}

// broken returns the rules that are broken, notes included, in their order.
func broken(r *conformance.Report) (rules []string) {
	for _, result := range r.Results {
		if result.Status == conformance.Fail || result.Status == conformance.Noted {
			rules = append(rules, result.Rule)
		}
	}
	return rules
}

// breaks fails the test unless r says that exactly the rules are broken.
func breaks(t *testing.T, r *conformance.Report, rules ...conformance.Rule) {
	t.Helper()
	var want []string
	for _, rule := range rules {
		want = append(want, rule.String())
	}
	if diff := cmp.Diff(want, broken(r)); diff != "" {
		var b bytes.Buffer
		r.WriteText(&b)
		t.Fatalf("broken (-want +got):\n%s\n%s", diff, b.String())
	}
}

func onPort(f mirror.Flow, client uint16) mirror.Flow {
	f.Client = netip.AddrPortFrom(f.Client.Addr(), client)
	return f
}

func toPort(f mirror.Flow, origin uint16) mirror.Flow {
	f.Origin = netip.AddrPortFrom(f.Origin.Addr(), origin)
	return f
}
