package object

import (
	"encoding/binary"
	"strings"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// properties reads a list of properties, [MS-OXTNEF] 2.1.3.4. What is cut off is not read.
type properties struct {
	p    []byte
	done bool // nothing more can be read
}

// PidTagAttachLongFilename, [MS-OXPROPS] 2.597.
const attachLongFilename = 0x3707

// longName returns the long name among properties; "": it has none.
func longName(p []byte, charset string) string {
	r := properties{p: p}
	for n := r.number(); n > 0 && !r.done; n-- {
		tag := r.number()
		if tag>>16 >= 0x8000 {
			r.named()
		}
		value := r.value(uint16(tag))
		if tag>>16 != attachLongFilename || r.done {
			continue
		}
		if tag&0xffff == 0x001f {
			return terminated(name.Decode("utf-16le", value))
		}
		return terminated(name.Decode(charset, value))
	}
	return ""
}

// terminated returns a text up to its NUL.
func terminated(text string) string {
	text, _, _ = strings.Cut(text, "\x00")
	return text
}

func (r *properties) take(n uint64) []byte {
	if n > uint64(len(r.p)) {
		r.done, r.p = true, nil
		return nil
	}
	p := r.p[:n]
	r.p = r.p[n:]
	return p
}

func (r *properties) number() uint32 {
	if p := r.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

// padded takes n octets, and those that fill the last four.
func (r *properties) padded(n uint32) []byte {
	p := r.take((uint64(n) + 3) &^ 3)
	return p[:min(int(n), len(p))]
}

// named passes over the name of a property.
func (r *properties) named() {
	r.take(16)
	switch r.number() {
	case 0:
		r.number()
	default:
		r.padded(r.number())
	}
}

// value takes the values of a property, and returns the last one.
func (r *properties) value(kind uint16) (last []byte) {
	const many = 0x1000
	size, fixed := map[uint16]uint32{0x2: 4, 0x3: 4, 0x4: 4, 0x5: 8, 0x6: 8, 0x7: 8, 0xa: 4, 0xb: 4, 0x14: 8, 0x40: 8, 0x48: 16}[kind&^many]
	n := uint32(1)
	if !fixed || kind&many != 0 {
		n = r.number()
	}
	for ; n > 0 && !r.done; n-- {
		if fixed {
			last = r.padded(size)
		} else {
			last = r.padded(r.number())
		}
	}
	return last
}
