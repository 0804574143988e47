package rowstest

import (
	"encoding/binary"
	"slices"
	"unicode/utf16"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// share makes the packets of a session of SMB (MS-SMB2, Section 2.2).
type share struct {
	steps []Step
	id    uint64
}

func wide(s string) []byte {
	var p []byte
	for _, u := range utf16.Encode([]rune(s)) {
		p = binary.LittleEndian.AppendUint16(p, u)
	}
	return p
}

// body returns n octets with little-endian numbers at places.
func body(n int, set func(b []byte), tail ...[]byte) []byte {
	b := make([]byte, n)
	set(b)
	return append(b, slices.Concat(tail...)...)
}

var le = binary.LittleEndian

// message is one message of SMB.
type message struct {
	command, flags int
	id             uint64
	status         uint32
	body           []byte
}

const (
	replied = 1
	async   = 2
	related = 4
)

// packet puts messages into one packet.
func packet(messages ...message) []byte {
	p := make([]byte, 4)
	for i, m := range messages {
		h := make([]byte, 64)
		copy(h, "\xfeSMB\x40\x00")
		le.PutUint32(h[8:], m.status)
		le.PutUint16(h[12:], uint16(m.command))
		le.PutUint32(h[16:], uint32(m.flags))
		le.PutUint64(h[24:], m.id)
		le.PutUint32(h[36:], 7)
		le.PutUint64(h[40:], 9)
		size := 64 + len(m.body)
		if i < len(messages)-1 {
			size = (size + 7) &^ 7
			le.PutUint32(h[20:], uint32(size))
		}
		p = append(append(p, h...), m.body...)
		if i < len(messages)-1 {
			p = append(p, make([]byte, size-64-len(m.body))...)
		}
	}
	binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	return p
}

// ask adds a request and its answer, which is not sent if its body is nil.
func (s *share) ask(command int, request, reply []byte) {
	s.id++
	s.say(up, packet(message{command: command, id: s.id, body: request}))
	if reply != nil {
		s.say(down, packet(message{command: command, flags: replied, id: s.id, body: reply}))
	}
}

func (s *share) say(from proto.Direction, p []byte) {
	s.steps = append(s.steps, Step{From: from, Octets: p})
}

func newShare() *share {
	s := &share{}
	s.ask(0, body(36, func(b []byte) { b[0] = 36 }), body(64, func(b []byte) { b[0] = 65 }))
	path := wide(`\\server\plans`)
	s.ask(3, body(8, func(b []byte) { b[0] = 9; le.PutUint16(b[4:], 72); le.PutUint16(b[6:], uint16(len(path))) }, path),
		body(16, func(b []byte) { b[0] = 16; b[2] = 1 }))
	return s
}

var fileID = []byte("handle of a file")

func createRequest(path string) []byte {
	p := wide(path)
	return body(56, func(b []byte) { b[0] = 57; le.PutUint16(b[44:], 120); le.PutUint16(b[46:], uint16(len(p))) }, p)
}

func createReply(size int, fresh bool) []byte {
	return body(88, func(b []byte) {
		b[0], b[4] = 89, 1
		if fresh {
			b[4] = 2
		}
		le.PutUint64(b[48:], uint64(size))
		copy(b[64:], fileID)
	})
}

func writeRequest(id []byte, at int, p []byte) []byte {
	return body(48, func(b []byte) {
		b[0] = 49
		le.PutUint16(b[2:], 112)
		le.PutUint32(b[4:], uint32(len(p)))
		le.PutUint64(b[8:], uint64(at))
		copy(b[16:], id)
	}, p)
}

var writeReply = body(16, func(b []byte) { b[0] = 17 })

func readRequest(at, n int) []byte {
	return body(49, func(b []byte) {
		b[0] = 49
		le.PutUint32(b[4:], uint32(n))
		le.PutUint64(b[8:], uint64(at))
		copy(b[16:], fileID)
	})
}

func readReply(p []byte) []byte {
	return body(16, func(b []byte) { b[0], b[2] = 17, 80; le.PutUint32(b[4:], uint32(len(p))) }, p)
}

func closeRequest(id []byte) []byte {
	return body(24, func(b []byte) { b[0] = 24; copy(b[8:], id) })
}

var closeReply = body(60, func(b []byte) { b[0] = 60 })

func smbRows() []Row {
	row := func(name string, s *share, f ...File) Row {
		return Row{Name: name, Talks: []Talk{{Server: 445, Steps: s.steps}}, Files: f}
	}
	var rows []Row
	add := func(name string, f File, size int, talk func(s *share, p []byte)) {
		s := newShare()
		s.ask(5, createRequest(`見積\`+f.Name), createReply(size, !f.Received))
		talk(s, f.Octets)
		s.ask(6, closeRequest(fileID), closeReply)
		rows = append(rows, row(name, s, f))
	}
	add("smb write", File{Name: japaneseName, Octets: Octets("smb 1", 150_000)}, 0, func(s *share, p []byte) {
		for at := 0; at < len(p); at += 50_000 {
			s.ask(9, writeRequest(fileID, at, p[at:at+50_000]), writeReply)
		}
	})
	add("smb read", File{Name: "plan.dwg", Octets: Octets("smb 2", 150_000), Received: true}, 150_000, func(s *share, p []byte) {
		for at := 0; at < len(p); at += 50_000 {
			s.ask(8, readRequest(at, 50_000), readReply(p[at:at+50_000]))
		}
	})
	add("smb read out of order, later", File{Name: "会議 録.txt", Octets: Octets("smb 3", 150_000), Received: true}, 150_000, func(s *share, p []byte) {
		first := s.id
		for at := 0; at < len(p); at += 50_000 {
			s.ask(8, readRequest(at, 50_000), nil)
		}
		for _, i := range []int{2, 0, 1} {
			id := first + 1 + uint64(i)
			s.say(down, packet(message{command: 8, flags: replied | async, id: id, status: 0x103, body: make([]byte, 9)}))
			s.say(down, packet(message{command: 8, flags: replied | async, id: id, body: readReply(p[i*50_000 : (i+1)*50_000])}))
		}
	})
	add("smb write in one packet of 8 MiB", File{Name: "image.iso", Octets: Octets("smb 4", 8<<20)}, 0, func(s *share, p []byte) {
		s.ask(9, writeRequest(fileID, 0, p), writeReply)
	})
	add("smb write with a hole", File{Name: "hole.bin", Octets: slices.Concat(Octets("smb 5", 40_000), make([]byte, 5_000), Octets("smb 6", 55_000)), Holes: 1}, 0, func(s *share, p []byte) {
		whole := packet(message{command: 9, id: 90, body: writeRequest(fileID, 0, p)})
		head := len(whole) - len(p)
		s.steps = append(s.steps, Step{From: up, Octets: whole[:head+40_000], Lose: 5_000})
		s.say(up, whole[head+45_000:])
	})
	add("smb empty file", File{Name: "empty.txt"}, 0, func(*share, []byte) {})

	s := newShare()
	f := File{Name: "small.txt", Octets: []byte("all in one packet\n")}
	before := slices.Repeat([]byte{0xff}, 16)
	s.say(up, packet(message{command: 5, id: 50, body: createRequest(f.Name)},
		message{command: 9, flags: related, id: 51, body: writeRequest(before, 0, f.Octets)}, message{command: 6, flags: related, id: 52, body: closeRequest(before)}))
	s.say(down, packet(message{command: 5, flags: replied, id: 50, body: createReply(0, true)},
		message{command: 9, flags: replied | related, id: 51, body: writeReply}, message{command: 6, flags: replied | related, id: 52, body: closeReply}))
	return append(rows, row("smb compounded", s, f))
}
