package pcapng

import (
	"bufio"
	"encoding/binary"
	"io"
	"slices"
)

// byteOrderMagic is how a section header written here begins its body.
const byteOrderMagic = 0x1A2B3C4D

// ownBlocks are what follows the section header in files written here.
var ownBlocks = [...]uint32{blockInterface, blockPacket, blockNames, blockStatistics, blockSecrets}

// scan reads a file as this package writes it, maybe cut off anywhere or with
// garbage at its end, and returns where its last complete block ends and how
// many packet blocks there are up to that. An end of 0 means that it does not
// begin with a section header. It stops at the first octets that cannot be
// such a block; the error is that of r.
func scan(r io.Reader) (end int64, packets int, err error) {
	in := bufio.NewReaderSize(r, 1<<18)
	for {
		head, err := in.Peek(12)
		if err != nil {
			return end, packets, cutOff(err)
		}
		kind := binary.LittleEndian.Uint32(head)
		size := binary.LittleEndian.Uint32(head[4:])
		if size < 12 || size%4 != 0 || size > maxBlock {
			return end, packets, nil
		}
		isSection := kind == blockSection && binary.LittleEndian.Uint32(head[8:]) == byteOrderMagic
		if isSection != (end == 0) || !isSection && !slices.Contains(ownBlocks[:], kind) {
			return end, packets, nil
		}
		block, err := in.Peek(int(size))
		if err != nil {
			return end, packets, cutOff(err)
		}
		if binary.LittleEndian.Uint32(block[size-4:]) != size {
			return end, packets, nil
		}
		if kind == blockPacket {
			if !packetFits(block) {
				return end, packets, nil
			}
			packets++
		}
		if kind == blockSecrets {
			packets++ // as worth keeping
		}
		end += int64(size)
		if _, err := in.Discard(int(size)); err != nil {
			return end, packets, err
		}
	}
}

// packetFits reports whether a packet block is long enough for the data that
// it announces.
func packetFits(block []byte) bool {
	if len(block) < packetFixed {
		return false
	}
	captured := binary.LittleEndian.Uint32(block[20:])
	return uint64(captured) <= uint64(len(block)-packetFixed)
}

// cutOff returns nil for an error that says only that the file ends here.
func cutOff(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
