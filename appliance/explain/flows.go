package explain

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/clearspan/clearspan/mirror/capfile"
)

const (
	maxFlows  = 65_536    // followed at a time; the oldest makes room
	maxFlight = 128 << 10 // octets kept of one client
	maxPieces = 64        // segments kept that came before their turn
	maxKept   = 256 << 20 // octets kept of all clients
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
	source, err := capfile.NewReader(r)
	if err != nil {
		return 0, err
	}
	fs := &flows{tell: tell, table: make(map[ends]*flow)}
	defer func() {
		for _, f := range fs.order {
			fs.finish(f)
		}
	}()
	unread := make(map[uint16]int) // frames of link types that nothing reads
	for {
		f, err := source.Next()
		if errors.Is(err, io.EOF) {
			return fs.frames, unreadable(unread, fs.frames)
		}
		if err != nil {
			return fs.frames, errors.Join(fmt.Errorf("read frame %d: %w", fs.frames+1, err), unreadable(unread, fs.frames))
		}
		fs.frames++
		if linkOf(f.Link) == nil {
			unread[f.Link]++
			continue
		}
		fs.packet(f)
	}
}

// unreadable returns an error that names the link types of frames that were not read.
func unreadable(frames map[uint16]int, all int) error {
	var errs []error
	for _, link := range slices.Sorted(maps.Keys(frames)) {
		errs = append(errs, fmt.Errorf("%s of %d not read: link type %s", count(frames[link], "frame"), all, capfile.LinkName(link)))
	}
	return errors.Join(errs...)
}

// packet takes one frame.
func (fs *flows) packet(captured capfile.Frame) {
	tcp, ok := innermost(captured.Link, captured.Octets)
	if !ok {
		return
	}
	from := tcp.from
	key := endsOf(from, tcp.to)
	f := fs.table[key]
	if opens := tcp.syn && !tcp.ack; opens && f != nil && (f.client != from || f.isn != tcp.sequence) {
		fs.finish(f) // another connection of the same ports
		f = nil
	}
	if f == nil {
		f = &flow{start: captured.At, frame: fs.frames}
		f.client, f.origin = orient(&tcp)
		fs.add(key, f)
	}
	if f.told || from != f.client {
		return
	}
	if tcp.syn {
		f.whole, f.known, f.isn, f.next = true, true, tcp.sequence, tcp.sequence+1
	}
	if len(tcp.payload) > 0 && !tcp.syn {
		fs.take(f, tcp.sequence, tcp.payload)
	}
	if tcp.fin || tcp.rst {
		fs.finish(f)
	}
}

// orient tells client and origin: by who opens, else by the lower port.
func orient(tcp *segment) (client, origin netip.AddrPort) {
	if tcp.syn && tcp.ack || !tcp.syn && tcp.from.Port() < tcp.to.Port() {
		return tcp.to, tcp.from
	}
	return tcp.from, tcp.to
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
