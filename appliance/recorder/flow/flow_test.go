package flow

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// recorded is what a stream was told.
type recorded struct {
	session *Session
	octets  [2][]byte // gaps are zeros
	gaps    [2]uint64
	ends    [2]bool
	closed  bool
	calls   int
}

func (r *recorded) Data(dir proto.Direction, p []byte) {
	r.octets[dir] = append(r.octets[dir], p...)
	r.calls++
}
func (r *recorded) Gap(dir proto.Direction, n uint64) {
	r.gaps[dir] += n
	r.octets[dir] = append(r.octets[dir], make([]byte, min(n, 1<<20))...) // hostile gaps are longer
}
func (r *recorded) End(dir proto.Direction) { r.ends[dir] = true }
func (r *recorded) Close()                  { r.closed = true }

// book records all sessions.
type book struct{ sessions []*recorded }

func (b *book) Open(s *Session) Stream {
	r := &recorded{session: s}
	b.sessions = append(b.sessions, r)
	return r
}

// frame is an Ethernet frame of TCP between 192.0.2.1:50000 and 198.51.100.1:443.
func frame(dir proto.Direction, seq, ack uint32, flags byte, payload []byte) []byte {
	ip := make([]byte, 40, 40+len(payload))
	ip[0], ip[8], ip[9] = 0x45, 64, 6
	big.PutUint16(ip[2:], uint16(40+len(payload)))
	client, server := []byte{192, 0, 2, 1}, []byte{198, 51, 100, 1}
	ports := [2]uint16{50000, 443}
	if dir == proto.OriginToClient {
		client, server = server, client
		ports[0], ports[1] = ports[1], ports[0]
	}
	copy(ip[12:], client)
	copy(ip[16:], server)
	big.PutUint16(ip[20:], ports[0])
	big.PutUint16(ip[22:], ports[1])
	big.PutUint32(ip[24:], seq)
	big.PutUint32(ip[28:], ack)
	ip[32], ip[33] = 5<<4, flags
	return append(append(make([]byte, 12), 8, 0), append(ip, payload...)...)
}

// dialogue makes the frames of a session in which both ends send octets, with sequence
// numbers that wrap.
func dialogue(up, down []byte, r *rand.Rand) (frames [][]byte) {
	next := [2]uint32{0xffffff00, 0xfffffff0}
	add := func(dir proto.Direction, flags byte, p []byte) {
		frames = append(frames, frame(dir, next[dir], next[dir.Opposite()], flags, p))
		next[dir] += uint32(len(p))
		if flags&(flagSYN|flagFIN) != 0 {
			next[dir]++
		}
	}
	add(proto.ClientToOrigin, flagSYN, nil)
	add(proto.OriginToClient, flagSYN|flagACK, nil)
	add(proto.ClientToOrigin, flagACK, nil)
	rest := [2][]byte{up, down}
	for len(rest[0])+len(rest[1]) > 0 {
		dir := proto.Direction(r.IntN(2))
		n := min(len(rest[dir]), 1+r.IntN(1400))
		if n > 0 {
			add(dir, flagACK, rest[dir][:n])
			rest[dir] = rest[dir][n:]
			if r.IntN(3) == 0 {
				add(dir.Opposite(), flagACK, nil)
			}
		}
	}
	add(proto.ClientToOrigin, flagFIN|flagACK, nil)
	add(proto.OriginToClient, flagFIN|flagACK, nil)
	add(proto.ClientToOrigin, flagACK, nil)
	return frames
}

func octets(n int, r *rand.Rand) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(1 + r.IntN(255)) // no zeros: those are gaps
	}
	return p
}

