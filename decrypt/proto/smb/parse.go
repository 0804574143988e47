package smb

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
)

// FileID names an open file in a connection.
type FileID [16]byte

// Before is the name of the file that the message before in the packet is about.
var Before = FileID(bytes.Repeat([]byte{0xff}, 16))

// Opening is a request to open a file (MS-SMB2, Section 2.2.13).
type Opening struct {
	Path          string // in the share, with backslashes
	DeleteOnClose bool
	Directory     bool // it must be one
}

// Opening reads a request of [Create].
func (m *Message) Opening() (o Opening, ok bool) {
	b := m.body(56)
	if b == nil {
		return o, false
	}
	options := binary.LittleEndian.Uint32(b[40:])
	o.Directory, o.DeleteOnClose = options&1 != 0, options&0x1000 != 0
	name, ok := m.at(int(binary.LittleEndian.Uint16(b[44:])), int(binary.LittleEndian.Uint16(b[46:])))
	o.Path = Text(name)
	return o, ok
}

// Opened is the answer to a request to open a file (MS-SMB2, Section 2.2.14).
type Opened struct {
	File      FileID
	Size      uint64
	New       bool // it was not there, or all that was in it is gone
	Directory bool
}

// Opened reads an answer of [Create].
func (m *Message) Opened() (o Opened, ok bool) {
	b := m.body(80)
	if b == nil || m.Status() != Success {
		return o, false
	}
	const opened, directory = 1, 0x10
	o.New = binary.LittleEndian.Uint32(b[4:]) != opened
	o.Size = binary.LittleEndian.Uint64(b[48:])
	o.Directory = binary.LittleEndian.Uint32(b[56:])&directory != 0
	return o, copy(o.File[:], b[64:]) == 16
}

// Access is a request to read or write (MS-SMB2, Sections 2.2.19 and 2.2.21).
type Access struct {
	File   FileID
	Offset uint64
	Length uint32
}

// Access reads a request of [Read] or [Write].
func (m *Message) Access() (a Access, ok bool) {
	b := m.body(32)
	if b == nil {
		return a, false
	}
	a.Length, a.Offset = binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint64(b[8:])
	return a, copy(a.File[:], b[16:32]) == 16
}

// Closing reads a request of [Close].
func (m *Message) Closing() (f FileID, ok bool) {
	b := m.body(24)
	return f, b != nil && copy(f[:], b[8:]) == 16
}

// Closed reads an answer of [Close]: the size of the file, if the client asked for it
// (MS-SMB2, Section 2.2.16).
func (m *Message) Closed() (size uint64, ok bool) {
	b := m.body(56)
	if b == nil || m.Status() != Success || b[2]&1 == 0 {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[48:]), true
}

// Setting is a request to change what is known of a file (MS-SMB2, Section 2.2.39; MS-FSCC,
// Section 2.4).
type Setting struct {
	File   FileID
	What   What
	Path   string // of [Rename]: in the share
	Size   uint64 // of [Resize]
	Delete bool   // of [Delete]: false takes it back
}

// What is what a [Setting] changes.
type What uint8

const (
	Other What = iota
	Rename
	Delete
	Resize
)

// Setting reads a request of [SetInfo].
func (m *Message) Setting() (s Setting, ok bool) {
	b := m.body(32)
	if b == nil {
		return s, false
	}
	copy(s.File[:], b[16:32])
	p, ok := m.at(int(binary.LittleEndian.Uint16(b[8:])), int(min(binary.LittleEndian.Uint32(b[4:]), maxHead)))
	const files = 1
	if !ok || b[2] != files {
		return s, ok
	}
	switch class := b[3]; {
	case (class == 10 || class == 65) && len(p) >= 20:
		n := binary.LittleEndian.Uint32(p[16:])
		s.What, s.Path = Rename, Text(p[20:20+min(int(min(n, maxHead)), len(p)-20)])
	case (class == 13 || class == 64) && len(p) >= 1:
		s.What, s.Delete = Delete, p[0]&1 != 0
	case class == 20 && len(p) >= 8:
		s.What, s.Size = Resize, binary.LittleEndian.Uint64(p)
	}
	return s, true
}

// Share reads a request of [TreeConnect]: the last part of the share's path.
func (m *Message) Share() (name string, ok bool) {
	b := m.body(8)
	if b == nil {
		return "", false
	}
	p, ok := m.at(int(binary.LittleEndian.Uint16(b[4:])), int(binary.LittleEndian.Uint16(b[6:])))
	path := Text(p)
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '\\' {
			return path[i+1:], ok
		}
	}
	return path, ok
}

// Disk reads an answer of [TreeConnect]: whether the share has files (MS-SMB2, Section 2.2.10).
func (m *Message) Disk() bool {
	const disk = 1
	b := m.body(16)
	return b != nil && b[2] == disk
}

// Token reads a request of [SessionSetup]: what a client proves its name by.
func (m *Message) Token() []byte {
	b := m.body(24)
	if b == nil {
		return nil
	}
	p, _ := m.at(int(binary.LittleEndian.Uint16(b[12:])), int(binary.LittleEndian.Uint16(b[14:])))
	return p
}

// Text decodes UTF-16 (little endian). Surrogates that are alone become U+FFFD.
func Text(p []byte) string {
	units := make([]uint16, len(p)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(p[2*i:])
	}
	return string(utf16.Decode(units))
}
