package capfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Frame is one frame of a capture.
type Frame struct {
	Octets    []byte    // those captured; valid until the next call
	Wire      int       // how many there were on the wire
	At        time.Time // zero if the capture does not say
	Link      uint16    // link type; 1 is Ethernet
	Comment   string    // the first comment on the frame, in pcapng
	Interface uint32    // number within the section of pcapng
}

// ErrTorn says that a capture ends within a record or block, or within its header. What came
// before is whole.
var ErrTorn = fmt.Errorf("the capture is torn: %w", io.ErrUnexpectedEOF)

// bufferSize is how much of a capture is read at once.
const bufferSize = 1 << 20

// maxRecord bounds the size of a packet record and of a pcapng block, in octets.
const maxRecord = 16 << 20

// Reader reads a pcap or pcapng stream. It is not safe for concurrent use.
type Reader struct {
	r         *bufio.Reader
	buffer    []byte
	nextFrame func() (Frame, error)
	order     binary.ByteOrder
	fraction  time.Duration // of the fraction of a second, pcap
	ng        section
	link      uint16 // of all frames, pcap
	read      uint64
	packed    *counter // octets of a compressed stream; nil: it is not
}

// NewReader reads the header of a capture from r, which it takes over. It fails
// if r is neither pcap nor pcapng, perhaps compressed by gzip, bzip2 or Zstandard.
func NewReader(r io.Reader) (*Reader, error) {
	s := &Reader{r: bufio.NewReaderSize(r, bufferSize)}
	if err := s.unpack(); err != nil {
		return nil, fmt.Errorf("read header of capture: %w", err)
	}
	magic, err := s.r.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("read header of capture: %w", unexpected(err))
	}
	if binary.BigEndian.Uint32(magic) == blockSection {
		s.nextFrame = s.nextBlock
		return s, nil
	}
	s.nextFrame = s.nextRecord
	return s, s.header(magic)
}

// Next returns the next frame, and io.EOF behind the last. Other errors name the place in the
// capture, unpacked, in octets: it is torn there, [ErrTorn], or damaged.
func (s *Reader) Next() (Frame, error) { return s.nextFrame() }

// Octets returns how many octets of the stream were read, as they came.
func (s *Reader) Octets() uint64 {
	if s.packed != nil {
		return s.packed.octets
	}
	return s.read
}

// header reads the file header of pcap: magic, version, zone, accuracy, snap
// length, link type.
func (s *Reader) header(magic []byte) error {
	for _, form := range []struct {
		order binary.ByteOrder
		magic uint32
		units time.Duration
	}{
		{binary.LittleEndian, 0xa1b2c3d4, time.Microsecond}, {binary.BigEndian, 0xa1b2c3d4, time.Microsecond},
		{binary.LittleEndian, 0xa1b23c4d, time.Nanosecond}, {binary.BigEndian, 0xa1b23c4d, time.Nanosecond},
	} {
		if form.order.Uint32(magic) == form.magic {
			s.order, s.fraction = form.order, form.units
		}
	}
	if s.order == nil {
		return errors.New("read header of capture: neither pcap nor pcapng")
	}
	h, err := s.next(24)
	if err != nil {
		return fmt.Errorf("read header of capture: %w", err)
	}
	if major := s.order.Uint16(h[4:]); major < 2 {
		return fmt.Errorf("read header of capture: version %d.%d of pcap, want 2.x", major, s.order.Uint16(h[6:]))
	}
	s.link = uint16(s.order.Uint32(h[20:]))
	return nil
}

// nextRecord reads a packet record of pcap.
func (s *Reader) nextRecord() (Frame, error) {
	if _, err := s.r.Peek(1); errors.Is(err, io.EOF) {
		return Frame{}, io.EOF
	}
	from := s.read
	h, err := s.next(16)
	if err != nil {
		return Frame{}, fmt.Errorf("read packet record at octet %d: %w", from, err)
	}
	at := time.Unix(int64(s.order.Uint32(h)), int64(s.order.Uint32(h[4:]))*int64(s.fraction))
	size, wire := s.order.Uint32(h[8:]), s.order.Uint32(h[12:])
	if size > maxRecord {
		return Frame{}, fmt.Errorf("read packet record at octet %d: %d octets in one packet", from, size)
	}
	octets, err := s.next(int(size))
	if err != nil {
		return Frame{}, fmt.Errorf("read packet record at octet %d: %w", from, err)
	}
	return Frame{Octets: octets, Wire: int(min(wire, maxRecord)), At: at, Link: s.link}, nil
}

// next returns the next n octets, valid until it is called again.
func (s *Reader) next(n int) ([]byte, error) {
	if p, err := s.r.Peek(n); err == nil { // they are in the reader's buffer
		_, _ = s.r.Discard(n)
		s.read += uint64(n)
		return p, nil
	}
	// Grows with what is really there, not with what a length claims.
	s.buffer = s.buffer[:0]
	for len(s.buffer) < n {
		step := min(n-len(s.buffer), bufferSize)
		s.buffer = append(s.buffer, make([]byte, step)...)
		got, err := io.ReadFull(s.r, s.buffer[len(s.buffer)-step:])
		s.read += uint64(got)
		if err != nil {
			return nil, unexpected(err)
		}
	}
	return s.buffer, nil
}

// unexpected names an end in the middle.
func unexpected(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF { // not those of a compressed stream, which say so
		return ErrTorn
	}
	return err
}
