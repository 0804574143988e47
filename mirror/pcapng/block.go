package pcapng

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/clearspan/clearspan/mirror"
)

// Block and option codes, draft-ietf-opsawg-pcapng, Sections 3.5 and 4.
const (
	blockSection   = 0x0A0D0D0A
	blockInterface = 1
	blockPacket    = 6

	optionEnd     = 0
	optionComment = 1
)

const (
	packetFixed = 28 + 4         // octets of a packet block without data and options
	maxComment  = 1<<16 - 1      // octets, the longest option value
	maxPacket   = 65535 + 14 + 4 // octets, the longest frame: IP packet, Ethernet header, VLAN tag
	// maxBlock is the longest block that appendPacket makes.
	maxBlock = packetFixed + (maxPacket+3)&^3 + 4 + maxComment + 1 + 4
)

// fileHead returns the blocks that begin a file: a section and one Ethernet
// interface of the given name with timestamps in nanoseconds.
func fileHead(iface string) ([]byte, error) {
	var head bytes.Buffer
	w, err := pcapgo.NewNgWriterInterface(&head,
		pcapgo.NgInterface{Name: iface, LinkType: layers.LinkTypeEthernet},
		pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{
			Application: "clearspan", OS: runtime.GOOS, Hardware: runtime.GOARCH,
		}})
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return nil, fmt.Errorf("build file header: %w", err)
	}
	return head.Bytes(), nil
}

// comment makes note fit for a comment option: valid UTF-8 of at most 65,535
// octets. It allocates only for a note with invalid octets.
func comment(note string) string {
	note = strings.ToValidUTF8(note, "\uFFFD")
	if len(note) <= maxComment {
		return note
	}
	end := maxComment
	for !utf8.RuneStart(note[end]) {
		end--
	}
	return note[:end]
}

// packetSize returns the length of the block that appendPacket makes, in
// octets, for a frame and a comment of the given lengths.
func packetSize(frame, comment int) int {
	size := packetFixed + pad(frame)
	if comment > 0 {
		size += 4 + pad(comment) + 4
	}
	return size
}

// appendPacket appends f as an enhanced packet block on interface 0, captured
// at the given Unix time in nanoseconds. The comment is one that comment
// returned; empty means none. Section 4.3.
func appendPacket(dst []byte, f *mirror.Frame, unixNano int64, comment string) []byte {
	le := binary.LittleEndian
	size := uint32(packetSize(f.Len(), len(comment)))
	dst = le.AppendUint32(dst, blockPacket)
	dst = le.AppendUint32(dst, size)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint32(dst, uint32(uint64(unixNano)>>32))
	dst = le.AppendUint32(dst, uint32(unixNano))
	dst = le.AppendUint32(dst, uint32(f.Len()))
	dst = le.AppendUint32(dst, uint32(f.Len()))
	dst = append(dst, f.Header...)
	dst = append(dst, f.Payload...)
	dst = appendPadding(dst, f.Len())
	if comment != "" {
		dst = le.AppendUint16(dst, optionComment)
		dst = le.AppendUint16(dst, uint16(len(comment)))
		dst = append(dst, comment...)
		dst = appendPadding(dst, len(comment))
		dst = le.AppendUint32(dst, optionEnd)
	}
	return le.AppendUint32(dst, size)
}

// pad rounds up to the 32-bit boundary that blocks and options are padded to.
func pad(n int) int { return (n + 3) &^ 3 }

func appendPadding(dst []byte, n int) []byte {
	return append(dst, "\x00\x00\x00"[:pad(n)-n]...)
}
