package dhcp

import (
	"net"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// packed returns a message as gopacket writes it.
func packed(t testing.TB, op layers.DHCPOp, kind layers.DHCPMsgType) []byte {
	m := layers.DHCPv4{Operation: op, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6, ClientHWAddr: net.HardwareAddr{2, 0, 0, 0, 0, 7}, Options: layers.DHCPOptions{
		layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(kind)}), layers.NewDHCPOption(layers.DHCPOptHostname, []byte("yamada-pc")), layers.NewDHCPOption(layers.DHCPOptLeaseTime, []byte{0, 0, 14, 16}),
	}}
	if op == layers.DHCPOpReply {
		m.YourClientIP = net.IPv4(192, 0, 2, 9)
	} else {
		m.Options = append(m.Options, layers.NewDHCPOption(layers.DHCPOptRequestIP, []byte{192, 0, 2, 8}))
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{}, &m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParse(t *testing.T) {
	mac := [6]byte{2, 0, 0, 0, 0, 7}
	for _, tt := range []struct {
		message []byte
		want    Message
	}{
		{packed(t, layers.DHCPOpReply, layers.DHCPMsgTypeAck), Message{Grant, mac, netip.MustParseAddr("192.0.2.9"), "yamada-pc", 3600}},
		{packed(t, layers.DHCPOpRequest, layers.DHCPMsgTypeRequest), Message{Request, mac, netip.MustParseAddr("192.0.2.8"), "yamada-pc", 3600}},
	} {
		if m, ok := Parse(tt.message); !ok || m != tt.want {
			t.Errorf("%+v, want %+v", m, tt.want)
		}
	}
	if _, ok := Parse(make([]byte, 300)); ok {
		t.Error("zeros are a message")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(packed(f, layers.DHCPOpReply, layers.DHCPMsgTypeAck))
	f.Fuzz(func(_ *testing.T, b []byte) { Parse(b) })
}
