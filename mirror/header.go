package mirror

import (
	"encoding/binary"

	"github.com/clearspan/clearspan/mirror/internal/checksum"
)

// Header lengths in octets.
const (
	ethernetHeader = 14
	vlanTag        = 4
	ipv4Header     = 20
	ipv6Header     = 40
	tcpHeader      = 20
	timestamps     = 12                                                             // NOP, NOP, timestamps option
	segmentHeader  = ethernetHeader + vlanTag + ipv6Header + tcpHeader + timestamps // longest: 90
	maxOptions     = 40                                                             // data offset of 15 words, RFC 9293, Section 3.1
	synHeader      = ethernetHeader + vlanTag + ipv6Header + tcpHeader + maxOptions // longest: 118
	overhead4      = ipv4Header + tcpHeader                                         // MTU less MSS, RFC 9293, Section 3.7.1
	overhead6      = ipv6Header + tcpHeader
)

const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagPSH = 0x08
	flagACK = 0x10
)

const (
	// window is the window field of every segment, SYNs included. It is a prime
	// above any MSS: neither it nor window<<windowShift is ever a multiple of
	// the MSS, which analysers take for a full window.
	window      = 65521
	windowShift = 1
	// maxUnacked bounds the octets that stand unacknowledged in one direction.
	// It lies below 64 KiB and, with a FIN, below window, so that even a reader
	// who missed the window scale sees no full window.
	maxUnacked = window - 2
	hopLimit   = 64
)

// template is the constant part of one direction's frames.
type template struct {
	octets [segmentHeader]byte
	id     uint16 // next IPv4 identification
	ipSum  uint32 // IPv4 header without length, identification and checksum
	tcpSum uint32 // pseudo-header without length, TCP header without what changes
	pseudo uint32 // pseudo-header without length
}

// layout says where headers start in a frame.
type layout struct {
	ip, tcp, end uint8 // offsets in octets; end is the length of all headers
	v6           bool
	timestamps   bool // every segment carries them
}

func newLayout(v6, tagged, stamped bool) layout {
	l := layout{ip: ethernetHeader, v6: v6, timestamps: stamped}
	if tagged {
		l.ip += vlanTag
	}
	l.tcp = l.ip + ipv4Header
	if v6 {
		l.tcp = l.ip + ipv6Header
	}
	l.end = l.tcp + uint8(l.tcpLength())
	return l
}

// tcpLength returns the length of the TCP header of every segment but SYNs.
func (l layout) tcpLength() int {
	if l.timestamps {
		return tcpHeader + timestamps
	}
	return tcpHeader
}

// overhead returns what the IP and TCP headers take from the MTU, options aside.
func (l layout) overhead() int {
	if l.v6 {
		return overhead6
	}
	return overhead4
}

// newTemplate builds the header of one direction. flow is a seen one, ttl not 0.
func newTemplate(dir Direction, flow Flow, mark Mark, ttl uint8, l layout) template {
	source, destination := flow.Client, flow.Origin
	sourceMAC, destinationMAC := flow.ClientMAC, flow.OriginMAC
	if dir == OriginToClient {
		source, destination = destination, source
		sourceMAC, destinationMAC = destinationMAC, sourceMAC
	}
	if mark.SourceMAC != ([6]byte{}) {
		sourceMAC = mark.SourceMAC
	}

	var t template
	h := t.octets[:l.end]
	copy(h[0:], destinationMAC[:])
	copy(h[6:], sourceMAC[:])
	if l.ip > ethernetHeader {
		binary.BigEndian.PutUint16(h[12:], 0x8100)
		binary.BigEndian.PutUint16(h[14:], flow.VLAN)
	}
	ip, tcp := h[l.ip:l.tcp], h[l.tcp:]
	var addresses []byte
	if l.v6 { // RFC 8200, Section 3; the flow label stays 0
		binary.BigEndian.PutUint16(h[l.ip-2:], 0x86dd)
		binary.BigEndian.PutUint32(ip, 6<<28|uint32(mark.DSCP&63)<<22)
		ip[6], ip[7] = 6, ttl
		from, to := source.Addr().As16(), destination.Addr().As16()
		copy(ip[8:], from[:])
		copy(ip[24:], to[:])
		addresses = ip[8:]
	} else { // RFC 791, Section 3.1
		binary.BigEndian.PutUint16(h[l.ip-2:], 0x0800)
		ip[0], ip[1] = 4<<4|ipv4Header/4, mark.DSCP&63<<2
		ip[6] = 0x40 // don't fragment
		ip[8], ip[9] = ttl, 6
		from, to := source.Addr().As4(), destination.Addr().As4()
		copy(ip[12:], from[:])
		copy(ip[16:], to[:])
		addresses = ip[12:]
		t.ipSum = uint32(checksum.Sum(ip))
	}
	binary.BigEndian.PutUint16(tcp[0:], source.Port())
	binary.BigEndian.PutUint16(tcp[2:], destination.Port())
	tcp[12] = byte(l.tcpLength() / 4 << 4)
	binary.BigEndian.PutUint16(tcp[14:], window)
	if l.timestamps {
		copy(tcp[20:], []byte{1, 1, 8, 10}) // RFC 7323, Appendix A
	}
	t.pseudo = 6 + uint32(checksum.Sum(addresses))
	t.tcpSum = t.pseudo + uint32(checksum.Sum(tcp))
	return t
}

