package pcapip

import (
	"encoding/binary"
	"time"

	"github.com/clearspan/clearspan/mirror"
)

// The classic pcap format, draft-ietf-opsawg-pcap, Sections 4 and 5.
const (
	magicMicroseconds = 0xA1B2C3D4
	versionMajor      = 2
	versionMinor      = 4
	snapLength        = 262144 // octets; what tcpdump writes, above any frame
	linkEthernet      = 1

	recordHead = 16 // octets in front of each frame
)

// fileHead returns the pcap file header.
func fileHead() []byte {
	le := binary.LittleEndian
	head := le.AppendUint32(nil, magicMicroseconds)
	head = le.AppendUint16(head, versionMajor)
	head = le.AppendUint16(head, versionMinor)
	head = le.AppendUint32(head, 0) // reserved
	head = le.AppendUint32(head, 0) // reserved
	head = le.AppendUint32(head, snapLength)
	return le.AppendUint32(head, linkEthernet)
}

// appendRecord appends f as a packet record, sent at its own time or else at.
func appendRecord(dst []byte, f *mirror.Frame, at time.Time) []byte {
	if !f.Time.IsZero() {
		at = f.Time
	}
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(at.Unix()))
	dst = le.AppendUint32(dst, uint32(at.Nanosecond()/1000))
	dst = le.AppendUint32(dst, uint32(f.Len())) // captured
	dst = le.AppendUint32(dst, uint32(f.Len())) // on the medium
	dst = append(dst, f.Header...)
	return append(dst, f.Payload...)
}
