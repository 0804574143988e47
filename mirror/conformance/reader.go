package conformance

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// CapturedFrame is one frame of a capture.
type CapturedFrame struct {
	Octets []byte    // those captured; valid until the next call
	Wire   int       // how many there were on the wire
	At     time.Time // zero if the capture does not say
	Link   uint16    // link type; 1 is Ethernet
	Note   string    // comment on the frame, in pcapng
}

// maxRecord bounds the size of a packet record and of a pcapng block, in octets.
const maxRecord = 16 << 20

// linkEthernet is LINKTYPE_ETHERNET.
const linkEthernet = 1

// Reader reads a pcap or pcapng stream. It is not safe for concurrent use.
type Reader struct {
	r         *bufio.Reader
	buffer    []byte
	nextFrame func() (CapturedFrame, error)
	order     binary.ByteOrder
	fraction  time.Duration // of the fraction of a second, pcap
	ng        section
	anyLink   bool   // frames of every link type
	link      uint16 // of all frames, pcap
	read      uint64
	packed    *counter // octets of a compressed stream; nil: it is not
}

// NewReader reads the header of a capture from r, which it takes over. It fails
// if r is neither pcap nor pcapng, perhaps compressed by gzip or bzip2, or not of Ethernet
// frames.
func NewReader(r io.Reader) (*Reader, error) { return newReader(r, false) }

// NewLinkReader is [NewReader] for frames of any link type.
func NewLinkReader(r io.Reader) (*Reader, error) { return newReader(r, true) }

func newReader(r io.Reader, anyLink bool) (*Reader, error) {
	s := &Reader{r: bufio.NewReaderSize(r, 1<<20), anyLink: anyLink}
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

// Next returns the next frame, and io.EOF behind the last. Any other error says
// that the capture is damaged or cut at this place.
func (s *Reader) Next() (CapturedFrame, error) { return s.nextFrame() }

// Octets returns how many octets of the stream were read.
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
	return s.permit(s.link)
}

// nextRecord reads a packet record of pcap.
func (s *Reader) nextRecord() (CapturedFrame, error) {
	if _, err := s.r.Peek(1); errors.Is(err, io.EOF) {
		return CapturedFrame{}, io.EOF
	}
	h, err := s.next(16)
	if err != nil {
		return CapturedFrame{}, fmt.Errorf("read packet record: %w", err)
	}
	at := time.Unix(int64(s.order.Uint32(h)), int64(s.order.Uint32(h[4:]))*int64(s.fraction))
	size, wire := s.order.Uint32(h[8:]), s.order.Uint32(h[12:])
	if size > maxRecord {
		return CapturedFrame{}, fmt.Errorf("read packet record: %d octets in one packet", size)
	}
	octets, err := s.next(int(size))
	if err != nil {
		return CapturedFrame{}, fmt.Errorf("read packet record: %w", err)
	}
	return CapturedFrame{octets, int(min(wire, maxRecord)), at, s.link, ""}, nil
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

// progressEvery is how many frames pass between two calls of progress.
const progressEvery = 1024

// ReadFrom adds every frame of a pcap or pcapng stream. progress, which may be
// nil, is called now and then with the octets read so far. When ctx ends, it
// stops as at the stream's end. A stream that is damaged or cut is an error; the
// frames in front of the place are added.
func (c *Checker) ReadFrom(ctx context.Context, r io.Reader, progress func(read uint64)) error {
	frames, err := NewReader(r)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		f, err := frames.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("behind frame %d: %w", c.now.frame, err)
		}
		c.Add(f.Octets, f.Wire, f.At)
		if n%progressEvery != 0 {
			continue
		}
		if progress != nil {
			progress(frames.Octets())
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}