// put writes the header of one segment to slot and returns it. sum is the
// folded sum of the payload, n its length. It does not allocate.
func (t *template) put(slot *[synHeader]byte, l layout, seq, ack uint32, flags uint8, tsval, tsecr uint32, n int, sum uint16) []byte {
	*(*[segmentHeader]byte)(slot[:]) = t.octets
	size := l.tcpLength() + n
	t.putIP(slot, l, size)
	tcp := (*[tcpHeader + timestamps]byte)(slot[l.tcp:])
	if l.timestamps {
		binary.BigEndian.PutUint32(tcp[24:], tsval)
		binary.BigEndian.PutUint32(tcp[28:], tsecr)
	} else {
		tsval, tsecr = 0, 0
	}
	binary.BigEndian.PutUint32(tcp[4:], seq)
	binary.BigEndian.PutUint32(tcp[8:], ack)
	tcp[13] = flags
	total := uint64(t.tcpSum) + uint64(size) + uint64(flags) + uint64(seq) + uint64(ack) + uint64(tsval) + uint64(tsecr) + uint64(sum)
	binary.BigEndian.PutUint16(tcp[16:], ^checksum.Fold(total))
	return slot[:l.end]
}

// putSuper is put for a super-segment that becomes count segments: the checksum
// is left to who cuts it.
func (t *template) putSuper(slot *[synHeader]byte, l layout, seq, ack uint32, flags uint8, tsval, tsecr uint32, n, count int) []byte {
	header := t.put(slot, l, seq, ack, flags, tsval, tsecr, n, 0)
	sum := uint64(t.pseudo) + uint64(l.tcpLength()+n)
	binary.BigEndian.PutUint16(slot[l.tcp+16:], checksum.Fold(sum))
	t.id += uint16(count - 1)
	return header
}

// putIP writes the fields of the IP header that depend on size, the octets of
// TCP header and payload.
func (t *template) putIP(slot *[synHeader]byte, l layout, size int) {
	if l.v6 {
		binary.BigEndian.PutUint16(slot[l.ip+4:], uint16(size))
		return
	}
	ip := (*[ipv4Header]byte)(slot[l.ip:])
	size += ipv4Header
	binary.BigEndian.PutUint16(ip[2:], uint16(size))
	binary.BigEndian.PutUint16(ip[4:], t.id)
	binary.BigEndian.PutUint16(ip[10:], ^checksum.Fold(uint64(t.ipSum)+uint64(size)+uint64(t.id)))
	t.id++
}

// putSYN writes the header of a SYN or SYN-ACK with its options to slot and
// returns it.
func (t *template) putSYN(slot *[synHeader]byte, l layout, seq, ack uint32, flags uint8, win uint16, options []byte) []byte {
	copy(slot[:], t.octets[:])
	t.putIP(slot, l, tcpHeader+len(options))
	tcp := slot[l.tcp:][:tcpHeader+len(options)]
	binary.BigEndian.PutUint32(tcp[4:], seq)
	binary.BigEndian.PutUint32(tcp[8:], ack)
	tcp[12] = byte(len(tcp) / 4 << 4)
	tcp[13] = flags
	binary.BigEndian.PutUint16(tcp[14:], win)
	copy(tcp[tcpHeader:], options)
	clear(tcp[16:18])
	pseudo := slot[l.ip+12 : l.tcp]
	if l.v6 {
		pseudo = slot[l.ip+8 : l.tcp]
	}
	total := 6 + uint64(len(tcp)) + uint64(checksum.Sum(pseudo)) + uint64(checksum.Sum(tcp))
	binary.BigEndian.PutUint16(tcp[16:], ^checksum.Fold(total))
	return slot[:int(l.tcp)+len(tcp)]
}

// inventOptions appends the options of a SYN that nobody sent: MSS,
// SACK-permitted, timestamps and window scale.
func inventOptions(to []byte, mss uint16, tsval, tsecr uint32) []byte {
	to = append(to, 2, 4) // RFC 9293, Section 3.2
	to = binary.BigEndian.AppendUint16(to, mss)
	to = append(to, 4, 2, 8, 10) // RFC 2018, Section 2; RFC 7323, Section 3.2
	to = binary.BigEndian.AppendUint32(to, tsval)
	to = binary.BigEndian.AppendUint32(to, tsecr)
	return append(to, 1, 3, 3, windowShift) // RFC 7323, Section 2.2
}
