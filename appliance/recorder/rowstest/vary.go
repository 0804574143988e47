package rowstest

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Variation is a way in which the same frames reach a recorder otherwise.
type Variation struct {
	Name   string
	Render Render
	Change func([]Frame) []Frame // nil: none
}

// Frames returns the frames of a row in this way.
func (v *Variation) Frames(row *Row) []Frame {
	f := v.Render.Frames(row)
	if v.Change != nil {
		f = v.Change(f)
	}
	return f
}

// Fits reports whether a row can be had in this way. Addresses within a dialogue are of
// IPv4.
func (v *Variation) Fits(row *Row) bool {
	if v.Name == "without handshakes" && strings.HasPrefix(row.Name, "ftp ") {
		return false // which end of a data connection is the client shows in its handshake
	}
	return !v.Render.Client.Is6() || !strings.HasPrefix(row.Name, "ftp ") || strings.HasSuffix(row.Name, " epsv")
}

// Variations returns ways in which each row must give the same files.
func Variations() []Variation {
	return []Variation{
		{Name: "small segments", Change: func(f []Frame) []Frame { return Segment(f, 100) }},
		{Name: "tiny segments, out of order", Change: func(f []Frame) []Frame { return Disorder(Segment(f, 47)) }},
		{Name: "large segments", Render: Render{MTU: 65_000}},
		{Name: "ipv6", Render: Render{Client: netip.MustParseAddr("2001:db8:1::3"), Server: netip.MustParseAddr("2001:db8:80::80")}},
		{Name: "out of order", Change: Disorder},
		{Name: "twice", Change: Twice},
		{Name: "sent again", Change: Again},
		{Name: "without handshakes", Change: Headless},
		{Name: "answers first", Change: Reply},
		{Name: "vlan", Change: func(f []Frame) []Frame { return Tag(f, 0x8100, 7) }},
		{Name: "vlan in vlan", Change: func(f []Frame) []Frame { return Tag(Tag(f, 0x8100, 7), 0x88a8, 9) }},
		{Name: "vxlan", Change: VXLAN},
		{Name: "gre", Change: GRE},
	}
}

// Disorder has neighbours change places where one end sent both.
func Disorder(frames []Frame) []Frame {
	out := slices.Clone(frames)
	for i := 1; i < len(out); i += 3 {
		if len(out[i].Octets) > 100 && string(out[i].Octets[6:12]) == string(out[i-1].Octets[6:12]) {
			out[i].Octets, out[i-1].Octets = out[i-1].Octets, out[i].Octets
		}
	}
	return out
}

// Twice has each frame come twice, as from both ports of a switch.
func Twice(frames []Frame) []Frame {
	out := make([]Frame, 0, 2*len(frames))
	for _, f := range frames {
		out = append(out, f, f)
	}
	return out
}

// Again has every fourth frame come again, four frames later.
func Again(frames []Frame) []Frame {
	out := make([]Frame, 0, len(frames)*5/4+1)
	for i, f := range frames {
		out = append(out, f)
		if i >= 4 && i%4 == 0 {
			out = append(out, Frame{frames[i-4].Octets, f.At})
		}
	}
	return out
}

// each makes other frames out of frames.
func each(frames []Frame, change func(p []byte) []byte) []Frame {
	out := make([]Frame, len(frames))
	for i, f := range frames {
		out[i] = Frame{change(f.Octets), f.At}
	}
	return out
}

// Tag puts frames into a VLAN (IEEE 802.1Q), by a tag of that type.
func Tag(frames []Frame, kind, vlan uint16) []Frame {
	return each(frames, func(p []byte) []byte {
		out := append(make([]byte, 0, len(p)+4), p[:12]...)
		out = binary.BigEndian.AppendUint16(out, kind)
		out = binary.BigEndian.AppendUint16(out, vlan)
		return append(out, p[12:]...)
	})
}

// outer returns an Ethernet and an IPv4 header between two ends of a tunnel.
func outer(protocol byte, length int) []byte {
	p := append(make([]byte, 0, 64+length), 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0)
	p = append(p, 0x45, 0)
	p = binary.BigEndian.AppendUint16(p, uint16(20+length))
	p = append(p, 0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2)
	binary.BigEndian.PutUint16(p[24:], checksum(p[14:34]))
	return p
}

// VXLAN wraps frames (RFC 7348) in network 12.
func VXLAN(frames []Frame) []Frame {
	return each(frames, func(p []byte) []byte {
		out := outer(17, 16+len(p))
		out = binary.BigEndian.AppendUint16(out, 55_000)
		out = binary.BigEndian.AppendUint16(out, 4789)
		out = binary.BigEndian.AppendUint16(out, uint16(16+len(p)))
		out = append(out, 0, 0, 8, 0, 0, 0, 0, 0, 12, 0)
		return append(out, p...)
	})
}

// GRE wraps the frames (RFC 2784), as transparent Ethernet.
func GRE(frames []Frame) []Frame {
	return each(frames, func(p []byte) []byte {
		return append(append(outer(47, 4+len(p)), 0, 0, 0x65, 0x58), p...)
	})
}

// Together returns one capture of many rows, which happen at the same time.
func Together(rows []Row) []Frame { return together(rows, Render{}) }

func together(rows []Row, r Render) (frames []Frame) {
	r.Port = 10_000
	for i := range rows {
		frames = append(frames, r.Frames(&rows[i])...)
		r.Port += 20
	}
	slices.SortStableFunc(frames, func(a, b Frame) int { return a.At.Compare(b.At) })
	return frames
}

// Headless leaves out the frames with which connections of IPv4 begin.
func Headless(frames []Frame) (out []Frame) {
	for _, f := range frames {
		tcp := 14 + int(f.Octets[14]&15)*4
		if f.Octets[tcp+13]&2 == 0 { // SYN
			out = append(out, f)
		}
	}
	return out
}

// Reply returns frames as a monitor sees them that gets each direction from a port of its
// own, and that of the server a little earlier.
func Reply(frames []Frame) []Frame {
	out := slices.Clone(frames)
	for i := range out {
		if string(out[i].Octets[6:12]) != string(frames[0].Octets[6:12]) {
			out[i].At = out[i].At.Add(-120 * time.Microsecond)
		}
	}
	slices.SortStableFunc(out, func(a, b Frame) int { return a.At.Compare(b.At) })
	return out
}
