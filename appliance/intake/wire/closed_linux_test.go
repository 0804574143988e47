package wire_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/lab"
)

// Addresses that nobody has: whoever speaks for them makes frames.
const (
	madeClient = "192.0.2.66"
	madeOrigin = "192.0.2.67"
)

// end is one end of a TCP connection that is made of frames, so that it can say
// what no stack says.
type end struct {
	t                *testing.T
	tap              *tap
	mac, peerMAC     string
	ip, peer         net.IP
	port, peerPort   uint16
	seq, ack         uint32
	stamps           bool
	stamp, peerStamp uint32
}

// made is a segment and what is wrong with it.
type made struct {
	flags     byte
	body      string
	seq, ack  *uint32 // others than the end's own
	stamp     *uint32
	damaged   bool
	urgent    uint16
	options   []layers.TCPOption
	ipOptions []layers.IPv4Option
	tags      []uint16 // VLANs, outer first
	pieces    int      // octets of a fragment, 0: whole
	ttl       uint8
	astray    bool // to a station that is not there
}

const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	psh = 0x08
	ack = 0x10
	urg = 0x20
)

func at(n uint32) *uint32 { return &n }

// send makes frames of a segment. It does not move the end on.
func (e *end) send(m made) {
	e.t.Helper()
	src, _ := net.ParseMAC(e.mac)
	dst, _ := net.ParseMAC(e.peerMAC)
	if m.astray {
		dst[5] = 0x99
	}
	if m.ttl == 0 {
		m.ttl = 64
	}
	ip := &layers.IPv4{Version: 4, TTL: m.ttl, Protocol: layers.IPProtocolTCP, SrcIP: e.ip, DstIP: e.peer, Options: m.ipOptions, Id: uint16(time.Now().UnixNano())}
	tcp := &layers.TCP{
		SrcPort: layers.TCPPort(e.port), DstPort: layers.TCPPort(e.peerPort), Seq: e.seq, Window: 60000, Urgent: m.urgent,
		FIN: m.flags&fin != 0, SYN: m.flags&syn != 0, RST: m.flags&rst != 0, PSH: m.flags&psh != 0, ACK: m.flags&ack != 0, URG: m.flags&urg != 0,
		Options: m.options,
	}
	if tcp.ACK {
		tcp.Ack = e.ack
	}
	if m.seq != nil {
		tcp.Seq = *m.seq
	}
	if m.ack != nil {
		tcp.Ack = *m.ack
	}
	if e.stamps {
		value := e.stamp
		if m.stamp != nil {
			value = *m.stamp
		}
		data := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, value), e.peerStamp)
		tcp.Options = append(tcp.Options, layers.TCPOption{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: data})
	}
	tcp.SetNetworkLayerForChecksum(ip)
	fix := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	segment := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(segment, fix, tcp, gopacket.Payload(m.body)); err != nil {
		e.t.Fatal(err)
	}
	body := bytes.Clone(segment.Bytes())
	if m.damaged {
		body[16] ^= 0x55
	}
	size := len(body)
	if m.pieces > 0 {
		size = m.pieces
	}
	for off := 0; off < len(body); off += size {
		piece := body[off:min(off+size, len(body))]
		ip.FragOffset, ip.Flags = uint16(off/8), 0
		if off+size < len(body) {
			ip.Flags = layers.IPv4MoreFragments
		}
		all := []gopacket.SerializableLayer{&layers.Ethernet{SrcMAC: src, DstMAC: dst, EthernetType: layers.EthernetTypeIPv4}}
		for i, vlan := range m.tags {
			if i == 0 {
				all[0].(*layers.Ethernet).EthernetType = layers.EthernetTypeDot1Q
			}
			next := layers.EthernetTypeIPv4
			if i < len(m.tags)-1 {
				next = layers.EthernetTypeDot1Q
			}
			all = append(all, &layers.Dot1Q{VLANIdentifier: vlan, Type: next})
		}
		frame := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(frame, fix, append(all, ip, gopacket.Payload(piece))...); err != nil {
			e.t.Fatal(err)
		}
		if err := e.tap.send(frame.Bytes()); err != nil {
			e.t.Fatal(err)
		}
	}
}

// heard is a segment that an end got.
type heard struct {
	*layers.TCP
	body string
}