// TestOrder: whatever becomes of the frames on the way, the octets are those that were
// sent, or marked as lost.
func TestOrder(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		up, down := octets(r.IntN(40000), r), octets(r.IntN(40000), r)
		frames := dialogue(up, down, r)
		lost := 0
		var sent [][]byte
		for i, f := range frames {
			switch n := r.IntN(30); {
			case seed%3 == 2 && n == 0 && i > 3 && len(f) > 54: // payload; acknowledgements alone tell nothing new
				lost++
				continue
			case n == 1:
				sent = append(sent, f)
			}
			sent = append(sent, f)
		}
		if seed%2 == 1 {
			for i := 3; i+6 < len(sent); i++ { // nearby frames change places
				j := i + r.IntN(4)
				sent[i], sent[j] = sent[j], sent[i]
			}
		}
		b := &book{}
		table := New(Config{}, b)
		at := time.Unix(1_800_000_000, 0)
		for _, f := range sent {
			at = at.Add(time.Millisecond)
			table.Add(Frame{Octets: f, At: at, Link: linkEthernet})
		}
		table.Close()
		if len(b.sessions) != 1 {
			t.Fatalf("seed %d: %d sessions", seed, len(b.sessions))
		}
		got := b.sessions[0]
		for dir, want := range [2][]byte{up, down} {
			if lost == 0 && (!bytes.Equal(got.octets[dir], want) || got.gaps[dir] != 0 || !got.ends[dir]) {
				t.Fatalf("seed %d, %v: %d octets, want %d; %d lost, ended %t", seed, proto.Direction(dir), len(got.octets[dir]), len(want), got.gaps[dir], got.ends[dir])
			}
			if len(got.octets[dir]) > len(want) {
				t.Fatalf("seed %d: %d octets, want %d", seed, len(got.octets[dir]), len(want))
			}
			zeros := uint64(0)
			for i, c := range got.octets[dir] {
				if c == 0 {
					zeros++
				} else if c != want[i] {
					t.Fatalf("seed %d: octet %d differs", seed, i)
				}
			}
			if zeros != got.gaps[dir] {
				t.Fatalf("seed %d: %d octets in gaps, %d are missing", seed, got.gaps[dir], zeros)
			}
		}
		if !got.closed || table.held != 0 || got.session.Client.String() != "192.0.2.1:50000" {
			t.Errorf("seed %d: closed %t, %d octets held, client %v", seed, got.closed, table.held, got.session.Client)
		}
	}
}

// TestRoles: where the beginning is missing, ports tell which end is the client.
func TestRoles(t *testing.T) {
	for _, tt := range []struct {
		from, to uint16
		want     bool // the sender is the client
	}{{50000, 80, true}, {80, 50000, false}, {8080, 50000, false}, {50000, 8080, true}, {8080, 1025, true}, {50000, 50001, true}, {1025, 80, true}, {80, 1025, false}} {
		k := &packet{transport: TCP, flags: flagACK}
		big.PutUint16(k.from.octets[16:], tt.from)
		big.PutUint16(k.to.octets[16:], tt.to)
		if got := client(k) == k.from; got != tt.want {
			t.Errorf("%d to %d: the sender is the client: %t", tt.from, tt.to, got)
		}
	}
}

