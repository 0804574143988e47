package wire

import "encoding/binary"

// options are TCP options as two ends agree on them.
type options struct {
	mss         uint16 // 0: absent
	scale       uint8  // at most 14, RFC 7323, Section 2.3
	hasScale    bool
	sack        bool
	timestamp   bool
	tsval       uint32
	unsupported bool // one we cannot take part in
}

// Kinds of options, of which others than these change what a connection is:
// TCP-MD5, TCP-AO, Multipath TCP ...
const (
	optionEnd       = 0
	optionNop       = 1
	optionMSS       = 2
	optionScale     = 3
	optionSACK      = 4
	optionSACKBlock = 5
	optionTimestamp = 8
	optionUserTime  = 28
	optionFastOpen  = 34
)

// readOptions reads the options of a TCP header. A malformed option is unsupported.
func readOptions(b []byte) (o options) {
	for len(b) > 0 {
		kind := b[0]
		if kind == optionEnd {
			return o
		}
		if kind == optionNop {
			b = b[1:]
			continue
		}
		if len(b) < 2 || int(b[1]) < 2 || int(b[1]) > len(b) {
			o.unsupported = true
			return o
		}
		body := b[2:b[1]]
		b = b[b[1]:]
		switch {
		case kind == optionMSS && len(body) == 2:
			o.mss = binary.BigEndian.Uint16(body)
		case kind == optionScale && len(body) == 1:
			o.hasScale, o.scale = true, min(body[0], 14)
		case kind == optionSACK && len(body) == 0:
			o.sack = true
		case kind == optionTimestamp && len(body) == 8:
			o.timestamp, o.tsval = true, binary.BigEndian.Uint32(body)
		case kind == optionSACKBlock, kind == optionFastOpen, kind == optionUserTime:
			// Say nothing about the connection as a whole; a Fast Open cookie is
			// between the ends.
		default:
			o.unsupported = true
		}
	}
	return o
}
