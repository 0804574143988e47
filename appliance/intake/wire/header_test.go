package wire

import (
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// Frames with TCP in them, in hexadecimal.
const (
	syn4 = "0a005e0000140a005e000011" + "0800" + "4500003c123440004006" + "0000" + "c0000202c000020a" +
		"c35001bb1122334400000000a002fa50" + "0000" + "0000" + "020405b40402080a9038" + "4f4c000000000103030a"
	data6 = "0a005e0000140a005e000011" + "86dd" + "6000000000190640" + "20010db8000200000000000000000002" + "20010db8000200000000000000000010" +
		"c35001bb11223345aabbccdd5018003f" + "0000" + "0000" + "68656c6c6f"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseFrame(t *testing.T) {
	f, err := parseFrame(append(unhex(t, data6), 0, 0, 0)) // padded
	if err != nil {
		t.Fatal(err)
	}
	if string(f.payload()) != "hello" || f.seq != 0x11223345 || f.ack != 0xaabbccdd || f.window != 63 || f.flags != 0x18 || !f.v6 {
		t.Errorf("read %+v, payload %q", f, f.payload())
	}
	for _, tt := range []struct {
		name   string
		change func(b []byte) []byte
	}{
		{"empty", func(b []byte) []byte { return nil }},
		{"cut", func(b []byte) []byte { return b[:len(b)-1] }},
		{"ARP", func(b []byte) []byte { b[13] = 6; return b }},
		{"options of IP", func(b []byte) []byte { b[14] = 0x46; return b }},
		{"UDP", func(b []byte) []byte { b[23] = 17; return b }},
		{"header beyond the end", func(b []byte) []byte { b[46] = 0xf0; return b }},
		{"header too short", func(b []byte) []byte { b[46] = 0x40; return b }},
		{"length less than headers", func(b []byte) []byte { b[17] = 39; return b }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parseFrame(unhex(t, syn4)); err != nil {
				t.Fatal(err)
			}
			if f, err := parseFrame(tt.change(unhex(t, syn4))); err == nil {
				t.Errorf("read as %+v", f)
			}
		})
	}
}

// A second opinion on checksums.
func TestFinish(t *testing.T) {
	for _, tt := range []struct{ name, octets string }{{"IPv4", syn4}, {"IPv6", data6}} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := parseFrame(unhex(t, tt.octets))
			if err != nil {
				t.Fatal(err)
			}
			f.setChecksum(false)
			got := binary.BigEndian.Uint16(f.octets[f.tcp+16:])
			p := gopacket.NewPacket(f.octets, layers.LayerTypeEthernet, gopacket.Default)
			tcp := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
			if err := tcp.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
				t.Fatal(err)
			}
			out := gopacket.NewSerializeBuffer()
			if err := gopacket.SerializeLayers(out, gopacket.SerializeOptions{ComputeChecksums: true}, tcp, gopacket.Payload(tcp.Payload)); err != nil {
				t.Fatal(err)
			}
			if want := binary.BigEndian.Uint16(out.Bytes()[16:]); got != want {
				t.Errorf("checksum %#x, want %#x", got, want)
			}
			// What a device adds to the partial sum gives the whole one.
			f.setChecksum(true)
			partial := uint32(0)
			partial = wordSum(f.octets[f.tcp:f.end]) + partial
			if whole := ^fold(partial); whole != got {
				t.Errorf("partial checksum completes to %#x, want %#x", whole, got)
			}
		})
	}
}

func TestReadOptions(t *testing.T) {
	for _, tt := range []struct {
		name, octets string
		want         options
	}{
		{"none", "", options{}},
		{"usual", "020405b40402080a90384f4c000000000103030a", options{mss: 1460, sack: true, timestamp: true, tsval: 0x90384f4c, hasScale: true, scale: 10}},
		{"ends early", "0101000204", options{}},
		{"scale beyond the limit", "03030f", options{hasScale: true, scale: 14}},
		{"SACK blocks", "0101050a0000000100000002", options{}},
		{"Fast Open", "2202", options{}},
		{"TCP-MD5", "1312" + "00112233445566778899aabbccddeeff", options{unsupported: true}},
		{"Multipath TCP", "1e0c00810000000000000000", options{unsupported: true}},
		{"length beyond the end", "0204", options{unsupported: true}},
		{"length zero", "0800", options{unsupported: true}},
		{"length missing", "08", options{unsupported: true}},
		{"wrong length for its kind", "0203ff", options{unsupported: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := readOptions(unhex(t, tt.octets))
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(options{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzParseFrame(f *testing.F) {
	f.Add(unhex(f, syn4))
	f.Add(unhex(f, data6))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		f, err := parseFrame(b)
		if err != nil {
			return
		}
		f.timestamp()
		n := len(f.payload())
		f.setChecksum(false)
		again, err := parseFrame(f.octets)
		if err != nil || len(again.payload()) != n {
			t.Errorf("reads differently with its checksum complete: %v", err)
		}
		if sum := fold(f.pseudoSum() + wordSum(f.octets[f.tcp:f.end])); sum != 0xffff {
			t.Errorf("checksum does not verify: %#x", sum)
		}
	})
}

func FuzzReadOptions(f *testing.F) {
	f.Add(unhex(f, "020405b40402080a90384f4c000000000103030a"))
	f.Add(unhex(f, "1e0c0081000000000000000001010101"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := readOptions(b); o.scale > 14 {
			t.Errorf("scale %d", o.scale)
		}
	})
}
