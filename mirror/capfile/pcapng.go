package capfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// Types of blocks.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6
)

// maxInterfaces bounds the interfaces of a section.
const maxInterfaces = 4096

// section is what a pcapng section has told so far.
type section struct {
	open       bool
	interfaces []ngInterface
}

// ngInterface is an interface of a section.
type ngInterface struct {
	link   uint16
	snap   uint32
	units  uint64 // in a second
	offset int64  // seconds
}

// nextBlock reads blocks up to the next one that holds a frame.
func (s *Reader) nextBlock() (Frame, error) {
	for {
		if _, err := s.r.Peek(1); errors.Is(err, io.EOF) {
			return Frame{}, io.EOF
		}
		from := s.read
		kind, body, err := s.block()
		if err != nil {
			return Frame{}, fmt.Errorf("read pcapng block at octet %d: %w", from, err)
		}
		switch kind {
		case blockSection:
			err = s.openSection(body)
		case blockInterface:
			err = s.addInterface(body)
		case blockEnhanced, blockPacket, blockSimple:
			var f Frame
			if f, err = s.packet(kind, body); err == nil {
				return f, nil
			}
		}
		if err != nil {
			return Frame{}, fmt.Errorf("read pcapng block at octet %d: %w", from, err)
		}
	}
}

// block reads one block and returns its body, without lengths.
func (s *Reader) block() (kind uint32, body []byte, err error) {
	start, err := s.r.Peek(12)
	if err != nil {
		return 0, nil, unexpected(err)
	}
	if binary.BigEndian.Uint32(start) == blockSection {
		switch binary.BigEndian.Uint32(start[8:]) {
		case 0x1a2b3c4d:
			s.order = binary.BigEndian
		case 0x4d3c2b1a:
			s.order = binary.LittleEndian
		default:
			return 0, nil, errors.New("byte order of section is unknown")
		}
	} else if !s.ng.open {
		return 0, nil, errors.New("block outside of a section")
	}
	kind, size := s.order.Uint32(start), s.order.Uint32(start[4:])
	if size < 12 || size%4 != 0 || size > maxRecord {
		return 0, nil, fmt.Errorf("block of %d octets", size)
	}
	all, err := s.next(int(size))
	if err != nil {
		return 0, nil, err
	}
	if s.order.Uint32(all[size-4:]) != size {
		return 0, nil, errors.New("lengths of block differ")
	}
	return kind, all[8 : size-4], nil
}

// openSection begins a section. All minor versions are read alike: what a version adds
// are options and blocks, which have lengths.
func (s *Reader) openSection(body []byte) error {
	if len(body) < 16 {
		return errors.New("section header is incomplete")
	}
	if major := s.order.Uint16(body[4:]); major != 1 {
		return fmt.Errorf("version %d.%d of pcapng, want 1.x", major, s.order.Uint16(body[6:]))
	}
	s.ng = section{open: true}
	return nil
}

func (s *Reader) addInterface(body []byte) error {
	if len(body) < 8 {
		return errors.New("interface description is incomplete")
	}
	if len(s.ng.interfaces) == maxInterfaces {
		return fmt.Errorf("more than %d interfaces", maxInterfaces)
	}
	i := ngInterface{link: s.order.Uint16(body), snap: s.order.Uint32(body[4:]), units: 1e6}
	for o := body[8:]; len(o) >= 4; {
		code, size := s.order.Uint16(o), int(s.order.Uint16(o[2:]))
		padded := 4 + (size+3)&^3
		if code == 0 || padded > len(o) {
			break
		}
		value := o[4 : 4+size]
		switch {
		case code == 9 && size == 1: // if_tsresol
			i.units = resolution(value[0])
		case code == 14 && size == 8: // if_tsoffset
			i.offset = int64(s.order.Uint64(value))
		}
		o = o[padded:]
	}
	s.ng.interfaces = append(s.ng.interfaces, i)
	return nil
}

// resolution returns the units in a second that if_tsresol stands for.
func resolution(v byte) uint64 {
	if v&0x80 != 0 {
		return 1 << min(v&0x7f, 63)
	}
	units := uint64(1)
	for range min(v, 18) {
		units *= 10
	}
	return units
}

// packet reads the frame in a block.
func (s *Reader) packet(kind uint32, body []byte) (Frame, error) {
	fixed := 20
	if kind == blockSimple {
		fixed = 4
	}
	if len(body) < fixed {
		return Frame{}, errors.New("packet block is incomplete")
	}
	number, wire, size := uint32(0), s.order.Uint32(body), uint32(len(body)-4)
	if kind != blockSimple {
		number, size, wire = s.order.Uint32(body), s.order.Uint32(body[12:]), s.order.Uint32(body[16:])
	}
	if kind == blockPacket {
		number = uint32(s.order.Uint16(body))
	}
	if int64(number) >= int64(len(s.ng.interfaces)) {
		return Frame{}, fmt.Errorf("packet of interface %d, which is not described", number)
	}
	i := s.ng.interfaces[number]
	f := Frame{Wire: int(min(wire, maxRecord)), Link: i.link, Interface: number}
	if kind == blockSimple {
		size = min(size, wire)
		if i.snap != 0 {
			size = min(size, i.snap)
		}
	} else {
		f.At = i.time(uint64(s.order.Uint32(body[4:]))<<32 | uint64(s.order.Uint32(body[8:])))
	}
	if int64(size) > int64(len(body)-fixed) {
		return Frame{}, errors.New("packet is longer than its block")
	}
	f.Octets = body[fixed : fixed+int(size)]
	if kind != blockSimple {
		f.Comment = s.comment(body[min(fixed+(int(size)+3)&^3, len(body)):])
	}
	return f, nil
}

// optionComment is the option of a packet that has a comment.
const optionComment = 1

// comment returns the first comment in the options of a packet.
func (s *Reader) comment(options []byte) string {
	for len(options) >= 4 {
		code, size := s.order.Uint16(options), int(s.order.Uint16(options[2:]))
		padded := 4 + (size+3)&^3
		if code == 0 || padded > len(options) {
			break
		}
		if code == optionComment {
			return string(options[4 : 4+size])
		}
		options = options[padded:]
	}
	return ""
}

// time converts a timestamp; one far beyond any capture is taken back to where
// time.Time is still printed.
func (i ngInterface) time(stamp uint64) time.Time {
	const last = 16 << 31 // seconds: the year 3058
	high, low := bits.Mul64(stamp%i.units, 1e9)
	nanoseconds, _ := bits.Div64(high, low, i.units)
	return time.Unix(int64(min(stamp/i.units, last))+max(min(i.offset, last), -last), int64(nanoseconds))
}
