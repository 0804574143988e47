package extract

import "encoding/binary"

// wide returns the order of the octets of UTF-16 without a mark, nil if they are none. In the
// wrong order, and in anything else, most units are no characters of the texts that are met
// here: those of Latin, and of Japanese.
func wide(p []byte) binary.ByteOrder {
	if len(p) < 8 {
		return nil
	}
	var best binary.ByteOrder
	most := 0
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if n, sure := plausible(p, order); n >= len(p)/2*19/20 && n+sure > most {
			best, most = order, n+sure
		}
	}
	return best
}

// plausible counts the units that texts have, and those that show the order besides: ASCII
// and kana. Kanji are plausible in either order.
func plausible(p []byte, order binary.ByteOrder) (n, sure int) {
	for i := 0; i+1 < len(p); i += 2 {
		switch c := order.Uint16(p[i:]); {
		case c == '\t', c == '\n', c == '\r', ' ' <= c && c < 0x7f, 0x3000 <= c && c <= 0x30ff:
			n++
			sure++
		case 0xa0 <= c && c < 0x250, 0x2010 <= c && c < 0x2700, 0x4e00 <= c && c <= 0x9fff, 0xff00 <= c && c <= 0xffef:
			n++
		}
	}
	return n, sure
}