// hear returns the next segment for the end, nil if there is none in time.
func (e *end) hear(wait time.Duration) *heard {
	for deadline := time.Now().Add(wait); time.Now().Before(deadline); {
		frame := e.tap.receive(time.Until(deadline))
		if frame == nil {
			return nil
		}
		p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
		ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		tcp, _ := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if ip == nil || tcp == nil || !ip.DstIP.Equal(e.ip) || uint16(tcp.DstPort) != e.port {
			continue
		}
		if e.peer == nil { // an origin hears whoever comes
			e.peer, e.peerPort = ip.SrcIP, uint16(tcp.SrcPort)
		}
		if !ip.SrcIP.Equal(e.peer) || uint16(tcp.SrcPort) != e.peerPort {
			continue
		}
		for _, o := range tcp.Options {
			if o.OptionType == layers.TCPOptionKindTimestamps && len(o.OptionData) == 8 {
				e.peerStamp = binary.BigEndian.Uint32(o.OptionData)
			}
		}
		return &heard{tcp, string(tcp.Payload)}
	}
	return nil
}

// await returns the next segment that has all of the flags.
func (e *end) await(flags byte, wait time.Duration) *heard {
	e.t.Helper()
	for deadline := time.Now().Add(wait); ; {
		h := e.hear(time.Until(deadline))
		if h == nil {
			e.t.Fatalf("no segment with flags %#x", flags)
		}
		if flags&syn != 0 && !h.SYN || flags&ack != 0 && !h.ACK {
			continue
		}
		return h
	}
}

var ports struct {
	sync.Mutex
	last uint16
}

// client returns an end that has not connected yet.
func (b *bench) client(t *testing.T) *end {
	t.Helper()
	out, err := b.Origin.Command(t.Context(), "ip", "neigh", "replace", madeClient, "lladdr", "0a:00:5e:00:00:11", "dev", "eth0", "nud", "permanent").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ports.Lock()
	defer ports.Unlock()
	ports.last++
	return &end{
		t: t, tap: openTap(t, b.Client), mac: "0a:00:5e:00:00:11", peerMAC: "0a:00:5e:00:00:14",
		ip: net.ParseIP(madeClient).To4(), peer: net.ParseIP(lab.OriginV4).To4(), port: 20000 + ports.last, peerPort: 443,
		seq: 1000 * uint32(ports.last), stamp: 5000,
	}
}

// connect has the handshake.
func (e *end) connect(options ...layers.TCPOption) {
	e.t.Helper()
	mss := layers.TCPOption{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{0x05, 0xb4}}
	e.send(made{flags: syn, options: append([]layers.TCPOption{mss}, options...)})
	answer := e.await(syn|ack, 2*time.Second)
	e.seq++
	e.ack = answer.Seq + 1
	e.send(made{flags: ack})
}

// received collects what an origin reads.
type received struct {
	sync.Mutex
	all []byte
}

func (s *received) has(text string) bool {
	s.Lock()
	defer s.Unlock()
	return bytes.Contains(s.all, []byte(text))
}

// listen is an origin that answers what it reads.
func (b *bench) listen(address string) *received {
	b.t.Helper()
	l, err := b.Origin.Listen("tcp", address)
	if err != nil {
		b.t.Fatal(err)
	}
	s := new(received)
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	b.t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			all.Go(func() {
				defer conn.Close()
				buf := make([]byte, 65536)
				for {
					n, err := conn.Read(buf)
					s.Lock()
					s.all = append(s.all, buf[:n]...)
					s.Unlock()
					if err != nil {
						return
					}
					conn.Write([]byte("ok"))
				}
			})
		}
	})
	return s
}

