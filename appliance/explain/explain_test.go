package explain

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/clearspan/clearspan/decrypt/policy"
)

var (
	client = netip.MustParseAddrPort("10.0.0.5:40000")
	origin = netip.MustParseAddrPort("192.0.2.1:443")
	start  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

// script is a capture in the making.
type script struct {
	t      testing.TB
	frames [][]byte
}

// frame adds a frame from one end to the other; flags are letters of S, A, F, R.
func (s *script) frame(from, to netip.AddrPort, seq uint32, flags string, payload []byte) {
	s.t.Helper()
	tcp := &layers.TCP{
		SrcPort: layers.TCPPort(from.Port()), DstPort: layers.TCPPort(to.Port()), Seq: seq, Window: 1000,
		SYN: strings.Contains(flags, "S"), ACK: strings.Contains(flags, "A"), FIN: strings.Contains(flags, "F"), RST: strings.Contains(flags, "R"),
	}
	ethernet := &layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: make(net.HardwareAddr, 6), EthernetType: layers.EthernetTypeIPv4}
	var network gopacket.SerializableLayer
	if from.Addr().Is4() {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
		tcp.SetNetworkLayerForChecksum(ip)
		network = ip
	} else {
		ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
		tcp.SetNetworkLayerForChecksum(ip)
		ethernet.EthernetType, network = layers.EthernetTypeIPv6, ip
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ethernet, network, tcp, gopacket.Payload(payload)); err != nil {
		s.t.Fatal(err)
	}
	s.frames = append(s.frames, slices.Clone(b.Bytes()))
}

// open adds a TCP handshake.
func (s *script) open(from, to netip.AddrPort, isn uint32) {
	s.frame(from, to, isn, "S", nil)
	s.frame(to, from, 7000, "SA", nil)
	s.frame(from, to, isn+1, "A", nil)
}

func (s *script) bytes(ng bool) []byte {
	var b bytes.Buffer
	info := func(f []byte) gopacket.CaptureInfo {
		return gopacket.CaptureInfo{Timestamp: start, CaptureLength: len(f), Length: len(f)}
	}
	if ng {
		w, err := pcapgo.NewNgWriter(&b, layers.LinkTypeEthernet)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, f := range s.frames {
			if err := w.WritePacket(info(f), f); err != nil {
				s.t.Fatal(err)
			}
		}
		w.Flush()
		return b.Bytes()
	}
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(1<<16, layers.LinkTypeEthernet); err != nil {
		s.t.Fatal(err)
	}
	for _, f := range s.frames {
		if err := w.WritePacket(info(f), f); err != nil {
			s.t.Fatal(err)
		}
	}
	return b.Bytes()
}

// hello is the ClientHello of crypto/tls for a name.
func hello(t testing.TB, name string) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer far.Close()
	go func() {
		tls.Client(near, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
		near.Close()
	}()
	b := make([]byte, 1<<14)
	n, err := far.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func table(t testing.TB) *policy.Table {
	t.Helper()
	table, err := policy.New([]policy.Rule{
		{Name: "banks", Host: []string{"*.bank.test"}, Action: policy.Tunnel},
		{Name: "checked", Host: []string{"checked.test"}, Port: []policy.PortRange{{First: 443, Last: 443}}, Action: policy.TunnelCheck},
		{Name: "evil", Host: []string{"evil.test"}, Action: policy.Terminate},
		{Name: "clearing", Port: []policy.PortRange{{First: 8443, Last: 8443}}, Issuer: []string{"ca"}, Action: policy.Tunnel},
	}, policy.Bump)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestCapture(t *testing.T) {
	s := &script{t: t}
	at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(client.Addr(), port) }
	// One segment.
	s.open(at(1001), origin, 100)
	s.frame(at(1001), origin, 101, "A", hello(t, "www.bank.test"))
	// In pieces, the last one first and one twice, over the wrap of the sequence.
	h := hello(t, "www.example.test")
	isn := uint32(0xffffffff - 50)
	s.open(at(1002), origin, isn)
	for _, cut := range [][2]int{{200, len(h)}, {0, 100}, {0, 100}, {50, 200}} {
		s.frame(at(1002), origin, isn+1+uint32(cut[0]), "A", h[cut[0]:cut[1]])
	}
	// IPv6, without a beginning, client by port.
	s.frame(netip.MustParseAddrPort("[2001:db8::5]:1003"), netip.MustParseAddrPort("[2001:db8::1]:443"), 5, "A", hello(t, "checked.test"))
	// Terminated, then the ports again.
	s.open(at(1004), origin, 1)
	s.frame(at(1004), origin, 2, "A", hello(t, "evil.test"))
	s.open(at(1004), origin, 50_000)
	s.frame(at(1004), origin, 50_001, "A", hello(t, ""))
	// Asks for the certificate.
	s.open(at(1005), netip.AddrPortFrom(origin.Addr(), 8443), 1)
	s.frame(at(1005), netip.AddrPortFrom(origin.Addr(), 8443), 2, "A", hello(t, "a.test"))
	// Plain, silent, cut off.
	s.open(at(1006), netip.AddrPortFrom(origin.Addr(), 80), 1)
	s.frame(at(1006), netip.AddrPortFrom(origin.Addr(), 80), 2, "A", []byte("GET / HTTP/1.1\r\nHost: www.bank.test\r\n\r\n"))
	s.open(at(1007), origin, 1)
	s.frame(at(1007), origin, 2, "F", nil)
	s.open(at(1008), origin, 1)
	s.frame(at(1008), origin, 2, "A", h[:60])
	const want = `1  10.0.0.5:1001 > 192.0.2.1:443  tls www.bank.test  tunneled: rule banks, server name www.bank.test
5  10.0.0.5:1002 > 192.0.2.1:443  tls www.example.test  decrypted: rule default, 4 passed over
12  [2001:db8::5]:1003 > [2001:db8::1]:443  tls checked.test  tunneled if the name belongs to the origin: rule checked, server name checked.test; port 443
13  10.0.0.5:1004 > 192.0.2.1:443  tls evil.test  terminated: rule evil, server name evil.test
17  10.0.0.5:1004 > 192.0.2.1:443  tls  decrypted: rule default, 4 passed over; events no-sni
21  10.0.0.5:1005 > 192.0.2.1:8443  tls a.test  decrypted: rule default, 4 passed over; unless rule clearing matches the origin's certificate
25  10.0.0.5:1006 > 192.0.2.1:80  http www.bank.test  tunneled: rule banks, host www.bank.test
33  10.0.0.5:1008 > 192.0.2.1:443  tls  undecided: the hello is not whole
36 frames, 9 connections; in 1 the client sent nothing
        3 decrypted
        2 tunneled
        1 terminated
        1 tunneled if the name belongs to the origin
        1 undecided
        3 by rule default
        2 by rule banks
        1 by rule checked
        1 by rule evil
`
	for name, ng := range map[string]bool{"pcap": false, "pcapng": true} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			summary, err := Capture(&out, table(t), bytes.NewReader(s.bytes(ng)), Options{})
			if err != nil {
				t.Fatal(err)
			}
			summary.WriteText(&out)
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(out.String(), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCaptureRules(t *testing.T) {
	s := &script{t: t}
	s.open(client, origin, 1)
	s.frame(client, origin, 2, "A", hello(t, "evil.test"))
	var out strings.Builder
	if _, err := Capture(&out, table(t), bytes.NewReader(s.bytes(false)), Options{Rules: true}); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"    banks: server name evil.test not among the rule's hosts\n", "    evil: matches, terminate\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in:\n%s", line, out.String())
		}
	}
}

