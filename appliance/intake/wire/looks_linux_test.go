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
	t              *testing.T
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

// stop returns the different values of fields over all frames that match, for
// each of the two ends.
func (r *recorders) stop(filter string, fields ...string) (client, origin []string) {
	r.t.Helper()
	for _, one := range []struct {
		c  *lab.Capture
		to *[]string
	}{{r.client, &client}, {r.origin, &origin}} {
		if _, err := one.c.Stop(); err != nil {
			r.t.Fatal(err)
		}
		*one.to = r.rows(one.c, filter, fields...)
	}
	return client, origin
}

func (r *recorders) rows(c *lab.Capture, filter string, fields ...string) (all []string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	rows, err := lab.Fields(ctx, c.File, filter, fields...)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, row := range rows {
		all = append(all, strings.Join(row, " "))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Both ends see each other: MACs, addresses, TTL, and the client's port.
func TestLooks(t *testing.T) {
	t.Parallel()
	for _, takeover := range []wire.Takeover{wire.Accept, wire.Late} {
		t.Run(takeover.String(), func(t *testing.T) {
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
			fields := []string{"eth.src", "eth.dst", "ip.src", "ipv6.src", "ip.ttl", "ipv6.hlim", "tcp.dstport"}
			client, origin := r.stop("tcp.dstport == 443", fields...)
			want := []string{
				"0a:00:5e:00:00:11 0a:00:5e:00:00:14  2001:db8:2::2  77 443",
				"0a:00:5e:00:00:11 0a:00:5e:00:00:14 192.0.2.2  77  443",
			}
			if diff := cmp.Diff(want, client); diff != "" {
				t.Errorf("frames of the client where it is:\n%s", diff)
			}
			if diff := cmp.Diff(want, origin); diff != "" {
				t.Errorf("frames of the client at the origin:\n%s", diff)
			}
			// In accept mode SYN-ACK comes before the origin has said anything: its
			// TTL is the usual one, which here it is anyway.
			want = []string{
				"0a:00:5e:00:00:14 0a:00:5e:00:00:11  2001:db8:2::10  64",
				"0a:00:5e:00:00:14 0a:00:5e:00:00:11 192.0.2.10  64 ",
			}
			if diff := cmp.Diff(want, r.rows(r.client, "tcp.srcport == 443", fields[:6]...)); diff != "" {
				t.Errorf("frames of the origin at the client:\n%s", diff)
			}
			ports := r.rows(r.client, "tcp.dstport == 443", "tcp.srcport")
			if diff := cmp.Diff(ports, r.rows(r.origin, "tcp.dstport == 443", "tcp.srcport")); diff != "" {
				t.Errorf("client's ports at the origin:\n%s", diff)
			}
			if others := r.rows(r.origin, "!tcp && !arp && !icmpv6", "frame.protocols"); len(others) > 0 {
				t.Errorf("other frames at the origin: %v", others)
			}
			// Only what the ends themselves sent, of any protocol.
			for _, c := range []*lab.Capture{r.client, r.origin} {
				macs := r.rows(c, "", "eth.src")
				if diff := cmp.Diff([]string{"0a:00:5e:00:00:11", "0a:00:5e:00:00:14"}, macs); diff != "" {
					t.Errorf("senders: %s", diff)
				}
			}
			p.expect(2)
			if takeover == wire.Late {
				syn := r.rows(r.client, "tcp.flags.syn == 1", "tcp.flags", "tcp.seq_raw", "tcp.options")
				if diff := cmp.Diff(syn, r.rows(r.origin, "tcp.flags.syn == 1", "tcp.flags", "tcp.seq_raw", "tcp.options")); diff != "" {
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
