package mirrortest

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/clearspan/clearspan/mirror"
	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

var testFlow = mirror.Flow{
	Client: netip.MustParseAddrPort("192.0.2.1:50000"),
	Origin: netip.MustParseAddrPort("198.51.100.2:8080"),
}

// session returns the frames of a sound conversation: 1 to 3 are the
// handshake, 4 a request of 100 octets, 5 and 6 its answer of 2000, then FIN,
// FIN, ACK.
func session() [][]byte {
	recorder := &Recorder{}
	c := mirror.Open(recorder, testFlow, mirror.Options{ISN: func() uint32 { return 1000 }})
	c.Data(mirror.ClientToOrigin, bytes.Repeat([]byte("q"), 100))
	c.Data(mirror.OriginToClient, bytes.Repeat([]byte("a"), 2000))
	c.Close()
	return recorder.Frames()
}

// rewrite returns frame with its TCP header changed and all sums made good.
func rewrite(t *testing.T, frame []byte, change func(*layers.TCP)) []byte {
	t.Helper()
	packet := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	ip := packet.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	tcp := packet.Layer(layers.LayerTypeTCP).(*layers.TCP)
	change(tcp)
	if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	buffer := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	ethernet := packet.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	if err := gopacket.SerializeLayers(buffer, options, ethernet, ip, tcp, gopacket.Payload(tcp.Payload)); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func TestCheckAcceptsASoundConversation(t *testing.T) {
	frames := session()
	if findings := Check(frames); len(findings) != 0 {
		t.Fatal(findings)
	}
	for i := range frames {
		frames[i] = rewrite(t, frames[i], func(*layers.TCP) {})
	}
	if findings := Check(frames); len(findings) != 0 {
		t.Fatalf("rewritten: %v", findings)
	}
	streams, err := Streams(frames)
	if err != nil || len(streams[0]) != 100 || len(streams[1]) != 2000 {
		t.Errorf("Streams: %d and %d octets, %v", len(streams[0]), len(streams[1]), err)
	}
}

func TestCheckFinds(t *testing.T) {
	type frames = [][]byte
	tcp := func(t *testing.T, f frames, i int, change func(*layers.TCP)) { f[i-1] = rewrite(t, f[i-1], change) }
	drop := func(f frames, i int) frames { return append(f[:i-1:i-1], f[i:]...) }
	for _, tt := range []struct {
		name   string
		want   Kind
		change func(*testing.T, frames) frames
	}{
		{"no frames", BadHandshake, func(*testing.T, frames) frames { return nil }},
		{"half a frame", BadFrame, func(_ *testing.T, f frames) frames { f[3] = f[3][:60]; return f }},
		{"IPv4 checksum", BadSum, func(_ *testing.T, f frames) frames { f[3][14+10] ^= 1; return f }},
		{"TCP checksum", BadSum, func(_ *testing.T, f frames) frames { f[3][len(f[3])-1] ^= 1; return f }},
		{"partial TCP checksum", BadSum, func(_ *testing.T, f frames) frames { f[3][34+16], f[3][34+17] = 0x12, 0x34; return f }},
		{"no SYN", BadHandshake, func(_ *testing.T, f frames) frames { return f[1:] }},
		{"no SYN-ACK", BadHandshake, func(_ *testing.T, f frames) frames { return drop(f, 2) }},
		{"no third ACK", BadHandshake, func(_ *testing.T, f frames) frames { return drop(f, 3) }},
		{"midstream", BadHandshake, func(_ *testing.T, f frames) frames { return f[3:] }},
		{"SYN-ACK of another SYN", BadHandshake, func(t *testing.T, f frames) frames { tcp(t, f, 2, func(h *layers.TCP) { h.Ack++ }); return f }},
		{"SYN without SACK", BadOptions, func(t *testing.T, f frames) frames {
			tcp(t, f, 1, func(h *layers.TCP) { h.Options = append(h.Options[:1], h.Options[2:]...) })
			return f
		}},
		{"data without timestamps", BadOptions, func(t *testing.T, f frames) frames {
			tcp(t, f, 4, func(h *layers.TCP) { h.Options = nil })
			return f
		}},
		{"timestamp backwards", BadTimestamps, func(t *testing.T, f frames) frames {
			tcp(t, f, 4, func(h *layers.TCP) { h.Options[2].OptionData[1]-- })
			return f
		}},
		{"echo backwards", BadTimestamps, func(t *testing.T, f frames) frames {
			tcp(t, f, 4, func(h *layers.TCP) { h.Options[2].OptionData[5]-- })
			return f
		}},
		{"ACK before its data", AckBeforeData, func(_ *testing.T, f frames) frames { f[3], f[4] = f[4], f[3]; return f }},
		{"ACK backwards", BadAck, func(t *testing.T, f frames) frames { tcp(t, f, 6, func(h *layers.TCP) { h.Ack -= 10 }); return f }},
		{"ACK twice", BadAck, func(_ *testing.T, f frames) frames { return append(f[:9:9], f[8]) }},
		{"no ACK flag", BadAck, func(t *testing.T, f frames) frames { tcp(t, f, 5, func(h *layers.TCP) { h.ACK = false }); return f }},
		{"data twice", Retransmission, func(_ *testing.T, f frames) frames {
			return append(f[:4:4], append(frames{f[3]}, f[4:]...)...)
		}},
		{"data overlap", Overlap, func(t *testing.T, f frames) frames { tcp(t, f, 6, func(h *layers.TCP) { h.Seq -= 100 }); return f }},
		{"window overrun", BadWindow, func(t *testing.T, f frames) frames { tcp(t, f, 4, func(h *layers.TCP) { h.Window = 100 }); return f }},
		{"window full", BadWindow, func(t *testing.T, f frames) frames { tcp(t, f, 4, func(h *layers.TCP) { h.Window = 1000 }); return f }},
		{"window a multiple of the MSS", BadWindow, func(t *testing.T, f frames) frames {
			tcp(t, f, 4, func(h *layers.TCP) { h.Window = 1460 * 20 })
			return f
		}},
		{"longer than the announced MSS", OverMTU, func(t *testing.T, f frames) frames {
			tcp(t, f, 2, func(h *layers.TCP) { h.Options[0].OptionData = []byte{4, 0} })
			tcp(t, f, 1, func(h *layers.TCP) { h.Options[0].OptionData = []byte{4, 0} })
			return f
		}},
		{"too short for Ethernet", Runt, func(t *testing.T, f frames) frames {
			tcp(t, f, 9, func(h *layers.TCP) { h.Options = nil })
			f[8] = f[8][:54] // the library has padded it
			return f
		}},
		{"padded", Trailer, func(_ *testing.T, f frames) frames { f[8] = append(f[8], 0, 0); return f }},
		{"no FIN", NoEnd, func(_ *testing.T, f frames) frames { return f[:6] }},
		{"one FIN", NoEnd, func(_ *testing.T, f frames) frames { return f[:7] }},
		{"last ACK missing", NoEnd, func(_ *testing.T, f frames) frames { return f[:8] }},
		{"data after FIN", AfterEnd, func(t *testing.T, f frames) frames {
			tcp(t, f, 4, func(h *layers.TCP) { h.FIN = true })
			tcp(t, f, 7, func(h *layers.TCP) { h.Seq++ })
			return f
		}},
		{"frame after RST", AfterEnd, func(t *testing.T, f frames) frames { tcp(t, f, 7, func(h *layers.TCP) { h.RST = true }); return f }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			findings := Check(tt.change(t, session()))
			for _, finding := range findings {
				if finding.Kind == tt.want {
					return
				}
			}
			t.Errorf("findings %v, want one of kind %q", findings, tt.want)
		})
	}
}

