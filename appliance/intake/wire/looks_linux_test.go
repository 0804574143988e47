package wire_test

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/tempo"
)

// recorders capture at both ends.
type recorders struct {
	t              testing.TB
	client, origin *lab.Capture
}

func (b *bench) record() *recorders {
	b.t.Helper()
	r := &recorders{t: b.t}
	for _, one := range []struct {
		ns   *netlab.Namespace
		name string
		to   **lab.Capture
	}{{b.Client, "client", &r.client}, {b.Origin, "origin", &r.origin}} {
		var err error
		if *one.to, err = lab.StartCapture(one.ns, "eth0", filepath.Join(b.dir, one.name+".pcap")); err != nil {
			b.t.Fatal(err)
		}
	}
	return r
}

// end ends both captures.
func (r *recorders) end() {
	r.t.Helper()
	for _, c := range []*lab.Capture{r.client, r.origin} {
		if _, err := c.Stop(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// stop returns the different values of fields over all frames that match, for
// each of the two ends.
func (r *recorders) stop(filter string, fields ...string) (client, origin []string) {
	r.t.Helper()
	r.end()
	return r.rows(r.client, filter, fields...), r.rows(r.origin, filter, fields...)
}

func (r *recorders) rows(c *lab.Capture, filter string, fields ...string) []string {
	r.t.Helper()
	return distinct(frames(r.t, c, filter, fields...), anyFrame, fields...)
}

// frame is what tshark says of one, by field. Several values have commas between.
type frame map[string]string

// has reports whether a field has a value, or one of several.
func (f frame) has(field, value string) bool {
	return slices.Contains(strings.Split(f[field], ","), value)
}

// speaks reports whether a protocol is among frame.protocols.
func (f frame) speaks(protocol string) bool {
	return slices.Contains(strings.Split(f["frame.protocols"], ":"), protocol)
}

func anyFrame(frame) bool { return true }

// frames has tshark, which takes its time to start, read fields of a capture.
func frames(t testing.TB, c *lab.Capture, filter string, fields ...string) (all []frame) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	rows, err := lab.Fields(ctx, c.File, filter, fields...)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		f := make(frame)
		for i, field := range fields {
			f[field] = row[i]
		}
		all = append(all, f)
	}
	return all
}

// distinct returns the different values of fields over frames.
func distinct(frames []frame, which func(frame) bool, fields ...string) (all []string) {
	for _, f := range frames {
		if !which(f) {
			continue
		}
		var row []string
		for _, field := range fields {
			row = append(row, f[field])
		}
		all = append(all, strings.Join(row, " "))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Both ends see each other: MACs, addresses, TTL, and the client's port.
func TestLooks(t *testing.T) {
	t.Parallel()
	for _, takeover := range []wire.Takeover{wire.Accept, wire.Late} {
		t.Run(string(takeover), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if err := b.Client.Sysctl("net.ipv4.ip_default_ttl", "77"); err != nil {
				t.Fatal(err)
			}
			if err := b.Client.Sysctl("net.ipv6.conf.eth0.hop_limit", "77"); err != nil {
				t.Fatal(err)
			}
			b.echo("tcp", ":443")
			p := b.start(settings{Takeover: takeover})
			b.await(true)
			r := b.record()
			for _, address := range []string{lab.OriginV4, lab.OriginV6} {
				if err := b.exchange("tcp", net.JoinHostPort(address, "443"), random(100_000)); err != nil {
					t.Error(err)
				}
			}
			r.end()
			fields := []string{"eth.src", "eth.dst", "ip.src", "ipv6.src", "ip.ttl", "ipv6.hlim", "tcp.dstport"}
			handshake := []string{"tcp.flags", "tcp.seq_raw", "tcp.options"}
			every := slices.Concat(fields, handshake, []string{"tcp.srcport", "tcp.flags.syn", "frame.protocols"})
			client, origin := frames(t, r.client, "", every...), frames(t, r.origin, "", every...)
			toOrigin := func(f frame) bool { return f["tcp.dstport"] == "443" }
			toClient := func(f frame) bool { return f["tcp.srcport"] == "443" }
			want := []string{
				"0a:00:5e:00:00:11 0a:00:5e:00:00:14  2001:db8:2::2  77 443",
				"0a:00:5e:00:00:11 0a:00:5e:00:00:14 192.0.2.2  77  443",
			}
			if diff := cmp.Diff(want, distinct(client, toOrigin, fields...)); diff != "" {
				t.Errorf("frames of the client where it is:\n%s", diff)
			}
			if diff := cmp.Diff(want, distinct(origin, toOrigin, fields...)); diff != "" {
				t.Errorf("frames of the client at the origin:\n%s", diff)
			}
			// In accept mode SYN-ACK comes before the origin has said anything: its
			// TTL is the usual one, which here it is anyway.
			want = []string{
				"0a:00:5e:00:00:14 0a:00:5e:00:00:11  2001:db8:2::10  64",
				"0a:00:5e:00:00:14 0a:00:5e:00:00:11 192.0.2.10  64 ",
			}
			if diff := cmp.Diff(want, distinct(client, toClient, fields[:6]...)); diff != "" {
				t.Errorf("frames of the origin at the client:\n%s", diff)
			}
			ports := distinct(client, toOrigin, "tcp.srcport")
			if diff := cmp.Diff(ports, distinct(origin, toOrigin, "tcp.srcport")); diff != "" {
				t.Errorf("client's ports at the origin:\n%s", diff)
			}
			other := func(f frame) bool { return !f.speaks("tcp") && !f.speaks("arp") && !f.speaks("icmpv6") }
			if others := distinct(origin, other, "frame.protocols"); len(others) > 0 {
				t.Errorf("other frames at the origin: %v", others)
			}
			// Only what the ends themselves sent, of any protocol.
			for _, all := range [][]frame{client, origin} {
				if diff := cmp.Diff([]string{"0a:00:5e:00:00:11", "0a:00:5e:00:00:14"}, distinct(all, anyFrame, "eth.src")); diff != "" {
					t.Errorf("senders: %s", diff)
				}
			}
			p.expect(2)
			if takeover == wire.Late {
				synchronizes := func(f frame) bool { return f["tcp.flags.syn"] == "1" || f["tcp.flags.syn"] == "True" }
				syn := distinct(client, synchronizes, handshake...)
				if diff := cmp.Diff(syn, distinct(origin, synchronizes, handshake...)); diff != "" {
					t.Errorf("handshake at client and origin:\n%s", diff)
				}
				if len(syn) != 4 {
					t.Errorf("%d different frames of handshakes, want 4", len(syn))
				}
			}
			p.stop()
		})
	}
}

// A wire at rest, set up and with a process that comes and goes, says nothing.
func TestSilence(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.start(settings{})
	b.await(true)
	// The ends are silenced: what is heard is the box.
	for _, end := range []*netlab.Namespace{b.Client, b.Origin} {
		if err := end.Sysctl("net.ipv6.conf.eth0.disable_ipv6", "1"); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond)
	r := b.record()
	rest := 2 * time.Second
	if tempo.Thorough() {
		rest = time.Minute
	}
	time.Sleep(rest)
	p.stop()
	p = b.start(settings{})
	b.await(true)
	client, origin := r.stop("", "frame.protocols")
	if len(client)+len(origin) > 0 {
		t.Errorf("frames of the box: %v at the client, %v at the origin", client, origin)
	}
	p.stop()
}