func TestBadCaptures(t *testing.T) {
	s := &script{t: t}
	s.open(client, origin, 1)
	whole := s.bytes(false)
	for name, data := range map[string][]byte{"empty": nil, "no capture": []byte("not a capture at all"), "cut": whole[:len(whole)-5]} {
		if _, err := Capture(new(strings.Builder), table(t), bytes.NewReader(data), Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A client that never comes to the point is not kept without end.
func TestBounds(t *testing.T) {
	s := &script{t: t}
	s.open(client, origin, 1)
	first := append([]byte{22, 3, 1, 0x40, 0}, make([]byte, 1000)...)
	s.frame(client, origin, 2, "A", first)
	at := uint32(2 + len(first))
	for range 2000 {
		s.frame(client, origin, at+5000, "A", make([]byte, 1000)) // a gap that stays
		at += 1000
	}
	tells := 0
	if _, err := read(bytes.NewReader(s.bytes(false)), func(f *flow, last bool) bool {
		tells++
		if len(f.flight) > maxFlight || len(f.pieces) > maxPieces {
			t.Errorf("%d octets and %d pieces kept", len(f.flight), len(f.pieces))
		}
		return false
	}); err != nil || tells != 2 {
		t.Errorf("told %d times, %v", tells, err)
	}
	fs := &flows{tell: func(*flow, bool) bool { return false }, table: make(map[ends]*flow)}
	for i := range maxFlows + 1000 {
		f := &flow{client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1), origin: origin}
		fs.add(endsOf(f.client, f.origin), f)
	}
	if len(fs.table) != maxFlows || len(fs.order) != maxFlows {
		t.Errorf("%d connections followed", len(fs.table))
	}
}

func TestSession(t *testing.T) {
	monitor := table(t).Monitor()
	for _, row := range []struct {
		name  string
		table *policy.Table
		facts policy.Facts
		want  string // the last line
	}{
		{"rule", table(t), policy.Facts{SNI: "a.bank.test"}, "rule banks: tunnel"},
		{"default", table(t), policy.Facts{SNI: "a.test"}, "rule default: bump"},
		{"pending", table(t), policy.Facts{TLS: true, Origin: netip.MustParseAddrPort("192.0.2.1:8443")},
			"rule default: bump; unless another rule matches the origin's certificate"},
		{"monitor", monitor, policy.Facts{SNI: "evil.test", TLS: true}, "rule evil: terminate; mode monitor: tunnel instead"},
	} {
		var out strings.Builder
		answer := Session(row.table, &row.facts, Lessons{})
		if err := answer.WriteText(&out); err != nil {
			t.Error(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if got := lines[len(lines)-1]; got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

// Nothing that a file holds ends in a panic or without end.
func FuzzCapture(f *testing.F) {
	s := &script{t: f}
	s.open(client, origin, 1)
	s.frame(client, origin, 2, "A", hello(f, "www.bank.test"))
	f.Add(s.bytes(false))
	f.Add(s.bytes(true))
	f.Fuzz(func(t *testing.T, data []byte) {
		Capture(new(strings.Builder), table(t), bytes.NewReader(data), Options{Rules: true})
	})
}
