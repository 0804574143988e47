package conformance

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Captured is one frame of a capture.
type Captured struct {
	Octets []byte    // those captured; valid until the next call
	Wire   int       // how many there were on the wire
	At     time.Time // zero if the capture does not say
}

// maxRecord bounds the size of a packet record and of a pcapng block, in octets.
const maxRecord = 16 << 20

// linkEthernet is LINKTYPE_ETHERNET.
const linkEthernet = 1

// Source reads a pcap or pcapng stream. It is not safe for concurrent use.
type Source struct {
	r      *bufio.Reader
	buffer []byte
	next   func() (Captured, error)
	order  binary.ByteOrder
	units  time.Duration // of the fraction of a second, pcap
	ng     section
	read   uint64
}

// NewSource reads the header of a capture from r, which it takes over. It fails
// if r is neither pcap nor pcapng, or not of Ethernet frames.
func NewSource(r io.Reader) (*Source, error) {
	s := &Source{r: bufio.NewReaderSize(r, 1<<20)}
	magic, err := s.r.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("read header of capture: %w", unexpected(err))
	}
	if binary.BigEndian.Uint32(magic) == blockSection {
		s.next = s.nextBlock
		return s, nil
	}
	s.next = s.nextRecord
	return s, s.header(magic)
}

// Next returns the next frame, and io.EOF behind the last. Any other error says
// that the capture is damaged or cut at this place.
func (s *Source) Next() (Captured, error) { return s.next() }

// Read returns how many octets of the stream were read.
func (s *Source) Read() uint64 { return s.read }

// header reads the file header of pcap: magic, version, zone, accuracy, snap
// length, link type.
func (s *Source) header(magic []byte) error {
	for _, form := range []struct {
		order binary.ByteOrder
		magic uint32
		units time.Duration
	}{
		{binary.LittleEndian, 0xa1b2c3d4, time.Microsecond}, {binary.BigEndian, 0xa1b2c3d4, time.Microsecond},
		{binary.LittleEndian, 0xa1b23c4d, time.Nanosecond}, {binary.BigEndian, 0xa1b23c4d, time.Nanosecond},
	} {
		if form.order.Uint32(magic) == form.magic {
			s.order, s.units = form.order, form.units
		}
	}
	if s.order == nil {
		return errors.New("read header of capture: neither pcap nor pcapng")
	}
	h, err := s.take(24)
	if err != nil {
		return fmt.Errorf("read header of capture: %w", err)
	}
	if link := s.order.Uint32(h[20:]) & 0xffff; link != linkEthernet {
		return fmt.Errorf("read header of capture: link type %d, want frames of Ethernet (1): capture on one interface", link)
	}
	return nil
}

// nextRecord reads a packet record of pcap.
func (s *Source) nextRecord() (Captured, error) {
	if _, err := s.r.Peek(1); errors.Is(err, io.EOF) {
		return Captured{}, io.EOF
	}
	h, err := s.take(16)
	if err != nil {
		return Captured{}, fmt.Errorf("read packet record: %w", err)
	}
	at := time.Unix(int64(s.order.Uint32(h)), int64(s.order.Uint32(h[4:]))*int64(s.units))
	size, wire := s.order.Uint32(h[8:]), s.order.Uint32(h[12:])
	if size > maxRecord {
		return Captured{}, fmt.Errorf("read packet record: %d octets in one packet", size)
	}
	octets, err := s.take(int(size))
	if err != nil {
		return Captured{}, fmt.Errorf("read packet record: %w", err)
	}
	return Captured{octets, int(min(wire, maxRecord)), at}, nil
}

// take returns the next n octets, valid until it is called again.
func (s *Source) take(n int) ([]byte, error) {
	if p, err := s.r.Peek(n); err == nil { // they are in the reader's buffer
		_, _ = s.r.Discard(n)
		s.read += uint64(n)
		return p, nil
	}
	// Grows with what is really there, not with what a length claims.
	s.buffer = s.buffer[:0]
	for len(s.buffer) < n {
		step := min(n-len(s.buffer), 1<<20)
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
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
