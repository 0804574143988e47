package wire

import "encoding/binary"

// initialFrame is a frame that waits for a verdict: one datagram of a QUIC flow, or
// several.
type initialFrame struct {
	key     kernelQuicKey
	segment int // payload of each datagram, if it is several
	tci     uint16
	tagged  bool
	partial bool // its sum is left to the device
	octets  []byte
}

// initialHeader is the length of kernelQuicEvent.
const initialHeader = 56

// readInitial reads a record of the ring; the frame is a copy.
func readInitial(b []byte) (e initialFrame, ok bool) {
	if len(b) < initialHeader {
		return e, false
	}
	order := binary.NativeEndian
	t := &e.key.Tuple
	for i := range 4 {
		t.Client[i] = order.Uint32(b[4*i:])
		t.Origin[i] = order.Uint32(b[16+4*i:])
	}
	t.ClientPort, t.OriginPort = order.Uint16(b[32:]), order.Uint16(b[34:])
	e.key.Vid, e.key.Leg = order.Uint16(b[36:]), order.Uint16(b[38:])
	length := int(order.Uint32(b[40:]))
	if length > len(b)-initialHeader {
		return e, false
	}
	e.segment, e.tci = int(order.Uint16(b[46:])), order.Uint16(b[48:])
	e.tagged, e.partial = b[50] != 0, b[51] != 0
	e.octets = append([]byte(nil), b[initialHeader:initialHeader+length]...)
	return e, true
}

// datagrams returns those of the frame that a receiver would take, finished.
func (e *initialFrame) datagrams() []datagram {
	d, ok := parseDatagram(e.octets)
	switch {
	case !ok || !e.partial && !d.checksumOK():
		return nil
	case e.segment > 0 && len(d.payload()) > e.segment:
		return d.split(e.segment)
	case e.partial:
		d.setChecksum()
	}
	return []datagram{d}
}
