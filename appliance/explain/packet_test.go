package explain

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/needs"
)

// ip4Packet is a packet of IPv4.
func ip4Packet(from, to string, protocol byte, payload []byte) []byte {
	h := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, protocol, 0, 0}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
	src, dst := netip.MustParseAddr(from).As4(), netip.MustParseAddr(to).As4()
	return slices.Concat(h, src[:], dst[:], payload)
}

func ip6Packet(from, to string, next byte, payload []byte) []byte {
	h := []byte{0x60, 0, 0, 0, 0, 0, next, 64}
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	src, dst := netip.MustParseAddr(from).As16(), netip.MustParseAddr(to).As16()
	return slices.Concat(h, src[:], dst[:], payload)
}

func udpTo(port uint16, payload []byte) []byte {
	h := []byte{0x50, 1, byte(port >> 8), byte(port), 0, 0, 0, 0}
	binary.BigEndian.PutUint16(h[4:], uint16(8+len(payload)))
	return slices.Concat(h, payload)
}

func etherFrame(kind uint16, payload []byte) []byte {
	return slices.Concat([]byte{10, 0, 0, 0, 0, 2, 10, 0, 0, 0, 0, 1, byte(kind >> 8), byte(kind)}, payload)
}

// outer is a frame between two switches.
func outer(protocol byte, payload []byte) []byte {
	return etherFrame(0x0800, ip4Packet("192.0.2.1", "192.0.2.2", protocol, payload))
}

// synOf is a SYN of port 40000 to 443.
var synOf = slices.Concat([]byte{0x9c, 0x40, 1, 0xbb, 0, 0, 0, 9, 0, 0, 0, 0, 0x50, 2, 0xfa, 0, 0, 0, 0, 0})

var (
	packet4 = ip4Packet("10.1.0.1", "10.2.0.2", 6, synOf)
	packet6 = ip6Packet("2001:db8::1", "2001:db8::2", 6, synOf)
	inside  = etherFrame(0x0800, packet4)
)

