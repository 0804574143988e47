package explain

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

const (
	maxFlows   = 65_536    // followed at a time; the oldest makes room
	maxFlight  = 128 << 10 // octets kept of one client
	maxPieces  = 64        // segments kept that came before their turn
	maxKept    = 256 << 20 // octets kept of all clients
	maxPackage = 1 << 18   // octets of a captured packet
)

// flow is the client's side of one TCP connection, as far as a decision needs it.
type flow struct {
	client, origin netip.AddrPort
	start          time.Time
	frame          int  // number of its first frame, from 1
	whole          bool // its beginning was captured
	flight         []byte

	isn    uint32 // of the client, if whole
	next   uint32 // sequence number behind flight
	known  bool   // next is
	pieces []piece
	told   bool // nothing more is wanted of it
}

// piece is a segment that came before its turn.
type piece struct {
	sequence uint32
	octets   []byte
}

// ends are both ends of a connection, whoever is the client.
type ends struct{ a, b netip.AddrPort }

func endsOf(x, y netip.AddrPort) ends {
	if x.Compare(y) > 0 {
		x, y = y, x
	}
	return ends{x, y}
}

// flows follows the connections of a capture.
type flows struct {
	tell   func(f *flow, last bool) (enough bool)
	table  map[ends]*flow
	order  []*flow // from the oldest on; some are in the table no more
	kept   int
	frames int
}

// read calls tell for every connection of a capture, pcap or pcapng, whenever its
// client has said more, until that is enough, and with last when no more will come.
func read(r io.Reader, tell func(f *flow, last bool) bool) (frames int, err error) {
	source, err := open(r)
	if err != nil {
		return 0, fmt.Errorf("read capture: %w", err)
	}
	fs := &flows{tell: tell, table: make(map[ends]*flow)}
	defer func() {
		for _, f := range fs.order {
			fs.finish(f)
		}
	}()
	for {
		data, info, err := source.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return fs.frames, nil
		}
		if err != nil {
			return fs.frames, fmt.Errorf("read frame %d: %w", fs.frames+1, err)
		}
		fs.frames++
		if len(data) <= maxPackage {
			fs.packet(gopacket.NewPacket(data, source.LinkType(), gopacket.DecodeOptions{Lazy: true, NoCopy: true}), info.Timestamp)
		}
	}
}

// source is a reader of either format.
type source interface {
	gopacket.PacketDataSource
	LinkType() layers.LinkType
}

// open tells the format from the first octets.
func open(r io.Reader) (source, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	magic, err := b.Peek(4)
	if err != nil {
		return nil, errors.New("neither pcap nor pcapng")
	}
	var s source
	if binary.BigEndian.Uint32(magic) == 0x0a0d0d0a { // a section header block
		s, err = pcapgo.NewNgReader(b, pcapgo.DefaultNgReaderOptions)
	} else {
		s, err = pcapgo.NewReader(b)
	}
	if err != nil {
		return nil, fmt.Errorf("neither pcap nor pcapng: %w", err)
	}
	return s, nil
}

// packet takes one frame.
func (fs *flows) packet(p gopacket.Packet, at time.Time) {
	tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
	if !ok || p.NetworkLayer() == nil {
		return
	}
	network := p.NetworkLayer().NetworkFlow()
	src, ok1 := netip.AddrFromSlice(network.Src().Raw())
	dst, ok2 := netip.AddrFromSlice(network.Dst().Raw())
	if !ok1 || !ok2 {
		return
	}
	from, to := netip.AddrPortFrom(src.Unmap(), uint16(tcp.SrcPort)), netip.AddrPortFrom(dst.Unmap(), uint16(tcp.DstPort))
	key := endsOf(from, to)
	f := fs.table[key]
	if opens := tcp.SYN && !tcp.ACK; opens && f != nil && (f.client != from || f.isn != tcp.Seq) {
		fs.finish(f) // another connection of the same ports
		f = nil
	}
	if f == nil {
		f = &flow{start: at, frame: fs.frames}
		f.client, f.origin = orient(tcp, from, to)
		fs.add(key, f)
	}
	if f.told || from != f.client {
		return
	}
	if tcp.SYN {
		f.whole, f.known, f.isn, f.next = true, true, tcp.Seq, tcp.Seq+1
	}
	if payload := tcp.LayerPayload(); len(payload) > 0 && !tcp.SYN {
		fs.take(f, tcp.Seq, payload)
	}
	if tcp.FIN || tcp.RST {
		fs.finish(f)
	}
}

// orient tells client and origin: by who opens, else by the lower port.
func orient(tcp *layers.TCP, from, to netip.AddrPort) (client, origin netip.AddrPort) {
	if tcp.SYN && tcp.ACK || !tcp.SYN && from.Port() < to.Port() {
		return to, from
	}
	return from, to
}

// add follows f from now on.
func (fs *flows) add(key ends, f *flow) {
	if len(fs.order) >= maxFlows {
		oldest := fs.order[0]
		fs.order = fs.order[1:]
		fs.finish(oldest)
		if k := endsOf(oldest.client, oldest.origin); fs.table[k] == oldest {
			delete(fs.table, k)
		}
	}
	fs.table[key] = f
	fs.order = append(fs.order, f)
}

// take adds a segment of the client's.
func (fs *flows) take(f *flow, sequence uint32, payload []byte) {
	if !f.known {
		f.known, f.next = true, sequence
	}
	before := len(f.flight)
	if !f.join(sequence, payload) {
		if len(f.pieces) < maxPieces && int32(sequence-f.next) < maxFlight {
			f.pieces = append(f.pieces, piece{sequence, slices.Clone(payload)})
			fs.kept += len(payload)
		}
	} else {
		for again := true; again; {
			again = false
			for i, p := range f.pieces {
				if f.join(p.sequence, p.octets) {
					fs.kept -= len(p.octets)
					f.pieces = slices.Delete(f.pieces, i, i+1)
					again = true
					break
				}
			}
		}
	}
	grown := len(f.flight) - before
	fs.kept += grown
	switch {
	case grown > 0 && fs.tell(f, false):
		fs.forget(f)
	case len(f.flight) >= maxFlight, fs.kept > maxKept:
		fs.finish(f)
	}
}

// join appends what is new in a segment, and reports false if it comes before its
// turn.
func (f *flow) join(sequence uint32, payload []byte) bool {
	old := int32(f.next - sequence)
	switch {
	case old < 0:
		return false
	case int(old) < len(payload):
		n := min(len(payload)-int(old), maxFlight-len(f.flight))
		f.flight = append(f.flight, payload[old:int(old)+n]...)
		f.next += uint32(len(payload)) - uint32(old)
	}
	return true
}

// finish tells of a connection for the last time.
func (fs *flows) finish(f *flow) {
	if f == nil || f.told {
		return
	}
	fs.tell(f, true)
	fs.forget(f)
}

// forget keeps no octets of f any more.
func (fs *flows) forget(f *flow) {
	f.told = true
	fs.kept -= len(f.flight)
	for _, p := range f.pieces {
		fs.kept -= len(p.octets)
	}
	f.flight, f.pieces = nil, nil
}