func TestCheckFindsTooMuchUnacknowledged(t *testing.T) {
	recorder := &Recorder{}
	c := mirror.Open(recorder, testFlow, mirror.Options{})
	c.Data(mirror.OriginToClient, make([]byte, 70000))
	c.Close()
	var frames [][]byte
	for i, frame := range recorder.Frames() {
		if s := decodeOne(t, frame); i < 3 || s.Flags != ACK || s.PayloadLen > 0 || s.Source != testFlow.Client {
			frames = append(frames, frame) // all but the ACK on the way
		}
	}
	for _, finding := range Check(frames) {
		if finding.Kind == Unacked {
			return
		}
	}
	t.Error("70000 octets without an ACK found to be sound")
}

func TestReassemblyShowsGaps(t *testing.T) {
	frames := session()
	frames = append(frames[:4:4], frames[5:]...) // the first part of the answer
	a := NewAnalyzer(Options{})
	for _, frame := range frames {
		a.Add(frame)
	}
	conversations, _ := a.Finish()
	c := conversations[0]
	if len(c.Findings) != 0 || c.Octets != [2]uint64{100, 552} {
		t.Errorf("octets %v, findings %v", c.Octets, c.Findings)
	}
	if diff := cmp.Diff([2][]Gap{1: {{0, 1448}}}, c.Gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
}

func TestFindingsAreBounded(t *testing.T) {
	frames := session()
	for range 1000 {
		frames = append(frames, frames[4])
	}
	if n := len(Check(frames)); n != maxFindings+2 { // and one of package conformance: they are duplicates
		t.Errorf("%d findings, want %d", n, maxFindings+2)
	}
}

func decodeOne(t *testing.T, frame []byte) Segment {
	t.Helper()
	var d Decoder
	s, err := d.Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
