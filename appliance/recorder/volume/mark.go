package volume

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Mark is a place in the volumes: the number of one, and an offset in it. Later places have
// greater marks.
type Mark uint64

const offsetBits = 40 // 1 TiB

func markAt(number uint64, offset int64) Mark { return Mark(number<<offsetBits | uint64(offset)) }

// Number returns the number of the volume.
func (m Mark) Number() uint64 { return uint64(m >> offsetBits) }

// Offset returns the offset in it, in octets.
func (m Mark) Offset() int64 { return int64(m & (1<<offsetBits - 1)) }

const (
	complete = ".pcapng"
	partial  = ".part"
	summary  = ".json"
	locked   = ".age"
)

// path returns the file of a volume without its extension.
func path(dir string, number uint64) string { return filepath.Join(dir, fmt.Sprintf("%010d", number)) }

// numberOf reads the name of a volume.
func numberOf(name string) (v named, ok bool) {
	rest, part := strings.CutSuffix(name, partial)
	rest, v.encrypted = strings.CutSuffix(rest, locked)
	if rest, ok = strings.CutSuffix(rest, complete); !ok {
		return v, false
	}
	v.whole = !part
	number, err := strconv.ParseUint(rest, 10, 24)
	v.number = number
	return v, err == nil
}

// Blocks of pcapng, as this package writes them: little-endian, one interface with
// nanoseconds.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6
	packetHead     = 28
	maxBlock       = 1 << 20
)

var le = binary.LittleEndian

// header returns the section header at the beginning of a volume.
func header() []byte {
	p := le.AppendUint32(nil, blockSection)
	p = le.AppendUint32(p, 28)
	p = le.AppendUint32(p, 0x1a2b3c4d)
	p = le.AppendUint16(p, 1)
	p = le.AppendUint16(p, 0)
	p = le.AppendUint64(p, ^uint64(0)) // length of the section: not known
	p = le.AppendUint32(p, 28)
	return p
}

// interfaceBlock describes an interface: its type of link, and times in nanoseconds.
func interfaceBlock(link uint16) []byte {
	p := le.AppendUint32(nil, blockInterface)
	p = le.AppendUint32(p, 32)
	p = le.AppendUint16(p, link)
	p = le.AppendUint16(p, 0)
	p = le.AppendUint32(p, 0) // no snap length
	p = le.AppendUint16(p, 9) // if_tsresol
	p = le.AppendUint16(p, 1)
	p = append(p, 9, 0, 0, 0) // 10^-9 s
	p = le.AppendUint32(p, 0) // end of options
	return le.AppendUint32(p, 32)
}

var errTorn = errors.New("a block is torn")
