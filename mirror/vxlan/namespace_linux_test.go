package vxlan

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// pair is a box that mirrors and a recorder, joined by a link.
type pair struct {
	box, recorder *netlab.Namespace
	dir           string
}

const (
	boxInterface, recorderInterface = "mirror0", "rec0"

	recorderV4, recorderV6 = "192.0.2.1", "2001:db8::1"
)

func newPair(t *testing.T) *pair {
	t.Helper()
	l := netlab.ForTest(t)
	p := &pair{}
	var err error
	for name, to := range map[string]**netlab.Namespace{"box": &p.box, "recorder": &p.recorder} {
		if *to, err = l.Namespace(name); err != nil {
			t.Fatal(err)
		}
	}
	if p.dir, err = l.Dir("captures"); err != nil {
		t.Fatal(err)
	}
	addresses := func(v4, v6 string) []netip.Prefix {
		return []netip.Prefix{netip.MustParsePrefix(v4), netip.MustParsePrefix(v6)}
	}
	err = l.Link(
		netlab.End{Namespace: p.box, Name: boxInterface, Addresses: addresses("192.0.2.2/24", "2001:db8::2/64")},
		netlab.End{Namespace: p.recorder, Name: recorderInterface, Addresses: addresses(recorderV4+"/24", recorderV6+"/64")},
		netlab.LinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// open opens a sink in the box.
func (p *pair) open(t *testing.T, cfg Config) (s *Sink) {
	t.Helper()
	if err := p.box.Do(func() (err error) { s, err = Open(cfg); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// run runs a program in a namespace.
func run(t *testing.T, ns *netlab.Namespace, name string, args ...string) {
	t.Helper()
	if r, err := lab.Run(t.Context(), ns, "", name, args...); err != nil {
		t.Fatalf("%v\n%s", err, r.Stderr)
	}
}

// TestRecorder sends conversations to a recorder, which reads them as tshark
// does from the outer packets, and from a VXLAN device of Linux.
func TestRecorder(t *testing.T) {
	t.Parallel()
	const device, vni = "vx42", 42
	for _, tt := range []struct {
		name, remote, local string
		outer, mtu          int
		port                uint16
	}{
		{"IPv4", recorderV4, "192.0.2.2", 14 + outerIPv4, 1446, 0},
		{"IPv6", recorderV6, "2001:db8::2", 14 + outerIPv6, 1426, 4789},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			run(t, p.recorder, "ip", "link", "add", device, "type", "vxlan", "id", "42", "dstport", "4789",
				"local", tt.remote, "remote", tt.local)
			if err := p.recorder.Sysctl("net/ipv6/conf/"+device+"/disable_ipv6", "1"); err != nil { // it says nothing by itself
				t.Fatal(err)
			}
			run(t, p.recorder, "ip", "link", "set", device, "up")
			outside, err := lab.StartCapture(p.recorder, recorderInterface, filepath.Join(p.dir, "outside.pcap"))
			if err != nil {
				t.Fatal(err)
			}
			inside, err := lab.StartCapture(p.recorder, device, filepath.Join(p.dir, "inside.pcap"))
			if err != nil {
				t.Fatal(err)
			}
			s := p.open(t, Config{Remote: netip.AddrPortFrom(netip.MustParseAddr(tt.remote), tt.port), VNI: vni, Full: mirror.Block})
			if s.MTU() != tt.mtu {
				t.Errorf("MTU %d, want %d", s.MTU(), tt.mtu)
			}
			body := make([]byte, tempo.Of(100_000, 500_000))
			rand.Read(body)
			var frames uint64
			const sessions = 20
			for i := range sessions {
				flow := mirror.Flow{
					Client: netip.AddrPortFrom(netip.MustParseAddr("198.51.100.2"), uint16(40000+i)),
					Origin: netip.MustParseAddrPort("192.0.2.10:41001"),
				}
				if i%2 == 1 {
					flow.Client = netip.AddrPortFrom(netip.MustParseAddr("2001:db8:51::2"), uint16(40000+i))
					flow.Origin = netip.MustParseAddrPort("[2001:db8:2::10]:41001")
					flow.VLAN = 7
				}
				c := mirror.Open(s, flow, mirror.Options{})
				c.Data(mirror.ClientToOrigin, []byte("ask"))
				for at := 0; at < len(body); at += 50_000 {
					c.Data(mirror.OriginToClient, body[at:at+50_000])
				}
				a := c.Close()
				if a.Octets[0] != 3 || a.Octets[1] != uint64(len(body)) || a.Lost != nil {
					t.Fatalf("account %+v", a)
				}
				frames += a.Frames
			}
			if st := s.Stats(); st.Frames != frames || len(st.Lost) > 0 || st.Refused > 0 || !st.Up {
				t.Errorf("%+v, want %d frames", st, frames)
			}
			for _, capture := range []*lab.Capture{inside, outside} {
				if _, err := capture.Stop(); err != nil {
					t.Fatal(err)
				}
			}

			// The inner frames, from the device and with the outside cut off.
			fromDevice, err := mirrortest.ReadFile(inside.File)
			if err != nil {
				t.Fatal(err)
			}
			all, err := mirrortest.ReadFile(outside.File)
			if err != nil {
				t.Fatal(err)
			}
			var cut [][]byte
			for _, f := range all {
				if len(f) > tt.outer+14 && bytes.Equal(f[tt.outer-headerLength:tt.outer], []byte{8, 0, 0, 0, 0, 0, vni, 0}) {
					cut = append(cut, f[tt.outer:])
				}
				if len(f) > 1514 {
					t.Errorf("outer frame of %d octets", len(f))
				}
			}
			for name, list := range map[string][][]byte{"device": fromDevice, "outside": cut} {
				if findings := mirrortest.Check(list); uint64(len(list)) != frames || len(findings) > 0 {
					t.Errorf("%s: %d frames of %d, findings %v", name, len(list), frames, findings)
				}
				path := mirrortest.WritePcap(t, list)
				if complaints := mirrortest.TsharkComplaints(t, path); len(complaints) > 0 {
					t.Errorf("%s: tshark objects: %.5q", name, complaints)
				}
				conversations, err := mirrortest.Conversations(path)
				if err != nil || len(conversations) != sessions {
					t.Fatalf("%s: %d conversations, %v", name, len(conversations), err)
				}
				for _, c := range conversations {
					if !bytes.Equal(c.Streams[1], body) || !c.Ended {
						t.Errorf("%s: %v differs", name, c.Client)
					}
				}
			}
			tshark(t, outside.File, frames, sessions)
		})
	}
}

// tshark has tshark decode the outer packets and what they carry.
func tshark(t *testing.T, file string, frames, sessions uint64) {
	t.Helper()
	rows, err := lab.Fields(t.Context(), file, "vxlan.vni == 42", "udp.srcport", "tcp.stream", "udp.checksum.status")
	if err != nil || uint64(len(rows)) != frames {
		t.Fatalf("tshark decodes %d frames of %d, %v", len(rows), frames, err)
	}
	ports, streams := make(map[string]bool), make(map[string]string)
	for _, row := range rows {
		ports[row[0]] = true
		if other, known := streams[row[1]]; known && other != row[0] {
			t.Errorf("stream %s comes from ports %s and %s", row[1], other, row[0])
		}
		streams[row[1]] = row[0]
		if row[2] == "0" {
			t.Error("bad outer checksum")
		}
	}
	if uint64(len(streams)) != sessions || len(ports) < 4 {
		t.Errorf("%d streams from %d ports", len(streams), len(ports))
	}
	problems, err := lab.Problems(t.Context(), file)
	for _, p := range problems {
		t.Errorf("tshark objects: %s", p)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestRefused has nobody listen, then somebody.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, remote := range []string{recorderV4, recorderV6} {
		t.Run(remote, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			s := p.open(t, Config{Remote: netip.AddrPortFrom(netip.MustParseAddr(remote), Port)})
			var offered uint64
			send := func() error {
				offered += 3
				_, err := s.Send([]mirror.Frame{frame("a"), frame("b"), frame("c")})
				return err
			}
			tempo.Until(t, "refused", func() bool { return errors.Is(send(), mirror.ErrNoReader) })
			if st := s.Stats(); st.Up {
				t.Errorf("up: %+v", st)
			}
			conn, err := p.recorder.ListenPacket("udp", net.JoinHostPort(remote, "4789"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			tempo.Until(t, "taken again", func() bool { return send() == nil })
			got := make([]byte, 100)
			conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			if n, _, err := conn.ReadFrom(got); err != nil || n != headerLength+15 {
				t.Errorf("received %d octets, %v", n, err)
			}
			st := s.Stats()
			if st.Frames+st.Lost["no-reader"] != offered || st.Refused == 0 {
				t.Errorf("%+v of %d frames", st, offered)
			}
		})
	}
}

// TestPath has no way to the remote, then one, then a narrow one.
func TestPath(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	if err := p.box.SetUp(boxInterface, false); err != nil {
		t.Fatal(err)
	}
	conn, err := p.recorder.ListenPacket("udp", ":4789")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := p.open(t, Config{Remote: netip.MustParseAddrPort(recorderV4 + ":4789")})
	if n, err := s.Send([]mirror.Frame{frame("")}); n != 0 || !errors.Is(err, mirror.ErrNoLink) {
		t.Errorf("without a way: %d, %v", n, err)
	}
	if s.MTU() != 1446 {
		t.Errorf("MTU %d before the path is known", s.MTU())
	}
	if err := p.box.SetUp(boxInterface, true); err != nil {
		t.Fatal(err)
	}
	tempo.Until(t, "way found", func() bool { return s.Stats().Up })
	if n, err := s.Send([]mirror.Frame{frame("")}); n != 1 || err != nil {
		t.Errorf("with a way: %d, %v", n, err)
	}
	run(t, p.box, "ip", "link", "set", boxInterface, "mtu", "1300")
	tempo.Until(t, "path narrower", func() bool { return s.MTU() == 1300-54 })
	if n, err := s.Send([]mirror.Frame{frame(strings.Repeat("x", 1300))}); n != 0 || !errors.Is(err, mirror.ErrTooLong) {
		t.Errorf("too long: %d, %v", n, err)
	}
}
