package wire

import "encoding/binary"

// heldFrame is a frame that was held.
type heldFrame struct {
	frame     frame
	segment   uint16
	tci       uint16
	tagged    bool
	leg       uint8
	direction uint8
	passed    bool // the frame went on, this is a copy
}

// eventHeader is the length of kernelEvent.
const eventHeader = 64

// readEvent reads a record of the ring; the frame is a copy.
func readEvent(b []byte) (t kernelTuple, isn uint32, h *heldFrame, ok bool) {
	if len(b) < eventHeader {
		return t, 0, nil, false
	}
	order := binary.NativeEndian
	for i := range 4 {
		t.Client[i] = order.Uint32(b[8+4*i:])
		t.Origin[i] = order.Uint32(b[24+4*i:])
	}
	t.ClientPort, t.OriginPort = order.Uint16(b[40:]), order.Uint16(b[42:])
	isn = order.Uint32(b[44:])
	length := int(order.Uint32(b[48:]))
	if length > len(b)-eventHeader {
		return t, 0, nil, false
	}
	h = &heldFrame{
		segment: order.Uint16(b[52:]), tci: order.Uint16(b[54:]),
		tagged: b[56] != 0, leg: b[57], direction: b[58], passed: b[59] != 0,
	}
	var err error
	h.frame, err = parseFrame(append([]byte(nil), b[eventHeader:eventHeader+length]...))
	return t, isn, h, err == nil
}
