package smb

import "encoding/binary"

// Found is what a [Reader] has found.
type Found uint8

const (
	Nothing   Found = iota // more octets are needed
	Head                   // of a message: [Reader.Message]
	Content                // of that message: the octets that were taken
	Old                    // a message of SMB 1 that asks for no SMB 2
	Encrypted              // messages that are encrypted
	Packed                 // messages that are compressed
	Lost                   // there is no message where one must begin
)

// place is where a [Reader] stands.
type place uint8

const (
	atLength place = iota // of a packet
	atHead                // of a message
	within                // a message, behind its head
	lost
)

const (
	lengthSize = 4
	markAt     = lengthSize      // of the mark in a packet
	markSize   = lengthSize + 20 // of what tells a packet of SMB 2
)

var mark = []byte("\xfeSMB\x40\x00")

// Reader reads the messages of one direction. The zero value reads those of a client, from
// the beginning of a packet.
type Reader struct {
	Origin  bool    // it reads those of an origin
	Message Message // that was found last

	place   place
	held    []byte // the beginning of what stands here
	left    uint64 // octets of the packet, from the beginning of the message or the place in it
	message uint64 // of these, octets of the message
	before  uint64 // octets in front of the content
	content uint64 // octets of content that follow
}

// Seek has the reader look for the next message.
func (r *Reader) Seek() { *r = Reader{Origin: r.Origin, place: lost} }

// Next borrows p, which is not empty. It returns what it has found, and how many octets it
// has taken.
func (r *Reader) Next(p []byte) (Found, int) {
	switch r.place {
	case atLength:
		return r.length(p)
	case atHead:
		return r.head(p)
	case within:
		return r.pass(p)
	}
	return Nothing, r.seek(p)
}

// length reads the length of a packet.
func (r *Reader) length(p []byte) (Found, int) {
	n := min(lengthSize-len(r.held), len(p))
	r.held = append(r.held, p[:n]...)
	if len(r.held) < lengthSize {
		return Nothing, n
	}
	word := binary.BigEndian.Uint32(r.held)
	r.held = r.held[:0]
	r.left = uint64(word & 0xff_ffff)
	switch kind := word >> 24; {
	case kind == 0 && r.left > 0:
		r.place = atHead
	case kind == 0, kind == 0x85: // a sign of life
	case kind >= 0x81 && kind <= 0x84: // of a session of NetBIOS
		r.skip()
	default:
		r.Seek()
		return Lost, n
	}
	return Nothing, n
}

// skip passes over what is left of the packet.
func (r *Reader) skip() {
	r.place, r.held, r.message, r.before, r.content = within, r.held[:0], r.left, 0, 0
	r.next()
}

// next goes on behind a message that is over.
func (r *Reader) next() {
	switch {
	case r.message > 0:
	case r.left > 0:
		r.place = atHead
	default:
		r.place = atLength
	}
}

// head reads the head of a message.
func (r *Reader) head(p []byte) (Found, int) {
	taken := 0
	b := p
	if len(r.held) > 0 {
		for len(r.held) < r.need(r.held) && taken < len(p) {
			n := min(r.need(r.held)-len(r.held), len(p)-taken)
			r.held = append(r.held, p[taken:taken+n]...)
			taken += n
		}
		b = r.held
	}
	n := r.need(b)
	if len(b) < n {
		if len(r.held) == 0 {
			r.held = append(r.held, p...)
			taken = len(p)
		}
		return Nothing, taken
	}
	if len(r.held) == 0 {
		taken = n
	}
	return r.begin(b[:n]), taken
}

// need returns how many octets the head has of a message that begins with b.
func (r *Reader) need(b []byte) int {
	const oldHead = 5 // to the command
	switch {
	case len(b) < 4:
		return int(min(4, r.left))
	case string(b[:4]) == "\xffSMB":
		return int(min(oldHead, r.left))
	case string(b[:4]) == "\xfeSMB":
		return need(b, r.size(b), r.Origin)
	}
	return 4
}

// size returns the size of a message that begins with b: up to the next one, or the end of
// the packet.
func (r *Reader) size(b []byte) uint64 {
	if len(b) >= headSize {
		if n := uint64(binary.LittleEndian.Uint32(b[20:])); n >= headSize && n < r.left {
			return n
		}
	}
	return r.left
}

// begin begins a message with its head.
func (r *Reader) begin(b []byte) Found {
	const oldNegotiate = 0x72
	switch word := string(b[:min(4, len(b))]); {
	case word == "\xfeSMB" && len(b) >= headSize:
	case word == "\xffSMB" && len(b) == 5:
		if b[4] == oldNegotiate {
			return r.over(b, Nothing)
		}
		return r.over(b, Old)
	case word == "\xfdSMB":
		return r.over(b, Encrypted)
	case word == "\xfcSMB":
		return r.over(b, Packed)
	default:
		r.over(b, Lost)
		return Lost
	}
	size := r.size(b)
	r.Message = Message{octets: b}
	if size < uint64(len(b)) {
		size = uint64(len(b))
	}
	var content uint64
	r.before, content = r.Message.content(size, r.Origin)
	r.Message.Content, r.content = uint32(content), content
	r.message = size - uint64(len(b))
	r.left -= uint64(len(b))
	r.place = within
	if len(r.held) > 0 {
		r.held = r.held[:0] // b stays as it is until the next call
	}
	r.next()
	return Head
}

// over passes over the packet of which b was read.
func (r *Reader) over(b []byte, f Found) Found {
	r.left -= uint64(len(b))
	r.skip()
	return f
}

// pass passes over octets of a message, and tells its content.
func (r *Reader) pass(p []byte) (Found, int) {
	f, n := Nothing, 0
	switch {
	case r.before > 0:
		n = int(min(r.before, uint64(len(p))))
		r.before -= uint64(n)
	case r.content > 0:
		f, n = Content, int(min(r.content, uint64(len(p))))
		r.content -= uint64(n)
	default:
		n = int(min(r.message, uint64(len(p))))
	}
	r.message -= uint64(n)
	r.left -= uint64(n)
	r.next()
	return f, n
}
