package rowstest

import (
	"fmt"
	"hash/fnv"
	"io"
	"net/netip"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/mirror"
)

// Frame is one of a capture.
type Frame struct {
	Octets []byte
	At     time.Time
}

// Render says how rows become frames. The zero value is usable.
type Render struct {
	MTU    int // of IP packets; default 1500
	Client netip.Addr
	Server netip.Addr
	Port   uint16 // clients' ports are above it; 0: it comes from the row's name
}

// begin is when the first frame of each row was sent.
var begin = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// Frames returns the frames of a row, in their order.
func (r Render) Frames(row *Row) []Frame {
	if r.MTU == 0 {
		r.MTU = 1500
	}
	if !r.Client.IsValid() {
		r.Client, r.Server = netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("203.0.113.80")
	}
	g := &gatherer{mtu: r.MTU, at: begin, port: r.Port}
	if g.port == 0 {
		h := fnv.New32a()
		h.Write([]byte(row.Name))
		g.port = 20_000 + uint16(h.Sum32()%4000)*10
	}
	for i := range row.Talks {
		r.talk(g, &row.Talks[i])
	}
	return g.frames
}

// gatherer is a sink that keeps frames.
type gatherer struct {
	frames []Frame
	mtu    int
	at     time.Time
	lose   bool // frames with a payload
	port   uint16
}

func (g *gatherer) Send(frames []mirror.Frame) (int, error) {
	for i := range frames {
		f := &frames[i]
		g.at = g.at.Add(50 * time.Microsecond)
		if g.lose && len(f.Payload) > 0 {
			continue
		}
		g.frames = append(g.frames, Frame{append(append([]byte(nil), f.Header...), f.Payload...), g.at})
	}
	return len(frames), nil
}
func (g *gatherer) MTU() int   { return g.mtu }
func (g *gatherer) Idle() bool { return false }

// talk renders one connection.
func (r Render) talk(g *gatherer, t *Talk) {
	server, client := t.Server, t.Client
	if server == 0 {
		server = 80
	}
	if client == 0 {
		g.port++
		client = g.port
	}
	f := mirror.Flow{Client: netip.AddrPortFrom(r.Client, client), Origin: netip.AddrPortFrom(r.Server, server)}
	if t.Active {
		f = mirror.Flow{Client: netip.AddrPortFrom(r.Server, client), Origin: netip.AddrPortFrom(r.Client, server)}
	}
	isn := uint32(server)<<16 | uint32(client)
	c := mirror.Open(g, f, mirror.Options{
		Ports: func(port uint16, _ string) uint16 { return port }, Now: func() time.Time { return g.at },
		ISN: func() uint32 { isn += 0x10001; return isn },
	})
	for _, s := range t.Steps {
		if s.Then != nil {
			r.talk(g, s.Then)
		}
		if len(s.Octets) > 0 {
			c.Data(mirror.Direction(s.From), s.Octets)
		}
		if s.Lose > 0 {
			g.lose = true
			c.Data(mirror.Direction(s.From), make([]byte, s.Lose))
			g.lose = false
		}
	}
	if t.Reset {
		c.Reset(mirror.Direction(proto.OriginToClient))
		return
	}
	c.Close()
}

// Write writes frames as a pcap file with nanoseconds.
func Write(w io.Writer, frames []Frame) error {
	out, err := newWriter(w)
	if err != nil {
		return err
	}
	return out.write(frames)
}

// writer writes a pcap file.
type writer struct{ *pcapgo.Writer }

// newWriter writes the head of the file.
func newWriter(w io.Writer) (writer, error) {
	p := pcapgo.NewWriterNanos(w)
	return writer{p}, p.WriteFileHeader(1<<18, layers.LinkTypeEthernet)
}

func (w writer) write(frames []Frame) error {
	for i, f := range frames {
		info := gopacket.CaptureInfo{Timestamp: f.At, CaptureLength: len(f.Octets), Length: len(f.Octets)}
		if err := w.WritePacket(info, f.Octets); err != nil {
			return fmt.Errorf("frame %d: %w", i+1, err)
		}
	}
	return nil
}