// Whatever a client says first, the words that have it opened reach the origin
// through a session of ours, or not at all.
func TestInsertion(t *testing.T) {
	t.Parallel()
	const secret = "secret: take this one"
	decoy := "TUNNEL a false friend"[:len(secret)]
	md5 := layers.TCPOption{OptionType: 19, OptionLength: 18, OptionData: make([]byte, 16)}
	nops := []layers.IPv4Option{{OptionType: 1}, {OptionType: 1}, {OptionType: 1}, {OptionType: 1}}
	for _, tt := range []struct {
		name   string
		stamps bool
		before func(e *end) // the secret
		how    made         // the secret is sent
		taken  bool         // the secret arrives, through a session
	}{
		{"nothing", false, func(*end) {}, made{}, true},
		{"reset beyond the window", false, func(e *end) { e.send(made{flags: rst, seq: at(e.seq + 1<<30)}) }, made{}, true},
		{"damaged reset", false, func(e *end) { e.send(made{flags: rst, damaged: true}) }, made{}, true},
		{"damaged FIN", false, func(e *end) { e.send(made{flags: fin | ack, damaged: true}) }, made{}, true},
		{"reset that goes astray", false, func(e *end) { e.send(made{flags: rst, astray: true}) }, made{}, false},
		{"FIN that goes astray", false, func(e *end) { e.send(made{flags: fin | ack, astray: true}) }, made{}, false},
		{"decoy, damaged", false, func(e *end) { e.send(made{flags: ack, body: decoy, damaged: true}) }, made{}, true},
		{"decoy of the past", true, func(e *end) { e.send(made{flags: ack, body: decoy, stamp: at(e.stamp - 1000)}) }, made{}, true},
		{"decoy without timestamp", true, func(e *end) { e.stamps = false; e.send(made{flags: ack, body: decoy}); e.stamps = true }, made{}, true},
		{"decoy without ACK", false, func(e *end) { e.send(made{flags: psh, body: decoy}) }, made{}, true},
		{"decoy that acknowledges the future", false, func(e *end) { e.send(made{flags: ack, body: decoy, ack: at(e.ack + 100_000)}) }, made{}, true},
		{"decoy with MD5", false, func(e *end) { e.send(made{flags: ack, body: decoy, options: []layers.TCPOption{md5}}) }, made{}, true},
		{"decoy beyond the window", false, func(e *end) { e.send(made{flags: ack, body: decoy, seq: at(e.seq + 1<<30)}) }, made{}, true},
		{"decoy with SYN", false, func(e *end) { e.send(made{flags: syn | ack, body: decoy}) }, made{}, true},
		{"decoy that every receiver takes", false, func(e *end) { e.send(made{flags: ack, body: decoy}) }, made{}, false},
		{"decoy that goes astray", false, func(e *end) { e.send(made{flags: ack, body: decoy, astray: true}) }, made{}, false},
		{"second SYN", false, func(e *end) { e.send(made{flags: syn, seq: at(e.seq + 5_000_000)}) }, made{}, true},
		{"SYN-ACK of the client", false, func(e *end) { e.send(made{flags: syn | ack}) }, made{}, true},
		{"fragments", false, func(*end) {}, made{pieces: 16}, false},
		{"fragments and decoy", false, func(e *end) { e.send(made{flags: ack, body: decoy, pieces: 32}) }, made{}, true},
		{"IP options", false, func(*end) {}, made{ipOptions: nops}, false},
		{"priority tag", false, func(*end) {}, made{tags: []uint16{0}}, true},
		{"two priority tags", false, func(*end) {}, made{tags: []uint16{0, 0}}, true},
		{"another VLAN", false, func(*end) {}, made{tags: []uint16{7}}, false},
		{"priority tag and VLAN", false, func(*end) {}, made{tags: []uint16{0, 7}}, false},
		{"VLAN and priority tag", false, func(*end) {}, made{tags: []uint16{7, 0}}, false},
		{"urgent acknowledgement", false, func(e *end) { e.send(made{flags: ack | urg, urgent: 1}) }, made{}, true},
		{"urgent octet", false, func(*end) {}, made{urgent: 3}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			origin := b.listen(":443")
			p := b.start(settings{Grace: time.Millisecond})
			b.await(true)
			time.Sleep(5 * time.Millisecond) // the grace is over
			e := b.client(t)
			e.stamps = tt.stamps
			e.connect()
			time.Sleep(20 * time.Millisecond)
			tt.before(e)
			time.Sleep(50 * time.Millisecond)
			e.stamp++
			tt.how.flags, tt.how.body = ack|psh, secret
			if tt.how.urgent > 0 {
				tt.how.flags |= urg
			}
			for range 3 { // as TCP does
				e.send(tt.how)
				time.Sleep(100 * time.Millisecond)
			}
			arrived := origin.has(secret[8:])
			if taken := len(p.seen()) > 0; arrived && !taken {
				t.Error("the secret passed without a session")
			}
			if arrived && !origin.has(secret) {
				t.Errorf("arrived %q, not what was judged", origin.all)
			}
			if arrived != tt.taken {
				t.Errorf("the secret arrived: %v, want %v", arrived, tt.taken)
			}
			p.stop()
		})
	}
}

