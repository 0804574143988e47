package mirror_test

import (
	"net/netip"
	"testing"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPortMap(t *testing.T) {
	for _, tt := range []struct {
		name     string
		ports    mirror.PortMap
		port     uint16
		protocol string
		want     uint16
	}{
		{"SMTPS", mirror.ClearPorts, 465, "", 25},
		{"IMAPS", mirror.ClearPorts, 993, "", 143},
		{"POP3S", mirror.ClearPorts, 995, "pop3", 110},
		{"FTPS", mirror.ClearPorts, 990, "", 21},
		{"DoT", mirror.ClearPorts, 853, "dot", 53},
		{"LDAPS", mirror.ClearPorts, 636, "", 389},
		{"XMPP of clients", mirror.ClearPorts, 5223, "", 5222},
		{"XMPP of servers", mirror.ClearPorts, 5270, "", 5222},
		{"MQTT", mirror.ClearPorts, 8883, "", 1883},
		{"MQTT, recognised", mirror.ClearPorts, 8883, "mqtt", 1883},
		{"MQTT elsewhere", mirror.ClearPorts, 443, "mqtt", 1883},
		{"NNTP", mirror.ClearPorts, 563, "", 119},
		{"AMQP", mirror.ClearPorts, 5671, "", 5672},
		{"syslog", mirror.ClearPorts, 6514, "syslog", 601},
		{"IMAP elsewhere", mirror.ClearPorts, 1993, "imap", 143},
		{"SMTP where it is read", mirror.ClearPorts, 587, "smtp", 587},
		{"IMAP on the port of POP3", mirror.ClearPorts, 995, "imap", 143},
		{"HTTP/1.1 on a port of TLS", mirror.ClearPorts, 993, "http/1.1", 993},
		{"HTTP/1.1 on another's port", mirror.ClearPorts, 3306, "http/1.1", 80},
		{"TLS, not opened", mirror.ClearPorts, 993, "tls", 993},
		{"TLS, not opened, elsewhere", mirror.ClearPorts, 8443, "tls", 8443},
		{"TLS, not opened, on the port of HTTP", mirror.ClearPorts, 80, "tls", 443},
		{"a protocol that tshark does not read", mirror.ClearPorts, 993, "made-up", 993},
		{"HTTP/1.1 stays", mirror.ClearPorts, 443, "http/1.1", 443},
		{"HTTP/2", mirror.ClearPorts, 443, "h2", 80},
		{"HTTP/2 elsewhere", mirror.ClearPorts, 8443, "h2", 80},
		{"HTTP/2 where it is read", mirror.ClearPorts, 8080, "h2", 8080},
		{"HTTP/2 without an entry", mirror.MapPorts(map[uint16]uint16{465: 25}), 50051, "h2", 80},
		{"no entry", mirror.MapPorts(map[uint16]uint16{465: 25}), 993, "imap", 993},
		{"an entry outranks HTTP/2", mirror.MapPorts(map[uint16]uint16{443: 8080}), 443, "h2", 8080},
		{"keep HTTP/2", mirror.KeepPorts, 443, "h2", 443},
		{"keep SMTPS", mirror.KeepPorts, 465, "", 465},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.ports(tt.port, tt.protocol); got != tt.want {
				t.Errorf("Map(%d, %q) = %d, want %d", tt.port, tt.protocol, got, tt.want)
			}
		})
	}
}

func TestFlowAsRecordersSeeIt(t *testing.T) {
	client, origin := [6]byte{2, 0, 0x5e, 1, 2, 3}, [6]byte{2, 0, 0x5e, 4, 5, 6}
	addr := netip.MustParseAddrPort
	for _, tt := range []struct {
		name string
		flow mirror.Flow
		opts mirror.Options
		want mirror.Flow // MACs are compared where they are not zero
	}{
		{
			"true MACs and tag", mirror.Flow{Client: addr("192.0.2.1:1"), Origin: addr("192.0.2.2:993"), ClientMAC: client, OriginMAC: origin, VLAN: 7}, mirror.Options{},
			mirror.Flow{Client: addr("192.0.2.1:1"), Origin: addr("192.0.2.2:143"), ClientMAC: client, OriginMAC: origin, VLAN: 7},
		},
		{
			"mark", mirror.Flow{Client: addr("192.0.2.1:1"), Origin: addr("192.0.2.2:443"), OriginMAC: origin, VLAN: 7},
			mirror.Options{Protocol: "h2", Mark: mirror.Mark{VLAN: 9, SourceMAC: client}},
			mirror.Flow{Client: addr("192.0.2.1:1"), Origin: addr("192.0.2.2:80"), ClientMAC: client, OriginMAC: origin, VLAN: 9},
		},
		{
			"ports kept", mirror.Flow{Client: addr("192.0.2.1:1"), Origin: addr("192.0.2.2:465"), VLAN: 4095}, mirror.Options{Ports: mirror.KeepPorts},
			mirror.Flow{Client: addr("192.0.2.1:1"), Origin: addr("192.0.2.2:465")},
		},
		{
			"mapped IPv4", mirror.Flow{Client: addr("[::ffff:192.0.2.1]:1"), Origin: addr("192.0.2.2:2")}, mirror.Options{},
			mirror.Flow{Client: addr("192.0.2.1:1"), Origin: addr("192.0.2.2:2")},
		},
		{
			"two families", mirror.Flow{Client: addr("192.0.2.1:1"), Origin: addr("[2001:db8::2]:2")}, mirror.Options{},
			mirror.Flow{Client: addr("[::ffff:192.0.2.1]:1"), Origin: addr("[2001:db8::2]:2")},
		},
		{
			"zones", mirror.Flow{Client: addr("[fe80::1%eth0]:1"), Origin: addr("[fe80::2%eth0]:2")}, mirror.Options{},
			mirror.Flow{Client: addr("[fe80::1]:1"), Origin: addr("[fe80::2]:2")},
		},
		{
			"no address", mirror.Flow{}, mirror.Options{},
			mirror.Flow{Client: addr("0.0.0.0:0"), Origin: addr("0.0.0.0:0")},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			recorder := &mirrortest.Recorder{}
			c := mirror.Open(recorder, tt.flow, tt.opts)
			given := cmpopts.IgnoreFields(mirror.Flow{}, "ClientMAC", "OriginMAC")
			if diff := cmp.Diff(tt.want, c.Flow(), given, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Errorf("Flow (-want +got):\n%s", diff)
			}
			got := c.Flow()
			if tt.want.ClientMAC != ([6]byte{}) && got.ClientMAC != tt.want.ClientMAC || tt.want.OriginMAC != ([6]byte{}) && got.OriginMAC != tt.want.OriginMAC {
				t.Errorf("MACs %x and %x, want %x and %x", got.ClientMAC, got.OriginMAC, tt.want.ClientMAC, tt.want.OriginMAC)
			}
			answer := got.OriginMAC
			if mark := tt.opts.Mark.SourceMAC; mark != ([6]byte{}) {
				answer = mark
			}
			for i, s := range decode(t, recorder.Frames())[:2] {
				source := got.ClientMAC
				if i == 1 {
					source = answer
				}
				if s.SourceMAC != source || s.VLAN != got.VLAN || (s.Tags == 1) != (got.VLAN != 0) {
					t.Errorf("frame %d: %+v, want source %x", i+1, s.Header, source)
				}
			}
		})
	}
}
