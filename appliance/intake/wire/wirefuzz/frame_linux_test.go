package wirefuzz

import (
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
)

// way is what the frames of one direction of a case share.
type way struct {
	from, to       netip.AddrPort
	fromMAC, toMAC net.HardwareAddr
}

// numbers are what a segment refers to when it is sent.
type numbers struct {
	seq, ack uint32 // of the segment's first octet; next expected of the peer
	stamps   bool
	time     uint32
	echo     uint32 // the peer's last timestamp
}

const (
	protoTCP      = 6
	protoFragment = 44
	etherIPv4     = 0x0800
	etherIPv6     = 0x86dd
	etherVLAN     = 0x8100
	etherQinQ     = 0x88a8
)

// Timestamps, in relation to what is right.
var stampOffsets = map[string]uint32{"": 0, "odd": 0, "old": 1<<32 - 5000, "future": 1 << 30}

// frames returns the Ethernet frames of a segment: one, or one for each fragment.
func (s *Segment) frames(w way, n numbers, bare bool) [][]byte {
	packet := s.tcp(w, n, s.body(), bare)
	proto := byte(protoTCP)
	v6 := w.from.Addr().Is6() || s.Mapped
	var before []byte // extension headers
	if v6 {
		before, proto = extensionHeaders(s.Headers, proto)
	}
	if len(s.Fragments) == 0 {
		return [][]byte{s.ether(w, s.ip(w, proto, before, packet, nil))}
	}
	cover := packet
	if s.Cover != "" {
		t := *s
		t.Text = s.Cover
		cover = t.tcp(w, n, t.body(), bare)
	}
	var all [][]byte
	id := n.seq*7 ^ uint32(len(packet))
	for _, part := range cuts(s.Fragments, len(packet)) {
		add := func(packet []byte) {
			if part[1] > len(packet) {
				return
			}
			f := &fragment{id: id, offset: part[0], more: part[1] < len(packet)}
			body, before, proto := packet[part[0]:part[1]], before, proto
			if v6 {
				header := binary.BigEndian.AppendUint16([]byte{proto, 0}, uint16(f.offset)|bit(f.more))
				body = slices.Concat(binary.BigEndian.AppendUint32(header, f.id), body)
				// The fragment header is the last of those that each fragment has.
				before, proto = extensionHeaders(s.Headers, protoFragment)
				f = nil
			}
			all = append(all, s.ether(w, s.ip(w, proto, before, body, f)))
		}
		if s.Cover != "" && part[0] > 0 {
			add(cover)
		}
		add(packet)
	}
	if s.Reverse {
		slices.Reverse(all)
	}
	return all
}

func bit(b bool) uint16 {
	if b {
		return 1
	}
	return 0
}

// cuts returns bounds of fragments. All but the last have a multiple of 8 octets; a cut
// at 0 makes an atomic one.
func cuts(at []int, length int) (list [][2]int) {
	last := 0
	for _, a := range at {
		a = a &^ 7
		if a > last && a < length {
			list = append(list, [2]int{last, a})
			last = a
		}
	}
	return append(list, [2]int{last, length})
}

// fragment is what the IPv4 header of one says.
type fragment struct {
	id     uint32
	offset int
	more   bool
}

// tcp returns the TCP header and its payload.
func (s *Segment) tcp(w way, n numbers, body []byte, bare bool) []byte {
	var options []byte
	if s.has("S") && !bare {
		options = append(options, 2, 4, 5, 180, 1, 3, 3, 7, 4, 2)
	}
	if s.TFO {
		options = append(options, 34, 2)
	}
	options = append(options, s.stamp(n)...)
	more, _ := hex.DecodeString(s.Option)
	options = append(options, more...)
	options = options[:min(len(options), 40)]
	for len(options)%4 != 0 {
		options = append(options, 1)
	}
	b := make([]byte, 20, 20+len(options)+len(body))
	binary.BigEndian.PutUint16(b, w.from.Port())
	binary.BigEndian.PutUint16(b[2:], w.to.Port())
	binary.BigEndian.PutUint32(b[4:], n.seq)
	if s.has("A") || s.Ack != 0 {
		binary.BigEndian.PutUint32(b[8:], n.ack+uint32(s.Ack))
	}
	b[12] = byte(5+len(options)/4+s.Words) << 4
	b[13] = flagBits(s.Flags)
	window := 65000
	if s.Window != 0 {
		window = max(s.Window, 0)
	}
	binary.BigEndian.PutUint16(b[14:], uint16(window))
	binary.BigEndian.PutUint16(b[18:], uint16(s.Urgent))
	b = append(append(b, options...), body...)
	sum := checksum(pseudo(w, len(b)), b)
	if s.BadSum {
		sum ^= 0x5555
	}
	binary.BigEndian.PutUint16(b[16:], sum)
	return b
}