// forms are frames that hold one SYN, by link type.
var forms = []struct {
	name  string
	link  uint16
	frame []byte
	deaf  bool // tshark does not look into it with its defaults
}{
	{"Ethernet", 1, inside, false},
	{"802.1Q", 1, etherFrame(0x8100, slices.Concat([]byte{0, 7, 8, 0}, packet4)), false},
	{"QinQ", 1, etherFrame(0x88a8, slices.Concat([]byte{0, 7, 0x81, 0, 0, 9, 8, 0}, packet4)), false},
	{"802.1ah", 1, etherFrame(0x88e7, slices.Concat([]byte{0, 0, 0, 9}, inside)), false},
	{"SNAP", 1, etherFrame(uint16(8+len(packet4)), slices.Concat([]byte("\xaa\xaa\x03\x00\x00\x00\x08\x00"), packet4)), false},
	{"MPLS", 1, etherFrame(0x8847, slices.Concat([]byte{0, 1, 0x10, 64, 0, 2, 0x11, 64}, packet4)), false},
	{"MPLS, a pseudowire", 1, etherFrame(0x8847, slices.Concat([]byte{0, 1, 0x11, 64, 0, 0, 0, 0}, inside)), true},
	{"PPPoE", 1, etherFrame(0x8864, slices.Concat([]byte{0x11, 0, 0, 1, 0, byte(2 + len(packet6)), 0, 0x57}, packet6)), false},
	{"IP in IP", 1, outer(4, packet4), false},
	{"IPv6 in IP", 1, outer(41, packet6), false},
	{"IPv4 in IPv6 with options", 1, etherFrame(0x86dd, ip6Packet("2001:db8::a", "2001:db8::b", 60, slices.Concat([]byte{4, 0, 1, 4, 0, 0, 0, 0}, packet4))), false},
	{"GRE", 1, outer(47, slices.Concat([]byte{0, 0, 8, 0}, packet4)), false},
	{"GRE with key, sum and number", 1, outer(47, slices.Concat([]byte{0xb0, 0, 8, 0}, make([]byte, 12), packet4)), false},
	{"NVGRE", 1, outer(47, slices.Concat([]byte{0x20, 0, 0x65, 0x58, 0, 0, 1, 0}, inside)), false},
	{"PPTP", 1, outer(47, slices.Concat([]byte{0x30, 0x01, 0x88, 0x0b, 0, byte(2 + len(packet4)), 0, 1, 0, 0, 0, 1, 0, 0x21}, packet4)), false},
	{"ERSPAN I", 1, outer(47, slices.Concat([]byte{0, 0, 0x88, 0xbe}, inside)), false},
	{"ERSPAN II", 1, outer(47, slices.Concat([]byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 7, 0, 1, 0, 0, 0, 0}, inside)), false},
	{"ERSPAN III", 1, outer(47, slices.Concat([]byte{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 7, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, inside)), false},
	{"EtherIP", 1, outer(97, slices.Concat([]byte{0x30, 0}, inside)), false},
	{"VXLAN", 1, outer(17, udpTo(4789, slices.Concat([]byte{8, 0, 0, 0, 0, 0, 42, 0}, inside))), false},
	{"VXLAN of Linux", 1, outer(17, udpTo(8472, slices.Concat([]byte{8, 0, 0, 0, 0, 0, 42, 0}, inside))), true},
	{"VXLAN-GPE", 1, outer(17, udpTo(4790, slices.Concat([]byte{0x0c, 0, 0, 1, 0, 0, 42, 0}, packet4))), false},
	{"GENEVE with options", 1, outer(17, udpTo(6081, slices.Concat([]byte{2, 0, 0x65, 0x58, 0, 0, 1, 0, 1, 2, 0x80, 1, 0, 0, 0, 0}, inside))), false},
	{"GTP", 1, outer(17, udpTo(2152, slices.Concat([]byte{0x30, 255, 0, byte(len(packet4)), 0, 0, 0, 1}, packet4))), false},
	{"GTP with an extension", 1, outer(17, udpTo(2152, slices.Concat([]byte{0x34, 255, 0, byte(8 + len(packet4)), 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 0, 0}, packet4))), false},
	{"L2TP", 1, outer(17, udpTo(1701, slices.Concat([]byte{0, 2, 0, 1, 0, 2, 0xff, 3, 0, 0x21}, packet4))), false},
	{"MPLS in UDP", 1, outer(17, udpTo(6635, slices.Concat([]byte{0, 1, 0x11, 64}, packet4))), false},
	{"Teredo", 1, outer(17, udpTo(3544, packet6)), false},
	{"TZSP", 1, outer(17, udpTo(37008, slices.Concat([]byte{1, 0, 0, 1, 1}, inside))), false},
	{"VXLAN in GRE in QinQ", 1, etherFrame(0x88a8, slices.Concat([]byte{0, 7, 0x81, 0, 0, 9, 8, 0}, ip4Packet("192.0.2.1", "192.0.2.2", 47, slices.Concat([]byte{0, 0, 8, 0},
		ip4Packet("192.0.2.3", "192.0.2.4", 17, udpTo(4789, slices.Concat([]byte{8, 0, 0, 0, 0, 0, 42, 0}, inside))))))), false},
	{"NULL", 0, slices.Concat([]byte{2, 0, 0, 0}, packet4), false},
	{"LOOP, IPv6", 108, slices.Concat([]byte{0, 0, 0, 24}, packet6), false},
	{"raw", 101, packet4, false},
	{"raw, IPv6", 101, packet6, false},
	{"raw of OpenBSD", 14, packet4, true},
	{"IPV4", 228, packet4, false},
	{"IPV6", 229, packet6, false},
	{"PPP", 9, slices.Concat([]byte{0xff, 3, 0, 0x21}, packet4), false},
	{"PPP in HDLC", 50, slices.Concat([]byte{0xff, 3, 0, 0x21}, packet4), false},
	{"Cisco HDLC", 104, slices.Concat([]byte{0x0f, 0, 8, 0}, packet4), false},
	{"SLL", 113, slices.Concat([]byte{0, 0, 0, 1, 0, 6, 10, 0, 0, 0, 0, 1, 0, 0, 8, 0}, packet4), false},
	{"SLL with a tag", 113, slices.Concat([]byte{0, 0, 0, 1, 0, 6, 10, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 7, 8, 0}, packet4), false},
	{"SLL2", 276, slices.Concat([]byte{0x86, 0xdd, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 10, 0, 0, 0, 0, 1, 0, 0}, packet6), false},
}

