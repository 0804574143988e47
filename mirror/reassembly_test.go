package mirror_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/reassembly"
	"pgregory.net/rapid"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// rebuilt is one conversation as gopacket's reassembly reads it, by direction.
type rebuilt struct {
	streams [2][]byte
	skipped [2]int
}

// New implements reassembly.StreamFactory; there is one stream.
func (r *rebuilt) New(_, _ gopacket.Flow, _ *layers.TCP, _ reassembly.AssemblerContext) reassembly.Stream {
	return r
}

// Accept implements reassembly.Stream.
func (r *rebuilt) Accept(*layers.TCP, gopacket.CaptureInfo, reassembly.TCPFlowDirection, reassembly.Sequence, *bool, reassembly.AssemblerContext) bool {
	return true
}

// ReassembledSG implements reassembly.Stream.
func (r *rebuilt) ReassembledSG(sg reassembly.ScatterGather, _ reassembly.AssemblerContext) {
	direction, _, _, skip := sg.Info()
	dir := 0
	if direction != reassembly.TCPDirClientToServer {
		dir = 1
	}
	n, _ := sg.Lengths()
	r.streams[dir] = append(r.streams[dir], sg.Fetch(n)...)
	r.skipped[dir] += max(skip, 0)
}

// ReassemblyComplete implements reassembly.Stream.
func (r *rebuilt) ReassemblyComplete(reassembly.AssemblerContext) bool { return false }

// rebuild reassembles the only conversation in frames.
func rebuild(frames [][]byte) *rebuilt {
	r := &rebuilt{}
	assembler := reassembly.NewAssembler(reassembly.NewStreamPool(r))
	for _, frame := range frames {
		packet := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
		if tcp, ok := packet.TransportLayer().(*layers.TCP); ok {
			assembler.Assemble(packet.NetworkLayer().NetworkFlow(), tcp)
		}
	}
	assembler.FlushAll()
	return r
}

// TestAnyConversationIsReadBack draws MTUs, first sequence numbers near the wrap,
// chunks, gaps and ends. The checker finds nothing but the declared gaps, and
// gopacket's reassembly returns the octets.
func TestAnyConversationIsReadBack(t *testing.T) {
	octets := random(60_000)
	rapid.Check(t, func(t *rapid.T) {
		recorder := &mirrortest.Recorder{}
		recorder.SetMTU(rapid.IntRange(576, 9000).Draw(t, "MTU"))
		shape := shapes[rapid.IntRange(0, len(shapes)-1).Draw(t, "shape")]
		isn := func() uint32 {
			return math.MaxUint32 - uint32(rapid.IntRange(2, 200_000).Draw(t, "octets to the wrap"))
		}
		c := mirror.Open(recorder, shape.flow, mirror.Options{ISN: isn, Mark: mirror.Mark{VLAN: shape.vlan}})
		var sent [2][]byte
		var skipped, pending [2]int // pending: nothing has followed yet
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			dir := rapid.IntRange(0, 1).Draw(t, "direction")
			if rapid.IntRange(0, 5).Draw(t, "gap") == 0 {
				n := rapid.IntRange(1, 100_000).Draw(t, "octets lost")
				c.Skip(mirror.Direction(dir), uint64(n), "lost")
				pending[dir] += n
				continue
			}
			from := rapid.IntRange(0, len(octets)-1).Draw(t, "from")
			p := octets[from : from+rapid.IntRange(1, len(octets)-from).Draw(t, "octets")]
			if rapid.Bool().Draw(t, "much") { // the draws above are small, mostly
				p = octets
			}
			c.Data(mirror.Direction(dir), p)
			sent[dir] = append(sent[dir], p...)
			skipped[dir] += pending[dir]
			pending[dir] = 0
		}
		if rapid.IntRange(0, 3).Draw(t, "reset") == 0 {
			c.Reset(mirror.Direction(rapid.IntRange(0, 1).Draw(t, "by")))
		}
		c.Close()

		frames := recorder.Frames()
		r := mirrortest.Conform(frames)
		lost := skipped[0] + skipped[1]
		all := lost + pending[0] + pending[1]
		broken := r.Broken(conformance.Fail)
		if gap := conformance.Gap.String(); len(broken) > 1 || len(broken) == 1 && broken[0] != gap || slices.Contains(broken, gap) != (r.Missing > 0) {
			t.Fatalf("broken: %v", broken)
		}
		// A single octet lost at the very end may have been a FIN.
		if missing := int(r.Missing); missing < lost || missing > all || all-missing > 2 {
			t.Fatalf("%d octets missing, %d were lost, %d of them at the end", missing, all, all-lost)
		}
		got := rebuild(frames)
		for dir := range sent {
			if !bytes.Equal(got.streams[dir], sent[dir]) {
				t.Fatalf("direction %d: %d octets rebuilt differ from the %d sent", dir, len(got.streams[dir]), len(sent[dir]))
			}
			if got.skipped[dir] < skipped[dir] || got.skipped[dir] > skipped[dir]+pending[dir] {
				t.Fatalf("direction %d: %d octets skipped, want %d or %d", dir, got.skipped[dir], skipped[dir], skipped[dir]+pending[dir])
			}
		}
	})
}
