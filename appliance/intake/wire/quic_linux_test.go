package wire_test

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/intake"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

func TestQUIC(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		tagged bool
	}{{"untagged", false}, {"VLAN", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if tt.tagged {
				for _, ns := range []*netlab.Namespace{b.Client, b.Origin} {
					if err := lab.Tag(b.Lab, ns, "eth0", 77); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, port := range []string{":443", ":53"} {
				l, err := b.Origin.ListenPacket("udp", port)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				go func() {
					buf := make([]byte, 2000)
					for {
						n, from, err := l.ReadFrom(buf)
						if err != nil {
							return
						}
						l.WriteTo(buf[:n], from)
					}
				}()
			}
			p := b.start(settings{QUIC: intake.BlockQUIC})
			b.await(true)
			r := b.record()
			for _, address := range []string{lab.OriginV4, lab.OriginV6} {
				for _, offload := range []bool{true, false} {
					if err := b.Client.SetOffload("eth0", offload, netlab.TXChecksum); err != nil {
						t.Fatal(err)
					}
					if err := b.datagram(net.JoinHostPort(address, "443")); !errors.Is(err, syscall.ECONNREFUSED) {
						t.Errorf("QUIC to %s: %v, want refused", address, err)
					}
				}
				if err := b.datagram(net.JoinHostPort(address, "53")); err != nil {
					t.Errorf("DNS to %s: %v", address, err)
				}
			}
			// A second opinion on the answers. The sum of a frame that was left to
			// the device is not in the capture; every other one is.
			client, origin := r.stop("icmp.type == 3 || icmpv6.type == 1", "eth.src", "eth.dst", "vlan.id", "ip.src", "ipv6.src")
			for _, row := range client {
				if !strings.HasPrefix(row, "0a:00:5e:00:00:14 0a:00:5e:00:00:11") || strings.Contains(row, " 77 ") != tt.tagged {
					t.Errorf("refusal %q", row)
				}
			}
			if len(client) != 2 || len(origin) != 0 {
				t.Errorf("refusals at the client %q, at the origin %q", client, origin)
			}
			if bad := r.rows(r.client, "(icmp.type == 3 && icmp.checksum.status == \"Bad\") || (icmpv6.type == 1 && icmpv6.checksum.status == \"Bad\") || (icmp && ip.checksum.status == \"Bad\") || (icmp && _ws.malformed)", "frame.number", "frame.protocols"); len(bad) > 0 {
				t.Errorf("bad sums: %v", bad)
			}
			p.stop()
			if err := b.datagram(lab.OriginV4 + ":443"); err != nil {
				t.Errorf("QUIC while nobody takes connections: %v", err)
			}
		})
	}
}

// datagram sends one of 1200 octets to an echo.
func (b *bench) datagram(address string) error {
	conn, err := b.Client.Dial("udp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write(random(1200)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 2000))
	return err
}