// TestInnermost: the addresses next to TCP count, whatever is around them.
func TestInnermost(t *testing.T) {
	for _, tt := range forms {
		want := "10.1.0.1:40000 > 10.2.0.2:443"
		if bytes.HasSuffix(tt.frame, packet6) {
			want = "[2001:db8::1]:40000 > [2001:db8::2]:443"
		}
		s, ok := innermost(tt.link, tt.frame)
		if got := fmt.Sprintf("%v > %v", s.from, s.to); !ok || got != want || !s.syn || s.sequence != 9 {
			t.Errorf("%s: %v, %s", tt.name, ok, got)
		}
		for n := range tt.frame {
			if _, ok := innermost(tt.link, tt.frame[:n]); ok {
				t.Errorf("%s: found in %d of %d octets", tt.name, n, len(tt.frame))
				break
			}
		}
	}
	if _, ok := innermost(105, inside); ok {
		t.Error("a link type is read that is not known")
	}
	deep := packet4
	for range 100 {
		deep = ip4Packet("10.0.0.1", "10.0.0.2", 4, deep)
	}
	if _, ok := innermost(101, deep); ok {
		t.Error("a hundred tunnels are walked through")
	}
}

// pcapWith is a capture of one frame.
func pcapWith(link uint16, frames ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, byte(link), byte(link>>8), 0, 0)
	for _, f := range frames {
		b = append(b, 0, 0, 0, 1, 0, 0, 0, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f)))
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	return b
}

// TestInnermostAsTshark: tshark finds the same addresses in these frames.
func TestInnermostAsTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		needs.Missing(t, err)
	}
	byLink := make(map[uint16][]int)
	for i, tt := range forms {
		if !tt.deaf {
			byLink[tt.link] = append(byLink[tt.link], i)
		}
	}
	for link, members := range byLink {
		var frames [][]byte
		for _, i := range members {
			frames = append(frames, forms[i].frame)
		}
		file := filepath.Join(t.TempDir(), "frames.pcap")
		if err := os.WriteFile(file, pcapWith(link, frames...), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("tshark", "-r", file, "-d", "udp.port==37008,tzsp", "-T", "fields", "-e", "ip.src", "-e", "ipv6.src", "-e", "tcp.srcport").Output()
		if err != nil {
			t.Fatal(err)
		}
		rows := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		for n, i := range members {
			s, _ := innermost(link, forms[i].frame)
			if n >= len(rows) || !strings.Contains(rows[n], s.from.Addr().String()) || !strings.HasSuffix(rows[n], "40000") {
				t.Errorf("%s: tshark has %q", forms[i].name, rows[min(n, len(rows)-1)])
			}
		}
	}
}

// TestLinkTypes: a link type that cannot be read is an error that names it, never a
// capture without connections.
func TestLinkTypes(t *testing.T) {
	for link, want := range map[uint16]string{105: "IEEE 802.11 (105)", 220: "USB (220)", 65000: "(65000)"} {
		summary, err := Capture(new(strings.Builder), table(t), bytes.NewReader(pcapWith(link, make([]byte, 64), make([]byte, 64))), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "2 frames of 2 not read") || summary.Flows != 0 {
			t.Errorf("link type %d: %+v, %v", link, summary, err)
		}
	}
	for _, link := range []uint16{0, 101, 113, 276} {
		if _, err := Capture(new(strings.Builder), table(t), bytes.NewReader(pcapWith(link, make([]byte, 64))), Options{}); err != nil {
			t.Errorf("link type %d: %v", link, err)
		}
	}
}

func FuzzInnermost(f *testing.F) {
	for _, tt := range forms {
		f.Add(tt.link, tt.frame)
	}
	f.Fuzz(func(t *testing.T, link uint16, frame []byte) {
		if s, ok := innermost(link, frame); ok && (!s.from.IsValid() || !s.to.IsValid() || len(s.payload) > len(frame)) {
			t.Errorf("%+v", s)
		}
	})
}