// stamp returns the timestamp option.
func (s *Segment) stamp(n numbers) []byte {
	if s.Time == "none" || !n.stamps && s.Time == "" {
		return nil
	}
	value := n.time + stampOffsets[s.Time]
	if s.Time == "zero" {
		value = 0
	}
	echo := n.echo
	if s.has("S") && !s.has("A") {
		echo = 0
	}
	option := binary.BigEndian.AppendUint32([]byte{8, 10}, value)
	option = binary.BigEndian.AppendUint32(option, echo)
	if s.Time == "odd" {
		return append(option, 1, 1)
	}
	return append([]byte{1, 1}, option...)
}

// pseudo returns the pseudo header of a TCP segment.
func pseudo(w way, length int) []byte {
	b := append(w.from.Addr().AsSlice(), w.to.Addr().AsSlice()...)
	return append(b, 0, protoTCP, byte(length>>8), byte(length))
}

func checksum(parts ...[]byte) uint16 {
	var sum uint32
	for _, b := range parts { // all but the last of even length
		for ; len(b) >= 2; b = b[2:] {
			sum += uint32(b[0])<<8 | uint32(b[1])
		}
		if len(b) == 1 {
			sum += uint32(b[0]) << 8
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// ip returns the packet that carries body.
func (s *Segment) ip(w way, proto byte, before, body []byte, f *fragment) []byte {
	ttl := byte(64)
	if s.TTL != 0 {
		ttl = byte(max(s.TTL, 0))
	}
	if w.from.Addr().Is6() || s.Mapped {
		version := byte(6)
		if s.Version != 0 {
			version = byte(s.Version)
		}
		b := make([]byte, 8, 40+len(before)+len(body))
		b[0] = version << 4
		binary.BigEndian.PutUint16(b[4:], uint16(len(before)+len(body)+s.Length))
		b[6], b[7] = proto, ttl
		if len(before) > 0 {
			b[6] = before[0] // extensionHeaders puts the first one's type there
			before = before[1:]
			binary.BigEndian.PutUint16(b[4:], uint16(len(before)+len(body)+s.Length))
		}
		from, to := w.from.Addr().As16(), w.to.Addr().As16()
		b = append(append(b, from[:]...), to[:]...)
		return append(append(b, before...), body...)
	}
	options, _ := hex.DecodeString(s.IPOption)
	for len(options)%4 != 0 {
		options = append(options, 0)
	}
	options = options[:min(len(options), 40)]
	version := byte(4)
	if s.Version != 0 {
		version = byte(s.Version)
	}
	b := make([]byte, 20, 20+len(options)+len(body))
	b[0] = version<<4 | byte(5+len(options)/4)
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(options)+len(body)+s.Length))
	if f != nil {
		binary.BigEndian.PutUint16(b[4:], uint16(f.id))
		binary.BigEndian.PutUint16(b[6:], uint16(f.offset/8)|bit(f.more)<<13)
	}
	b[8], b[9] = ttl, proto
	from, to := w.from.Addr().As4(), w.to.Addr().As4()
	copy(b[12:], from[:])
	copy(b[16:], to[:])
	b = append(b, options...)
	sum := checksum(b)
	if s.BadIPSum {
		sum ^= 0x5555
	}
	binary.BigEndian.PutUint16(b[10:], sum)
	return append(b, body...)
}

// extensions are IPv6 extension headers: their type, and what follows the octet of the
// next one's type. The length octet counts units of 8 octets behind the first.
var extensions = map[string]struct {
	kind byte
	rest string
}{
	"hop-by-hop":       {0, "00010400000000"},
	"hop-by-hop alert": {0, "00050200000100"},
	"destination":      {60, "00010400000000"},
	"destination long": {60, "02011400000000000000000000000000000000000000000000"[:46]},
	"routing 0":        {43, "00000000000000"},
	"routing 2":        {43, "00020000000000"},
	"routing 3":        {43, "00030000000000"},
	"routing 4":        {43, "00040000000000"},
	"routing 0 left 1": {43, "02000100000000" + "20010db8000200000000000000000010"},
	"atomic fragment":  {44, "00000000000001"},
	"authentication":   {51, "04000000000001" + "0000000000000000" + "0000000000000000"},
	"mobility":         {135, "00000000000000"},
	"HIP":              {139, "00000000000000"},
	"shim6":            {140, "00000000000000"},
	"experiment":       {253, "00000000000000"},
}

// extensionHeaders returns the headers, before them the type of the first, and what is
// to stand in the IPv6 header if there are none.
func extensionHeaders(names []string, last byte) (b []byte, proto byte) {
	if len(names) == 0 {
		return nil, last
	}
	b = append(b, extensions[names[0]].kind)
	for i, name := range names {
		next := last
		if i+1 < len(names) {
			next = extensions[names[i+1]].kind
		}
		rest, _ := hex.DecodeString(extensions[name].rest)
		b = append(append(b, next), rest...)
	}
	return b, last
}

// ether returns the frame of a packet.
func (s *Segment) ether(w way, packet []byte) []byte {
	to, from := w.toMAC, w.fromMAC
	switch s.MAC {
	case "broadcast":
		to = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	case "group":
		to = net.HardwareAddr{0x01, 0x00, 0x5e, 0, 0, 1}
	case "other":
		to = net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, 0x77}
	case "from other":
		from = net.HardwareAddr{0x0a, 0, 0x5e, 0, 0, 0x78}
	}
	b := append(append(make([]byte, 0, 64+len(packet)), to...), from...)
	for _, tag := range s.Tags {
		b = binary.BigEndian.AppendUint32(b, tag)
	}
	kind := uint16(etherIPv4)
	if w.from.Addr().Is6() || s.Mapped {
		kind = etherIPv6
	}
	if s.SNAP {
		b = binary.BigEndian.AppendUint16(b, uint16(8+len(packet)))
		b = append(b, 0xaa, 0xaa, 3, 0, 0, 0)
	}
	b = binary.BigEndian.AppendUint16(b, kind)
	return append(append(b, packet...), make([]byte, s.Trailer)...)
}

