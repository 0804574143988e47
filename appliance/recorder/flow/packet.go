package flow

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

var big = binary.BigEndian

// Flags of TCP, RFC 9293, Section 3.1.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	_
	flagACK
)

// endpoint is an address, IPv4 as in IPv6, and a port.
type endpoint struct{ octets [18]byte }

func (e *endpoint) set(addr []byte, port uint16) {
	if len(addr) == 4 {
		e.octets = [18]byte{10: 0xff, 11: 0xff}
		copy(e.octets[12:16], addr)
	} else {
		copy(e.octets[:16], addr)
	}
	big.PutUint16(e.octets[16:], port)
}

func (e *endpoint) port() uint16 { return big.Uint16(e.octets[16:]) }

func (e *endpoint) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(e.octets[:16])).Unmap(), e.port())
}

// packet is a TCP segment or a UDP datagram. Slices are part of the frame.
type packet struct {
	from, to  endpoint
	transport Transport
	vlan      uint16
	tunnel    tunnel
	seq, ack  uint32
	flags     uint8
	payload   []byte // captured
	length    int    // of the payload on the wire
}

// tunnel is what a packet was unwrapped from.
type tunnel struct {
	kind string // "": nothing
	id   uint32
}

func (t tunnel) String() string {
	if t.kind == "" {
		return ""
	}
	return fmt.Sprintf("%s %d", t.kind, t.id)
}

// network returns the number of a virtual network, with a bit for its kind; 0: none. Other
// tunnels are not part of what a session is: their numbers may differ by direction.
func (t tunnel) network() uint32 {
	switch t.kind { // both have 24 bits
	case vxlan:
		return 1<<24 | t.id
	case geneve:
		return 1<<25 | t.id
	}
	return 0
}

// verdict is what became of a frame.
type verdict uint8

const (
	segment  verdict = iota // a TCP segment or a UDP datagram
	fragment                // part of an IP packet that is not complete
	other                   // something else
	broken                  // lengths do not agree
)

// transportOf reads the header of TCP or UDP. p holds what was captured of an IP payload
// of that length.
func (k *packet) transportOf(protocol uint8, src, dst, p []byte, length int) verdict {
	switch protocol {
	case 6:
		if len(p) < 20 {
			return broken
		}
		size := int(p[12]>>4) * 4
		if size < 20 || size > length || size > len(p) {
			return broken
		}
		k.transport = TCP
		k.seq, k.ack, k.flags = big.Uint32(p[4:]), big.Uint32(p[8:]), p[13]
		k.payload, k.length = p[size:], length-size
	case 17:
		if len(p) < 8 {
			return broken
		}
		if n := int(big.Uint16(p[4:])); n >= 8 && n < length { // 0 in a jumbogram, and more with offload
			length = n
			p = p[:min(len(p), n)]
		}
		k.transport = UDP
		k.payload, k.length = p[8:], length-8
	default:
		return other
	}
	k.from.set(src, big.Uint16(p))
	k.to.set(dst, big.Uint16(p[2:]))
	return segment
}