// The same where the origin cheats: of its answers to a SYN, only one that every
// client takes counts.
func TestOriginCheats(t *testing.T) {
	t.Parallel()
	const secret = "secret: take this one"
	for _, tt := range []struct {
		name   string
		answer func(e *end, s *heard)
		opens  bool // the client's stack has a connection then
	}{
		{"reset without acknowledgement", func(e *end, s *heard) {
			e.send(made{flags: rst, seq: at(12345)})
			e.send(made{flags: syn | ack})
		}, true},
		{"reset that acknowledges something else", func(e *end, s *heard) {
			e.send(made{flags: rst | ack, ack: at(e.ack + 7)})
			e.send(made{flags: syn | ack})
		}, true},
		{"damaged reset", func(e *end, s *heard) {
			e.send(made{flags: rst | ack, damaged: true})
			e.send(made{flags: syn | ack})
		}, true},
		{"SYN for a SYN", func(e *end, s *heard) {
			e.send(made{flags: syn})
			if s := e.hear(time.Second); s != nil {
				e.seq++
				e.send(made{flags: ack})
			}
		}, false},
		{"SYN-ACK for another SYN first", func(e *end, s *heard) {
			e.send(made{flags: syn | ack, ack: at(e.ack + 7)})
			e.send(made{flags: syn | ack})
		}, true},
		{"FIN behind the handshake", func(e *end, s *heard) {
			e.send(made{flags: syn | ack})
			time.Sleep(20 * time.Millisecond)
			e.send(made{flags: fin | ack, seq: at(e.seq + 1)})
		}, true},
		{"reset out of order behind the handshake", func(e *end, s *heard) {
			e.send(made{flags: syn | ack})
			time.Sleep(20 * time.Millisecond)
			e.send(made{flags: rst, seq: at(e.seq + 1 + 1<<30)})
		}, true},
		{"reset that goes astray, then a SYN", func(e *end, s *heard) {
			e.send(made{flags: syn | ack})
			time.Sleep(20 * time.Millisecond)
			e.send(made{flags: rst, seq: at(e.seq + 1), astray: true})
			e.send(made{flags: syn, seq: at(99_000)})
			time.Sleep(20 * time.Millisecond)
		}, true},
		{"acknowledgement of the future", func(e *end, s *heard) {
			e.send(made{flags: syn | ack})
			time.Sleep(20 * time.Millisecond)
			e.send(made{flags: ack, seq: at(e.seq + 1), ack: at(e.ack + 500)})
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			p := b.start(settings{Grace: time.Millisecond, Ports: []policy.PortRange{{First: 443, Last: 443}}})
			b.await(true)
			time.Sleep(5 * time.Millisecond)
			out, err := b.Client.Command(t.Context(), "ip", "neigh", "replace", madeOrigin, "lladdr", "0a:00:5e:00:00:14", "dev", "eth0", "nud", "permanent").CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			e := &end{t: t, tap: openTap(t, b.Origin), mac: "0a:00:5e:00:00:14", peerMAC: "0a:00:5e:00:00:11", ip: net.ParseIP(madeOrigin).To4(), port: 443, seq: 77_000}
			dialed, gone := make(chan error, 1), make(chan struct{})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer func() {
				cancel()
				<-gone
			}()
			go func() {
				defer close(gone)
				conn, err := b.Client.DialContext(ctx, "tcp", madeOrigin+":443")
				if err == nil {
					defer conn.Close()
					time.Sleep(100 * time.Millisecond)
					_, err = io.WriteString(conn, secret)
					time.Sleep(700 * time.Millisecond)
				}
				dialed <- err
			}()
			s := e.await(syn, 2*time.Second)
			e.ack = s.Seq + 1
			tt.answer(e, s)
			arrived := false
			for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
				h := e.hear(50 * time.Millisecond)
				arrived = arrived || h != nil && strings.Contains(h.body, secret[8:])
			}
			if arrived && len(p.seen()) == 0 {
				t.Error("the secret passed without a session")
			}
			if tt.opens {
				if err := <-dialed; err != nil {
					t.Errorf("the client: %v", err)
				}
			}
			p.stop()
		})
	}
}

// sums writes the sums of a frame with IPv4 and a TCP header.
func sums(frame []byte) {
	ip, tcp := frame[14:34], frame[34:54]
	binary.BigEndian.PutUint16(ip[10:], 0)
	binary.BigEndian.PutUint16(tcp[16:], 0)
	binary.BigEndian.PutUint16(ip[10:], onesComplement(ip))
	binary.BigEndian.PutUint16(tcp[16:], onesComplement(append(append([]byte{0, 6, 0, 20}, ip[12:20]...), tcp...)))
}

func onesComplement(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