// heard is what a TCP frame of the peer says.
type heard struct {
	from, to netip.AddrPort
	seq, ack uint32
	flags    byte
	time     uint32
	body     []byte // borrows the frame
}

// hear reads a frame without tag, IP options and extension headers; nothing else comes
// from the sockets of Linux.
func hear(b []byte) (h heard, ok bool) {
	if len(b) < 14+20+20 {
		return h, false
	}
	packet := b[14:]
	var from, to netip.Addr
	switch binary.BigEndian.Uint16(b[12:]) {
	case etherIPv4:
		length := int(binary.BigEndian.Uint16(packet[2:]))
		if packet[0] != 0x45 || packet[9] != protoTCP || length > len(packet) || length < 40 {
			return h, false
		}
		from, to = netip.AddrFrom4([4]byte(packet[12:16])), netip.AddrFrom4([4]byte(packet[16:20]))
		packet = packet[20:length]
	case etherIPv6:
		length := 40 + int(binary.BigEndian.Uint16(packet[4:]))
		if packet[6] != protoTCP || length > len(packet) || length < 60 {
			return h, false
		}
		from, to = netip.AddrFrom16([16]byte(packet[8:24])), netip.AddrFrom16([16]byte(packet[24:40]))
		packet = packet[40:length]
	default:
		return h, false
	}
	header := int(packet[12]>>4) * 4
	if header < 20 || header > len(packet) {
		return h, false
	}
	h = heard{
		from: netip.AddrPortFrom(from, binary.BigEndian.Uint16(packet)),
		to:   netip.AddrPortFrom(to, binary.BigEndian.Uint16(packet[2:])),
		seq:  binary.BigEndian.Uint32(packet[4:]), ack: binary.BigEndian.Uint32(packet[8:]),
		flags: packet[13], body: packet[header:],
	}
	for o := packet[20:header]; len(o) > 0; {
		if o[0] == 1 {
			o = o[1:]
			continue
		}
		if o[0] == 0 || len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			break
		}
		if o[0] == 8 && o[1] == 10 {
			h.time = binary.BigEndian.Uint32(o[2:])
		}
		o = o[o[1]:]
	}
	return h, true
}
