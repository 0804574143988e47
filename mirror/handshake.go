package mirror

import (
	"encoding/binary"
	"time"
)

// Handshake is a TCP handshake that took place between client and origin, to be
// shown in place of an invented one. Every option of RFC 9293, 7323 and 2018 in
// it is honoured: a conversation whose ends did not agree on timestamps has none.
type Handshake struct{ Client, Origin HandshakeSide }

// HandshakeSide is what one end said: the client in its SYN, the origin in its
// SYN-ACK.
type HandshakeSide struct {
	ISN     uint32
	Window  uint16    // as in the segment, not scaled
	Options []byte    // of the TCP header, a multiple of 4 octets, at most 40; kept, not to be changed
	TTL     uint8     // TTL or hop limit of all frames of that end; 0: 64
	Time    time.Time // when the segment was sent; zero: unknown
}

// offer is what the options of one SYN say.
type offer struct {
	mss        uint16 // 536 if not given (RFC 9293, Section 3.7.1)
	timestamps bool
	tsval      uint32
	wellFormed bool
}

// parseOffer reads the options of a SYN.
func parseOffer(options []byte) offer {
	o := offer{mss: 536}
	if len(options) > 40 || len(options)%4 != 0 {
		return o
	}
	for i := 0; i < len(options); {
		switch kind := options[i]; {
		case kind == 0: // end of the list
			o.wellFormed = true
			return o
		case kind == 1:
			i++
			continue
		case i+1 >= len(options):
			return o
		}
		size := int(options[i+1])
		if size < 2 || i+size > len(options) {
			return o
		}
		switch {
		case options[i] == 2 && size == 4:
			o.mss = binary.BigEndian.Uint16(options[i+2:])
		case options[i] == 8 && size == 10:
			o.timestamps = true
			o.tsval = binary.BigEndian.Uint32(options[i+2:])
		}
		i += size
	}
	o.wellFormed = true
	return o
}

// usable returns h with what its options say, or nil if they make no sense.
func (h *Handshake) usable() (*Handshake, [2]offer) {
	if h == nil {
		return nil, [2]offer{}
	}
	offers := [2]offer{parseOffer(h.Client.Options), parseOffer(h.Origin.Options)}
	for _, o := range offers {
		if !o.wellFormed || o.mss < 64 {
			return nil, [2]offer{}
		}
	}
	return h, offers
}

// side returns what the sender in direction dir said.
func (h *Handshake) side(dir Direction) *HandshakeSide {
	if dir == ClientToOrigin {
		return &h.Client
	}
	return &h.Origin
}
