package smb

import "encoding/binary"

// Command is what a message is about (MS-SMB2, Section 2.2.1).
type Command uint16

const (
	Negotiate      Command = 0
	SessionSetup   Command = 1
	Logoff         Command = 2
	TreeConnect    Command = 3
	TreeDisconnect Command = 4
	Create         Command = 5
	Close          Command = 6
	Read           Command = 8
	Write          Command = 9
	SetInfo        Command = 17
)

// Status is what an origin says of a request (MS-ERREF, Section 2.3).
type Status uint32

const (
	Success        Status = 0
	Pending        Status = 0x103 // the answer comes later
	BufferOverflow Status = 0x8000_0005
	MoreProcessing Status = 0xc000_0016 // of a login: another step is needed
	EndOfFile      Status = 0xc000_0011
)

const (
	headSize   = 64
	maxHead    = 68 << 10 // octets of a message that are held: a name of 64 KiB fits
	fromOrigin = 1
	related    = 4
)

// Message is the head of one message, all but its content. It is valid until the next call
// of the [Reader].
type Message struct {
	octets []byte // from the beginning of the message on
	// Content is how many octets of content follow. They stand in a request to write, and
	// in an answer to a request to read.
	Content uint32
}

func (m *Message) Command() Command { return Command(binary.LittleEndian.Uint16(m.octets[12:])) }
func (m *Message) Status() Status   { return Status(binary.LittleEndian.Uint32(m.octets[8:])) }
func (m *Message) flags() uint32    { return binary.LittleEndian.Uint32(m.octets[16:]) }

// Response reports whether the origin says it.
func (m *Message) Response() bool { return m.flags()&fromOrigin != 0 }

// Related reports whether the message is about what the one before it, in the same packet, is
// about (MS-SMB2, Section 3.2.4.1.4).
func (m *Message) Related() bool { return m.flags()&related != 0 }

// ID is the same in a request and its answers.
func (m *Message) ID() uint64 { return binary.LittleEndian.Uint64(m.octets[24:]) }

// Tree names the share. It does not count in answers that are [Pending].
func (m *Message) Tree() uint32 { return binary.LittleEndian.Uint32(m.octets[36:]) }

// Session names the session.
func (m *Message) Session() uint64 { return binary.LittleEndian.Uint64(m.octets[40:]) }

// body returns the structure behind the head, if it has at least n octets.
func (m *Message) body(n int) []byte {
	if len(m.octets) < headSize+n {
		return nil
	}
	return m.octets[headSize:]
}

// at returns n octets at an offset of the message.
func (m *Message) at(offset, n int) ([]byte, bool) {
	if offset < headSize || offset > len(m.octets) || n > len(m.octets)-offset {
		return nil, n == 0
	}
	return m.octets[offset : offset+n], true
}

// need returns how many octets of a message, of which b is the beginning and which has size
// octets, are its head. It is more than len(b) as long as b does not tell.
func need(b []byte, size uint64, origin bool) int {
	n := needed(b, origin)
	if uint64(n) > size {
		n = int(size)
	}
	return min(n, maxHead)
}

func needed(b []byte, origin bool) int {
	if len(b) < headSize {
		return headSize
	}
	m := Message{octets: b}
	u16 := func(at int) int {
		if len(b) < headSize+at+2 {
			return 0
		}
		return int(binary.LittleEndian.Uint16(b[headSize+at:]))
	}
	if origin {
		switch m.Command() {
		case SessionSetup, TreeConnect, Read:
			return headSize + 16
		case Create:
			return headSize + 88
		case Close:
			return headSize + 60
		}
		return headSize
	}
	switch m.Command() {
	case SessionSetup:
		return max(headSize+24, u16(12)+u16(14))
	case TreeConnect:
		return max(headSize+8, u16(4)+u16(6))
	case Create:
		return max(headSize+56, u16(44)+u16(46))
	case Close:
		return headSize + 24
	case Read, Write:
		return headSize + 48
	case SetInfo:
		n := headSize + 32
		if len(b) >= n {
			n = max(n, u16(8)+int(min(binary.LittleEndian.Uint32(b[headSize+4:]), maxHead)))
		}
		return n
	}
	return headSize
}

// content returns how many octets lie between the head and the content, and of the content
// itself, in a message of size octets.
func (m *Message) content(size uint64, origin bool) (before, n uint64) {
	var offset, length uint64
	switch b := m.body(8); {
	case b == nil:
		return 0, 0
	case origin && m.Command() == Read && (m.Status() == Success || m.Status() == BufferOverflow):
		offset, length = uint64(b[2]), uint64(binary.LittleEndian.Uint32(b[4:]))
	case !origin && m.Command() == Write && m.body(48) != nil && binary.LittleEndian.Uint32(b[32:]) == 0: // not by RDMA
		offset, length = uint64(binary.LittleEndian.Uint16(b[2:])), uint64(binary.LittleEndian.Uint32(b[4:]))
	}
	have := uint64(len(m.octets))
	if length == 0 || offset < have || offset >= size {
		return 0, 0
	}
	return offset - have, min(length, size-offset)
}
