package recorder_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/miekg/dns"

	"github.com/clearspan/clearspan/appliance/recorder/rowstest"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// datagram returns a frame with one.
func datagram(t *testing.T, from, to string, ports [2]layers.UDPPort, payload []byte) rowstest.Frame {
	t.Helper()
	ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.ParseIP(from), DstIP: net.ParseIP(to)}
	udp := &layers.UDP{SrcPort: ports[0], DstPort: ports[1]}
	if err := udp.SetNetworkLayerForChecksum(ip); err != nil {
		t.Fatal(err)
	}
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}, ip, udp, gopacket.Payload(payload))
	if err != nil {
		t.Fatal(err)
	}
	return rowstest.Frame{Octets: b.Bytes(), At: time.Unix(1_800_000_000, 0)}
}

// TestWho: the name that a machine says when it asks for an address belongs to the address
// that it gets, though server and client speak on different sessions.
func TestWho(t *testing.T) {
	message := func(op byte, options string) []byte {
		b := make([]byte, 240)
		copy(b, []byte{op, 1, 6})
		copy(b[28:], "\x02\x00\x00\x00\x00\x07")
		if op == 2 {
			copy(b[16:], "\xc0\x00\x02\x09")
		}
		copy(b[236:], "\x63\x82\x53\x63")
		return append(append(b, options...), 255)
	}
	r := read(t, []rowstest.Frame{
		datagram(t, "0.0.0.0", "255.255.255.255", [2]layers.UDPPort{68, 67}, message(1, "\x35\x01\x03\x0c\x09yamada-pc")),
		datagram(t, "192.0.2.1", "255.255.255.255", [2]layers.UDPPort{67, 68}, message(2, "\x35\x01\x05\x33\x04\x00\x00\x0e\x10")),
	})
	if len(r.Who) != 1 {
		t.Fatalf("%+v", r.Who)
	}
	w := r.Who[0]
	if w.Address.String() != "192.0.2.9" || w.Host != "yamada-pc" || w.MAC != "02:00:00:00:00:07" || w.Source != "dhcp" || w.To.Sub(w.From) != time.Hour {
		t.Errorf("%+v", w)
	}
}

// TestLookupByHTTPS: what DNS over HTTPS says is told like any lookup.
func TestLookupByHTTPS(t *testing.T) {
	m := new(dns.Msg)
	m.SetQuestion("www.example.test.", dns.TypeA)
	m.Response = true
	for i := range 40 { // longer than what tells the type of an object
		rr, err := dns.NewRR(fmt.Sprintf("www.example.test. 60 IN A 192.0.2.%d", i))
		if err != nil {
			t.Fatal(err)
		}
		m.Answer = append(m.Answer, rr)
	}
	body, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	row := rowstest.Row{Name: "doh", Talks: []rowstest.Talk{{Steps: []rowstest.Step{
		{From: proto.ClientToOrigin, Octets: []byte("GET /dns-query?dns=AAAB HTTP/1.1\r\nHost: dns.test\r\n\r\n")},
		{From: proto.OriginToClient, Octets: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: %d\r\n\r\n%s", len(body), body)},
	}}}}
	for _, e := range read(t, rowstest.Render{}.Frames(&row)).Events {
		if e.Kind == trail.Lookup && e.Host == "www.example.test" && strings.HasPrefix(e.Answers, "192.0.2.0 192.0.2.1 ") && e.Protocol == "http" {
			return
		}
	}
	t.Error("the lookup is not told")
}
