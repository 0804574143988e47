package mirrortest

import (
	"fmt"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// decoderA decodes with github.com/gopacket/gopacket.
type decoderA struct {
	ethernet layers.Ethernet
	tag      layers.Dot1Q
	ip4      layers.IPv4
	ip6      layers.IPv6
	tcp      layers.TCP
}

// truncated takes note when a layer is longer than its frame.
type truncatedA bool

// SetTruncated implements gopacket.DecodeFeedback.
func (t *truncatedA) SetTruncated() { *t = true }

var _ gopacket.DecodeFeedback = (*truncatedA)(nil)

func (d *decoderA) decode(frame []byte) (h Header, payload []byte, err error) {
	var cut truncatedA
	if err := d.ethernet.DecodeFromBytes(frame, &cut); err != nil {
		return h, nil, fmt.Errorf("decode ethernet: %w", err)
	}
	copy(h.SourceMAC[:], d.ethernet.SrcMAC)
	copy(h.DestinationMAC[:], d.ethernet.DstMAC)
	kind, rest := d.ethernet.EthernetType, d.ethernet.Payload
	for kind == layers.EthernetTypeDot1Q && h.Tags < 4 {
		if err := d.tag.DecodeFromBytes(rest, &cut); err != nil {
			return h, nil, fmt.Errorf("decode tag: %w", err)
		}
		h.Tags++
		h.VLAN = d.tag.VLANIdentifier
		kind, rest = d.tag.Type, d.tag.Payload
	}
	switch kind {
	case layers.EthernetTypeIPv4:
		rest, err = d.decode4(&h, rest, &cut)
	case layers.EthernetTypeIPv6:
		rest, err = d.decode6(&h, rest, &cut)
	default:
		return h, nil, ErrNotTCP
	}
	if err != nil {
		return h, nil, err
	}
	if err := d.tcp.DecodeFromBytes(rest, &cut); err != nil {
		return h, nil, fmt.Errorf("decode tcp: %w", err)
	}
	if cut {
		return h, nil, fmt.Errorf("decode frame: truncated at %d octets", len(frame))
	}
	h.Source = netip.AddrPortFrom(h.Source.Addr(), uint16(d.tcp.SrcPort))
	h.Destination = netip.AddrPortFrom(h.Destination.Addr(), uint16(d.tcp.DstPort))
	h.Seq, h.Ack, h.Window = d.tcp.Seq, d.tcp.Ack, d.tcp.Window
	for i, set := range []bool{d.tcp.FIN, d.tcp.SYN, d.tcp.RST, d.tcp.PSH, d.tcp.ACK, d.tcp.URG} {
		if set {
			h.Flags |= 1 << i
		}
	}
	for _, option := range d.tcp.Options {
		h.noteOption(uint8(option.OptionType), option.OptionData)
	}
	h.PayloadLen = len(d.tcp.Payload)
	return h, d.tcp.Payload, nil
}

func (d *decoderA) decode4(h *Header, packet []byte, cut *truncatedA) ([]byte, error) {
	if err := d.ip4.DecodeFromBytes(packet, cut); err != nil {
		return nil, fmt.Errorf("decode ipv4: %w", err)
	}
	if d.ip4.Protocol != layers.IPProtocolTCP {
		return nil, ErrNotTCP
	}
	source, _ := netip.AddrFromSlice(d.ip4.SrcIP)
	destination, _ := netip.AddrFromSlice(d.ip4.DstIP)
	h.Source, h.Destination = netip.AddrPortFrom(source, 0), netip.AddrPortFrom(destination, 0)
	h.Traffic, h.HopLimit, h.ID = d.ip4.TOS, d.ip4.TTL, d.ip4.Id
	h.DF = d.ip4.Flags&layers.IPv4DontFragment != 0
	h.Fragment = d.ip4.Flags&layers.IPv4MoreFragments != 0 || d.ip4.FragOffset != 0
	h.PacketLen = len(d.ip4.Contents) + len(d.ip4.Payload)
	return d.ip4.Payload, nil
}

func (d *decoderA) decode6(h *Header, packet []byte, cut *truncatedA) ([]byte, error) {
	if err := d.ip6.DecodeFromBytes(packet, cut); err != nil {
		return nil, fmt.Errorf("decode ipv6: %w", err)
	}
	if d.ip6.NextHeader != layers.IPProtocolTCP {
		return nil, ErrNotTCP
	}
	source, _ := netip.AddrFromSlice(d.ip6.SrcIP)
	destination, _ := netip.AddrFromSlice(d.ip6.DstIP)
	h.Source, h.Destination = netip.AddrPortFrom(source, 0), netip.AddrPortFrom(destination, 0)
	h.Traffic, h.HopLimit, h.FlowLabel = d.ip6.TrafficClass, d.ip6.HopLimit, d.ip6.FlowLabel
	h.PacketLen = len(d.ip6.Contents) + len(d.ip6.Payload)
	return d.ip6.Payload, nil
}
