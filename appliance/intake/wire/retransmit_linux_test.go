package wire

import (
	"encoding/binary"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// Segments of ours look as the client's own, and say what was judged: nothing of
// the held frame's flags, options and urgent pointer.
func TestSegments(t *testing.T) {
	const (
		data4 = "0a005e0000140a005e000011" + "0800" + "4502003912344000" + "4d06" + "0000" + "c0000202c000020a" +
			"c35001bb1122334500000321" + "8038003f" + "0000" + "0001" + "0101080a000003e900000001" + "68656c6c6f"
	)
	for _, tt := range []struct {
		name, frame string
		stamped     bool
	}{
		{"IPv4 with timestamps", data4, true},
		{"IPv6", data6, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := parseFrame(unhex(t, tt.frame))
			if err != nil {
				t.Fatal(err)
			}
			flow := &kernelFlow{}
			out, back := &flow.Sides[toOrigin], &flow.Sides[toClient]
			out.Acked, out.Tsval, back.Tsval = f.ack+7, 5000, 6000
			if tt.stamped {
				out.Stamped, back.Stamped = 1, 1
			}
			g := &passingFlow{template: &heldFrame{frame: f, tagged: true, tci: 77}, seq: 100, flight: []byte("hello"), mss: 2, fin: true}
			if g.end() != 106 {
				t.Errorf("end %d, want 106", g.end())
			}
			for _, last := range []bool{false, true} {
				h := g.segment(flow, 104, []byte("o"), last)
				h.frame.setChecksum(false)
				p := gopacket.NewPacket(h.frame.octets, layers.LayerTypeEthernet, gopacket.Default)
				tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
				if !ok || p.ErrorLayer() != nil {
					t.Fatalf("%v in %x", p.ErrorLayer(), h.frame.octets)
				}
				if tcp.Seq != 104 || tcp.Ack != f.ack+7 || string(tcp.Payload) != "o" || tcp.URG || tcp.Urgent != 0 || !tcp.ACK || tcp.FIN != last || tcp.PSH != last || tcp.Window != f.window {
					t.Errorf("segment %+v", tcp)
				}
				if tt.stamped {
					o := tcp.Options[2]
					if o.OptionType != layers.TCPOptionKindTimestamps || binary.BigEndian.Uint32(o.OptionData) != 5000 || binary.BigEndian.Uint32(o.OptionData[4:]) != 6000 {
						t.Errorf("options %v", tcp.Options)
					}
				} else if len(tcp.Options) > 0 {
					t.Errorf("options %v", tcp.Options)
				}
				if ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok {
					if ip.TTL != 77 || ip.TOS != 2 || fold(wordSum(h.frame.octets[etherHeader:etherHeader+ipv4Header])) != 0xffff {
						t.Errorf("IP header %+v", ip)
					}
				}
				if fold(h.frame.pseudoSum()+wordSum(h.frame.octets[h.frame.tcp:])) != 0xffff {
					t.Error("bad sum")
				}
				if !h.tagged || h.tci != 77 {
					t.Error("without its tag")
				}
			}
			if string(f.payload()) != "hello" {
				t.Errorf("the held frame has changed: %q", f.payload())
			}
		})
	}
}

// What waits for acknowledgements is bounded by number and by octets, and room comes
// back.
func TestPassingsAreBounded(t *testing.T) {
	p := passingFlows{limits: limitsOf(4)}
	key := func(i int) kernelTuple { return kernelTuple{ClientPort: uint16(i), OriginPort: uint16(i >> 16)} }
	const each = 64 << 10
	n := 0
	for ; p.fits(each); n++ {
		p.add(key(n), &passingFlow{flight: make([]byte, each)})
	}
	if n != pendingOctets/4/each || p.octets != pendingOctets/4 {
		t.Errorf("%d flows of %d octets, want %d", n, p.octets, pendingOctets/4/each)
	}
	p.add(key(0), &passingFlow{flight: make([]byte, 1)}) // of the same ends
	if !p.fits(each-1) || p.fits(each) {
		t.Errorf("%d octets with a flow replaced", p.octets)
	}
	for i := range n {
		p.remove(key(i))
		p.remove(key(i))
	}
	if p.octets != 0 || len(p.byTuple) != 0 {
		t.Errorf("%d octets of %d flows are left", p.octets, len(p.byTuple))
	}
	for n = 0; p.fits(0); n++ {
		p.add(key(n), &passingFlow{})
	}
	if n != pendingFlows/4 {
		t.Errorf("%d flows, want %d", n, pendingFlows/4)
	}
}
