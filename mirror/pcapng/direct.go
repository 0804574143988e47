package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Offsets, lengths and addresses of direct writes are multiples of sector,
	// which is one of every disk's own.
	sector = 4 << 10
	// directMin is how many octets must be written for it to be worth a request
	// to the disk: copying fewer costs less.
	directMin = 512 << 10
	// directFile is the least RotateSize with which files are written directly:
	// filling up to sectors must not matter.
	directFile = 4 * bufferSize
)

const (
	// A disk that takes slowWrite at least for each of the last slowWrites buffers
	// (it writes some 500 MB/s then), and that while more than half of all buffers
	// wait for it, is slower than the frames. The fastest one decides: where
	// processor time is short, all else takes its time, too, and buffers wait for
	// the writer, not for the disk.
	slowWrite  = 8 * time.Millisecond
	slowWrites = 8
	// cachedFor is for how long the page cache takes what comes then. It holds more
	// than the buffers do.
	cachedFor = 10 * time.Second
)

// pace tells whether the disk keeps up. The zero value is one that does.
type pace struct {
	took   [slowWrites]time.Duration // by the last writes
	writes int
	cached time.Time // until then, everything goes through the page cache
	told   bool
}

// behind takes note of a large write that was not meant for the page cache, and
// whether many buffers waited for the disk. It reports whether the disk fell behind
// for the first time.
func (p *pace) behind(now time.Time, took time.Duration, many bool) (first bool) {
	p.took[p.writes%slowWrites] = took
	p.writes++
	if !many || p.writes < slowWrites || slices.Min(p.took[:]) < slowWrite {
		return false
	}
	first = !p.told
	p.cached, p.told = now.Add(cachedFor), true
	return first
}

// maxFiller is the longest filler, in octets.
const maxFiller = sector + namesFixed - 4

// fillerSize returns the length of the block that takes what ends at the given
// offset to the next multiple of sector, 0 if it ends there.
func fillerSize(end int64) int {
	size := int(-end & (sector - 1))
	if size > 0 && size < namesFixed {
		size += sector
	}
	return size
}

// appendFiller appends a block of no names that is fillerSize(end) long: readers
// must know it anyway. Of its length it makes a comment of blanks.
func appendFiller(dst []byte, end int64) []byte {
	size := fillerSize(end)
	if size == 0 {
		return dst
	}
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, blockNames)
	dst = le.AppendUint32(dst, uint32(size))
	dst = le.AppendUint32(dst, recordEnd)
	if options := size - namesFixed; options > 0 {
		if blanks := options - 4 - 4; blanks >= 0 {
			dst = le.AppendUint16(dst, optionComment)
			dst = le.AppendUint16(dst, uint16(blanks))
			for range blanks {
				dst = append(dst, ' ')
			}
		}
		dst = le.AppendUint32(dst, optionEnd)
	}
	return le.AppendUint32(dst, uint32(size))
}

// put writes octets where the open file ends; directly, if that is asked for and
// the file system can do it. A file system that cannot is not asked again.
func (st *store) put(octets []byte, direct bool) error {
	if len(octets) == 0 {
		return nil
	}
	if err := st.bypass(direct); err != nil {
		return err
	}
	n, err := st.file.Write(octets)
	if n == 0 && st.bypassing && errors.Is(err, unix.EINVAL) {
		st.refuse(err)
		if err = st.bypass(false); err == nil {
			_, err = st.file.Write(octets)
		}
	}
	return err
}

// bypass has what is written next to the open file pass by the page cache, or not.
func (st *store) bypass(direct bool) error {
	if st.bypassing == direct {
		return nil
	}
	switch err := setDirect(st.file, direct); {
	case err == nil:
		st.bypassing = direct
	case direct:
		st.refuse(err)
	default:
		return fmt.Errorf("return to the page cache: %w", err)
	}
	return nil
}

func (st *store) refuse(err error) {
	st.direct = false
	st.log.Info("capture files are written through the page cache", "directory", st.directory, "err", err)
}
