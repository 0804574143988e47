package wire_test

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// Copies of what passes are whole frames of at most the MTU with good sums, also
// where the frames that passed were neither.
func TestCopies(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	recorder, err := b.Lab.Namespace("recorder")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Lab.Link(
		netlab.End{Namespace: b.Box, Name: lab.MirrorInterface, Silent: true},
		netlab.End{Namespace: recorder, Name: lab.RecorderInterface, Silent: true}, netlab.LinkOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, ns := range []*netlab.Namespace{b.Client, b.Origin} {
		if err := lab.Tag(b.Lab, ns, "eth0", 77); err != nil {
			t.Fatal(err)
		}
	}
	b.echo("tcp", ":80")
	b.echo("tcp", ":443")
	s := settings{Ports: []policy.PortRange{{First: 443, Last: 443}}, Copy: wire.Copy{To: lab.MirrorInterface, Plain: true, Other: true}}
	p := b.start(s)
	b.await(true)
	c, err := lab.StartCapture(recorder, lab.RecorderInterface, filepath.Join(b.dir, "mirror.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{lab.OriginV4, lab.OriginV6} {
		for _, port := range []string{"80", "443"} {
			if err := b.exchange("tcp", net.JoinHostPort(address, port), random(500_000)); err != nil {
				t.Error(err)
			}
		}
	}
	b.datagram(lab.OriginV4 + ":9999") // refused by the origin, which is enough
	if _, err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conversations, err := lab.Conversations(ctx, c.File)
	if err != nil {
		t.Fatal(err)
	}
	if len(conversations) != 2 {
		t.Errorf("%d conversations, want those to port 80", len(conversations))
	}
	for _, x := range conversations {
		if !strings.HasSuffix(x.Origin, ":80") || x.ClientToOrigin < 500_000 || x.OriginToClient < 500_000 || !x.Closed {
			t.Errorf("conversation %+v", x)
		}
	}
	copied := frames(t, c, "", "tcp.checksum.status", "udp.checksum.status", "ip.checksum.status", "frame.len", "vlan.id", "frame.protocols", "eth.src")
	bad, good, arp, udp := 0, 0, 0, 0
	for _, f := range copied {
		if f.has("tcp.checksum.status", "0") || f.has("udp.checksum.status", "0") || f.has("ip.checksum.status", "0") {
			bad++
		}
		if f.has("tcp.checksum.status", "1") && f.has("ip.checksum.status", "1") {
			good++
		}
		if f.speaks("arp") {
			arp++
		}
		if f.speaks("udp") {
			udp++
		}
		if n, err := strconv.Atoi(f["frame.len"]); err != nil || n > 1518 {
			t.Errorf("frame of %s octets", f["frame.len"])
		}
	}
	if bad > 0 || good < 500 {
		t.Errorf("%d frames with a bad sum, %d with a good one", bad, good)
	}
	if arp == 0 || udp == 0 {
		t.Errorf("%d frames of ARP and %d of UDP among the copies", arp, udp)
	}
	if diff := cmp.Diff([]string{"77"}, distinct(copied, anyFrame, "vlan.id")); diff != "" {
		t.Errorf("tags:\n%s", diff)
	}
	if senders := distinct(copied, anyFrame, "eth.src"); len(senders) != 2 {
		t.Errorf("frames of %v, want those of the ends", senders)
	}

	// They go on without a process.
	p.Signal(syscall.SIGKILL)
	<-p.Done()
	before := b.status().Paths["copied"]
	if err := b.exchange("tcp", lab.OriginV4+":80", []byte("x")); err != nil {
		t.Error(err)
	}
	if b.status().Paths["copied"] == before {
		t.Error("no copies without a process")
	}
	s.Copy = wire.Copy{} // and end when they are not wanted any more
	p = b.start(s)
	if links, err := b.Box.Interfaces(); err != nil || len(links) != 2 {
		t.Errorf("interfaces of the box: %v, %v; want lo and the mirror port", links, err)
	}
	p.stop()
}
