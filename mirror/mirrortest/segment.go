package mirrortest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// TCP flags, RFC 9293, Section 3.1.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
)

// Header is what one frame says above its payload. Headers can be compared.
type Header struct {
	SourceMAC, DestinationMAC [6]byte
	Tags                      int    // number of 802.1Q tags
	VLAN                      uint16 // identifier of the last tag
	Source, Destination       netip.AddrPort

	Traffic   uint8  // IPv4 type of service, IPv6 traffic class
	HopLimit  uint8  // IPv4 time to live
	FlowLabel uint32 // IPv6 only
	ID        uint16 // IPv4 only
	DF        bool   // IPv4 only
	Fragment  bool   // IPv4 only

	Seq, Ack     uint32
	Flags        uint8
	Window       uint16 // as in the field, not scaled
	MSS          uint16
	Scale        uint8
	TSval, TSecr uint32
	OptionKinds  uint32 // bit k set: option kind k is there once; bit 31: others or repeated

	PacketLen  int // IP header to the end of the payload
	PayloadLen int
}

// Option sets of [Header.OptionKinds], NOP and end of list left out.
const (
	OptionsSYN  = 1<<2 | 1<<3 | 1<<4 | 1<<8 // MSS, window scale, SACK permitted, timestamps
	OptionsData = 1 << 8                    // timestamps
)

// Segment is one decoded frame.
type Segment struct {
	Header
	FrameLen int    // all octets of the frame
	Payload  []byte // part of the frame
	BadSums  []string
}

// ErrNotTCP is returned for whole frames that carry something other than TCP.
var ErrNotTCP = errors.New("no TCP in frame")

// Decoder decodes frames with gopacket/gopacket and google/gopacket. It reuses
// its memory and is not safe for concurrent use. The zero value is ready.
type Decoder struct {
	first  decoderA
	second decoderB
}

// Decode decodes one Ethernet frame. The segment's payload is part of frame. It
// fails with ErrNotTCP for other protocols, and with another error if the frame
// is malformed or the two libraries do not see the same in it.
func (d *Decoder) Decode(frame []byte) (segment Segment, err error) {
	segment.FrameLen = len(frame)
	var payload []byte
	if segment.Header, segment.Payload, err = d.first.decode(frame); err != nil {
		return segment, err
	}
	other, payload, err := d.second.decode(frame)
	if err != nil {
		return segment, fmt.Errorf("decode with second library: %w", err)
	}
	if segment.Header != other || len(segment.Payload) != len(payload) {
		return segment, fmt.Errorf("decode frame: libraries differ: %+v, %+v", segment.Header, other)
	}
	if segment.Fragment {
		return segment, errors.New("decode frame: IP fragment")
	}
	segment.BadSums = badSums(frame, segment.Header)
	return segment, nil
}

// badSums verifies the checksums of a frame that decodes: pairs of octets,
// summed as RFC 1071, Section 4.1 writes it down.
func badSums(frame []byte, h Header) []string {
	start := 14 + 4*h.Tags
	packet := frame[start:]
	packet = packet[:h.PacketLen]
	var bad []string
	source, destination := h.Source.Addr().AsSlice(), h.Destination.Addr().AsSlice()
	ipLen := 40
	if h.Source.Addr().Is4() {
		ipLen = int(packet[0]&15) * 4
		if sumPairs(0, packet[:ipLen]) != 0xffff {
			bad = append(bad, "ip")
		}
	}
	tcp := packet[ipLen:]
	pseudo := append(append([]byte{}, source...), destination...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(tcp)))
	pseudo = append(pseudo, 0, 0, 0, 6)
	if sumPairs(sumPairs(0, pseudo), tcp) != 0xffff {
		bad = append(bad, "tcp")
	}
	return bad
}

func sumPairs(sum uint32, p []byte) uint32 {
	for ; len(p) >= 2; p = p[2:] {
		sum += uint32(p[0])<<8 | uint32(p[1])
		sum = sum>>16 + sum&0xffff
	}
	if len(p) == 1 {
		sum += uint32(p[0]) << 8
	}
	return sum>>16 + sum&0xffff
}

// noteOption adds an option to h, as either library found it.
func (h *Header) noteOption(kind uint8, data []byte) {
	bit := uint32(1) << min(kind, 31)
	if kind > 1 && h.OptionKinds&bit != 0 {
		bit = 1 << 31
	}
	switch {
	case kind < 2:
		return
	case kind == 2 && len(data) == 2:
		h.MSS = binary.BigEndian.Uint16(data)
	case kind == 3 && len(data) == 1:
		h.Scale = data[0]
	case kind == 4 && len(data) == 0:
	case kind == 8 && len(data) == 8:
		h.TSval, h.TSecr = binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
	default:
		bit = 1 << 31
	}
	h.OptionKinds |= bit
}