// TestBeginnings: sessions that were captured from the middle, that are cut by the capture,
// broken off, and that follow each other between the same ports.
func TestBeginnings(t *testing.T) {
	const c, s = proto.ClientToOrigin, proto.OriginToClient
	type sent struct {
		dir      proto.Direction
		seq, ack uint32
		flags    byte
		payload  string
		cut      int
	}
	for _, tt := range []struct {
		name   string
		frames []sent
		want   string
	}{
		{"the server is heard first", []sent{{s, 900, 500, flagACK, "hello", 0}, {c, 500, 905, flagACK, "yes", 0}}, `192.0.2.1:50000 "yes" "hello" flags 1`},
		{"broken off", []sent{{c, 1, 0, flagSYN, "", 0}, {s, 9, 2, flagSYN | flagACK, "", 0}, {c, 2, 10, flagACK, "a", 0}, {s, 10, 3, flagRST | flagACK, "", 0}}, `192.0.2.1:50000 "a" "" flags 2`},
		{"cut by the capture", []sent{{c, 1, 0, flagSYN, "", 0}, {c, 2, 10, flagACK, "abcdef", 4}, {c, 8, 10, flagACK, "g", 0}}, `192.0.2.1:50000 "ab\x00\x00\x00\x00g" "" flags 0`},
		{"twice with other contents", []sent{{c, 1, 0, flagSYN, "", 0}, {c, 4, 10, flagACK, "cd", 0}, {c, 4, 10, flagACK, "xx", 0}, {c, 2, 10, flagACK, "ab", 0}}, `192.0.2.1:50000 "abcd" "" flags 4`},
		{"again", []sent{{c, 1, 0, flagSYN, "", 0}, {c, 1, 0, flagSYN, "", 0}, {c, 2, 10, flagACK, "ab", 0}, {c, 3, 10, flagACK, "bc", 0}}, `192.0.2.1:50000 "abc" "" flags 0`},
		{"the same ports again", []sent{{c, 1, 0, flagSYN, "", 0}, {c, 2, 10, flagACK, "ab", 0}, {c, 70, 0, flagSYN, "", 0}, {c, 71, 10, flagACK, "cd", 0}},
			`192.0.2.1:50000 "ab" "" flags 0, 192.0.2.1:50000 "cd" "" flags 0`},
		{"only acknowledgements", []sent{{c, 1, 9, flagACK, "", 0}, {s, 9, 1, flagACK, "", 0}}, ``},
		{"octets behind the end", []sent{{c, 1, 0, flagSYN, "", 0}, {c, 2, 10, flagACK | flagFIN, "ab", 0}, {s, 9, 5, flagSYN | flagACK, "", 0}, {s, 10, 5, flagACK | flagFIN, "", 0}, {c, 2, 11, flagACK | flagFIN, "ab", 0}},
			`192.0.2.1:50000 "ab" "" flags 0`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &book{}
			table := New(Config{}, b)
			for i, f := range tt.frames {
				octets := frame(f.dir, f.seq, f.ack, f.flags, []byte(f.payload))
				table.Add(Frame{Octets: octets[:len(octets)-f.cut], Wire: len(octets), At: time.Unix(int64(i), 0), Link: linkEthernet})
			}
			table.Close()
			got := ""
			for i, r := range b.sessions {
				if i > 0 {
					got += ", "
				}
				got += fmt.Sprintf("%v %q %q flags %d", r.session.Client, r.octets[0], r.octets[1], r.session.Flags)
			}
			if got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestWrapped: links, tags, tunnels and fragments.
func TestWrapped(t *testing.T) {
	inner := frame(proto.ClientToOrigin, 1, 0, flagACK, []byte("within"))
	packet := inner[14:]
	udp := func(port uint16, p []byte) []byte {
		h := make([]byte, 28, 28+len(p))
		h[0], h[9] = 0x45, 17
		big.PutUint16(h[2:], uint16(28+len(p)))
		h[12], h[16] = 10, 11
		big.PutUint16(h[20:], 4000)
		big.PutUint16(h[22:], port)
		big.PutUint16(h[24:], uint16(8+len(p)))
		return append(h, p...)
	}
	ip := func(protocol byte, p []byte) []byte {
		h := make([]byte, 20, 20+len(p))
		h[0], h[9] = 0x45, protocol
		big.PutUint16(h[2:], uint16(20+len(p)))
		h[12], h[16] = 10, 11
		return append(h, p...)
	}
	ethernet := func(kind uint16, p []byte) []byte {
		return append(binary.BigEndian.AppendUint16(make([]byte, 12), kind), p...)
	}
	join := func(p ...[]byte) []byte { return bytes.Join(p, nil) }
	part := func(at int, more bool) []byte {
		body := packet[20:]
		end := min(at+16, len(body))
		h := append([]byte(nil), packet[:20]...)
		big.PutUint16(h[2:], uint16(20+end-at))
		big.PutUint16(h[4:], 7)
		big.PutUint16(h[6:], uint16(at/8))
		if more {
			h[6] |= 0x20
		}
		return append(h, body[at:end]...)
	}
	v6 := append([]byte{0x60, 0, 0, 0, 0, byte(len(packet) - 20 + 8), 60, 64, 15: 1, 23: 0, 39: 2}, append([]byte{6, 0, 1, 4, 0, 0, 0, 0}, packet[20:]...)...)
	for _, tt := range []struct {
		name   string
		link   uint16
		frames [][]byte
		tunnel string
		vlan   uint16
	}{
		{"plain", linkEthernet, [][]byte{inner}, "", 0},
		{"QinQ", linkEthernet, [][]byte{ethernet(0x88a8, join([]byte{0, 5, 0x81, 0, 0x20, 9, 8, 0}, packet))}, "", 9},
		{"raw", linkRaw, [][]byte{packet}, "", 0},
		{"IPv6 with a header more", linkRaw, [][]byte{v6}, "", 0},
		{"cooked", linkCooked, [][]byte{join(make([]byte, 14), []byte{8, 0}, packet)}, "", 0},
		{"cooked, version 2", linkCookedV2, [][]byte{join([]byte{8, 0}, make([]byte, 18), packet)}, "", 0},
		{"null", linkNull, [][]byte{join([]byte{2, 0, 0, 0}, packet)}, "", 0},
		{"PPP", linkPPP, [][]byte{join([]byte{0xff, 3, 0, 0x21}, packet)}, "", 0},
		{"PPPoE", linkEthernet, [][]byte{ethernet(etherPPPoE, join([]byte{0x11, 0, 0, 1, 0, 0, 0, 0x21}, packet))}, "", 0},
		{"MPLS", linkEthernet, [][]byte{ethernet(etherMPLS, join([]byte{0, 1, 0, 64, 0, 2, 1, 64}, packet))}, "", 0},
		{"VXLAN", linkRaw, [][]byte{udp(portVXLAN, join([]byte{8, 0, 0, 0, 0, 0, 12, 0}, inner))}, "vxlan 12", 0},
		{"GENEVE with an option", linkRaw, [][]byte{udp(portGENEVE, join([]byte{1, 0, 0x65, 0x58, 0, 0, 13, 0, 1, 2, 3, 0}, inner))}, "geneve 13", 0},
		{"GTP", linkRaw, [][]byte{udp(portGTP, join([]byte{0x30, 0xff, 0, byte(len(packet)), 0, 0, 0, 14}, packet))}, "gtp 14", 0},
		{"GRE with a key", linkRaw, [][]byte{ip(47, join([]byte{0x20, 0, 8, 0, 0, 0, 0, 15}, packet))}, "gre 15", 0},
		{"ERSPAN II", linkRaw, [][]byte{ip(47, join([]byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 16, 0, 0, 0, 0}, inner))}, "erspan 16", 0},
		{"ERSPAN III", linkRaw, [][]byte{ip(47, join([]byte{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 17}, make([]byte, 8), inner))}, "erspan 17", 0},
		{"ERSPAN I", linkRaw, [][]byte{ip(47, join([]byte{0, 0, 0x88, 0xbe}, inner))}, "erspan 0", 0},
		{"IP in IP", linkRaw, [][]byte{ip(4, packet)}, "ip 0", 0},
		{"fragments", linkRaw, [][]byte{part(16, false), part(0, true)}, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &book{}
			table := New(Config{}, b)
			for _, f := range tt.frames {
				table.Add(Frame{Octets: f, At: time.Unix(1, 0), Link: tt.link})
			}
			table.Close()
			if len(b.sessions) != 1 || string(b.sessions[0].octets[0]) != "within" {
				t.Fatalf("%d sessions, %+v", len(b.sessions), table.Tally())
			}
			if s := b.sessions[0].session; s.Tunnel != tt.tunnel || s.VLAN != tt.vlan {
				t.Errorf("tunnel %q, VLAN %d", s.Tunnel, s.VLAN)
			}
		})
	}
}

// TestNames: sessions of the same ends have names of their own, also at the same time, and in
// captures without times. Those of two virtual networks are two.
func TestNames(t *testing.T) {
	wrapped := func(network byte, p []byte) []byte {
		h := make([]byte, 36, 36+len(p))
		h[0], h[9] = 0x45, 17
		big.PutUint16(h[2:], uint16(36+len(p)))
		h[12], h[16] = 10, 11
		big.PutUint16(h[22:], portVXLAN)
		big.PutUint16(h[24:], uint16(16+len(p)))
		h[28], h[34] = 8, network
		return append(h, p...)
	}
	names := func(at time.Time) (list []ID) {
		b := &book{}
		table := New(Config{}, b)
		for seq := range uint32(3) {
			table.Add(Frame{Octets: frame(proto.ClientToOrigin, 100*seq, 0, flagSYN, nil), At: at, Link: linkEthernet})
		}
		for _, network := range []byte{1, 2, 1} {
			table.Add(Frame{Octets: wrapped(network, frame(proto.ClientToOrigin, 7, 0, flagSYN, nil)), At: at, Link: linkRaw})
		}
		table.Close()
		for _, s := range b.sessions {
			list = append(list, s.session.ID)
		}
		return list
	}
	for _, at := range []time.Time{{}, time.Unix(1_800_000_000, 5)} {
		list := names(at)
		seen := make(map[ID]bool)
		for _, id := range list {
			seen[id] = true
		}
		if len(list) != 5 || len(seen) != 5 || !slices.Equal(list, names(at)) {
			t.Errorf("at %v: %v", at, list)
		}
	}
}

// TestBounds: no input takes more than the table's share.
func TestBounds(t *testing.T) {
	b := &book{}
	table := New(Config{Sessions: 100, Early: 1 << 20}, b)
	at := time.Unix(1, 0)
	for i := range 5000 {
		f := frame(proto.ClientToOrigin, 1, 0, flagSYN, nil)
		big.PutUint16(f[34:], uint16(i))
		table.Add(Frame{Octets: f, At: at, Link: linkEthernet})
		f = frame(proto.ClientToOrigin, 100, 0, flagACK, make([]byte, 20000)) // early
		big.PutUint16(f[34:], uint16(i))
		table.Add(Frame{Octets: f, At: at, Link: linkEthernet})
		if len(table.open) > 100 || table.held > 1<<20 {
			t.Fatalf("%d sessions, %d octets wait", len(table.open), table.held)
		}
	}
	table.Add(Frame{Octets: frame(proto.ClientToOrigin, 1, 0, flagSYN, nil), At: at.Add(2 * time.Hour), Link: linkEthernet})
	if len(table.open) != 1 {
		t.Errorf("%d sessions after 2 h", len(table.open))
	}
	table.Close()
	if table.held != 0 || len(table.open) != 0 {
		t.Errorf("%d octets wait, %d sessions are open", table.held, len(table.open))
	}
}

func FuzzTable(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	var seed []byte
	for _, p := range dialogue(octets(3000, r), octets(3000, r), r) {
		seed = append(append(seed, byte(linkEthernet), byte(len(p)>>8), byte(len(p))), p...)
	}
	f.Add(seed)
	f.Add(append([]byte{linkRaw, 0, 60}, make([]byte, 60)...))
	f.Fuzz(func(t *testing.T, p []byte) {
		b := &book{}
		table := New(Config{Sessions: 10, Early: 1 << 16}, b)
		at := time.Unix(1, 0)
		for len(p) >= 3 {
			n := min(int(p[1])<<8|int(p[2]), len(p)-3)
			at = at.Add(time.Duration(p[2]) * time.Second)
			table.Add(Frame{Octets: p[3 : 3+n], Wire: n + int(p[1]&1), At: at, Link: uint16(p[0])})
			p = p[3+n:]
			if len(table.open) > 10 || table.held > 1<<16+1<<14 {
				t.Fatalf("%d sessions, %d octets wait", len(table.open), table.held)
			}
		}
		table.Close()
		for _, s := range b.sessions {
			if !s.closed {
				t.Error("a session is not closed")
			}
		}
		if table.held != 0 {
			t.Errorf("%d octets wait", table.held)
		}
	})
}

// BenchmarkInOrder is one session of full segments that come in order.
func BenchmarkInOrder(b *testing.B) {
	payload := make([]byte, 1448)
	frames := make([][]byte, 1000)
	for i := range frames {
		frames[i] = frame(proto.ClientToOrigin, uint32(i*len(payload)), 1, flagACK, payload)
	}
	table := New(Config{}, silent{})
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	at, seq := time.Unix(1, 0), uint32(0)
	for i := 0; b.Loop(); i++ {
		f := frames[i%len(frames)]
		big.PutUint32(f[38:], seq)
		seq += uint32(len(payload))
		table.Add(Frame{Octets: f, At: at, Link: linkEthernet})
	}
}

type silent struct{}

func (silent) Open(*Session) Stream         { return silent{} }
func (silent) Data(proto.Direction, []byte) {}
func (silent) Gap(proto.Direction, uint64)  {}
func (silent) End(proto.Direction)          {}
func (silent) Close()                       {}
