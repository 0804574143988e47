package extract

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/ulikunitz/xz"
)

// maxXZ bounds the dictionary of a block of xz, in octets: the library allocates what a block
// asks for. The usual levels take 64 MiB at most.
const maxXZ = 64 << 20

var errXZ = errors.New("no xz file whose blocks are all known")

func (f *found) xz() error {
	size, err := dictionary(f.r, f.r.Size())
	if err != nil {
		return err
	}
	if size > maxXZ {
		f.h.Note(f.place, Bounded, "")
		return nil
	}
	return f.single("", func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) })
}

// dictionary returns the greatest dictionary that a block of an xz file asks for (The .xz File
// Format 1.2.1). It goes from the end to the beginning: the index of a stream, behind its
// blocks, says how long they are.
func dictionary(r io.ReaderAt, end int64) (greatest uint64, err error) {
	for end > 0 {
		var footer [12]byte
		if _, err := r.ReadAt(footer[:4], end-4); err != nil {
			return 0, errXZ
		}
		if [4]byte(footer[:4]) == [4]byte{} { // padding between streams
			end -= 4
			continue
		}
		if end < 12+12 {
			return 0, errXZ
		}
		if _, err := r.ReadAt(footer[:], end-12); err != nil || string(footer[10:]) != "YZ" {
			return 0, errXZ
		}
		index := (int64(binary.LittleEndian.Uint32(footer[4:])) + 1) * 4
		begin, size, err := stream(r, end-12-index, index)
		if err != nil {
			return 0, err
		}
		greatest = max(greatest, size)
		end = begin
	}
	return greatest, nil
}

// maxIndex bounds an index, in octets.
const maxIndex = 1 << 20

// stream reads the index of a stream, and the headers of its blocks. It returns where the
// stream begins.
func stream(r io.ReaderAt, at, length int64) (begin int64, greatest uint64, err error) {
	if at < 12 || length > maxIndex {
		return 0, 0, errXZ
	}
	p := make([]byte, length)
	if _, err := r.ReadAt(p, at); err != nil || p[0] != 0 {
		return 0, 0, errXZ
	}
	p = p[1:]
	number := func() (v uint64) {
		v, n := binary.Uvarint(p)
		if n <= 0 {
			err = errXZ
			return 0
		}
		p = p[n:]
		return v
	}
	blocks := number()
	if blocks > maxIndex {
		return 0, 0, errXZ
	}
	var sizes []int64
	begin = at
	for range blocks {
		unpadded := number()
		size := (int64(min(unpadded, 1<<62)) + 3) &^ 3
		number() // octets in it
		if err != nil || size <= 0 || size > begin {
			return 0, 0, errXZ
		}
		sizes = append(sizes, size)
		begin -= size
	}
	begin -= 12 // the header of the stream
	if begin < 0 {
		return 0, 0, errXZ
	}
	block := begin + 12
	for _, size := range sizes {
		asked, err := asks(r, block)
		if err != nil {
			return 0, 0, err
		}
		greatest = max(greatest, asked)
		block += size
	}
	return begin, greatest, nil
}

// asks returns the dictionary that the header of a block asks for: that of LZMA2, which is
// the last of its filters.
func asks(r io.ReaderAt, at int64) (uint64, error) {
	var p [1024]byte
	if n, err := r.ReadAt(p[:], at); n < 8 || err != nil && !errors.Is(err, io.EOF) {
		return 0, errXZ
	}
	header := p[:(int(p[0])+1)*4]
	flags, rest := header[1], header[2:len(header)-4]
	for i := range 2 { // sizes, if they are there
		if flags&(0x40<<i) != 0 {
			_, n := binary.Uvarint(rest)
			if n <= 0 {
				return 0, errXZ
			}
			rest = rest[n:]
		}
	}
	for range flags&3 + 1 {
		id, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, errXZ
		}
		length, m := binary.Uvarint(rest[n:])
		if m <= 0 || length > uint64(len(rest)-n-m) {
			return 0, errXZ
		}
		properties := rest[n+m : n+m+int(length)]
		rest = rest[n+m+int(length):]
		if id == 0x21 && len(properties) == 1 {
			bits := properties[0] & 63
			switch {
			case bits > 40:
				return 0, errXZ
			case bits == 40:
				return 1<<32 - 1, nil
			}
			return uint64(2|bits&1) << (bits/2 + 11), nil
		}
	}
	return 0, errXZ
}
