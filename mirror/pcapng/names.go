package pcapng

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Name resolution block, draft-ietf-opsawg-pcapng, Section 4.5.
const (
	blockNames = 4

	recordEnd  = 0
	recordIPv4 = 1
	recordIPv6 = 2
)

const (
	maxName        = 253                                   // octets, the longest name of the DNS
	maxRecord      = 4 + (16+maxName+1+3)&^3               // octets of a record
	namesFixed     = 12 + 4                                // octets of a block without records
	maxBufferNames = 256                                   // names that wait in one buffer; further ones are left out
	maxFileNames   = 10_000                                // distinct names in one file; further ones are left out
	maxNamesBlock  = namesFixed + maxBufferNames*maxRecord // octets
)

// A block of names is one that scan accepts.
const _ = uint(maxBlock - maxNamesBlock)

// nameRecord is a name of an address. Addresses are IPv4 or IPv6 without zone.
type nameRecord struct {
	addr netip.Addr
	name string
}

// Name has the files say that addr is called name, once in each file: ahead of
// the frames that are sent next, if there are any. The address is that of the
// frames. A name that is none (empty, over 253 octets, not UTF-8, with control
// characters), or for which there is no room, is left out.
func (s *Sink) Name(addr netip.Addr, name string) {
	addr = addr.Unmap().WithZone("")
	name = strings.TrimSuffix(name, ".")
	if !addr.IsValid() || !validName(name) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.current == nil && !s.takeEmpty() {
		return
	}
	b := s.current
	if len(b.names) >= maxBufferNames {
		return
	}
	size := recordSize(addr, name)
	if len(b.names) == 0 {
		size += namesFixed
	}
	if len(b.blocks)+b.named+size > s.bufferSize {
		return
	}
	b.names = append(b.names, nameRecord{addr, name})
	b.named += size
}

func validName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

func recordSize(addr netip.Addr, name string) int {
	return 4 + pad(addr.BitLen()/8+len(name)+1)
}

// appendNames appends a block with the given names. They are at most
// maxBufferNames.
func appendNames(dst []byte, names []nameRecord) []byte {
	le := binary.LittleEndian
	start := len(dst)
	dst = le.AppendUint32(dst, blockNames)
	dst = le.AppendUint32(dst, 0) // the length, below
	for _, n := range names {
		kind, size := uint16(recordIPv6), 16
		if n.addr.Is4() {
			kind, size = recordIPv4, 4
		}
		length := size + len(n.name) + 1
		dst = le.AppendUint16(dst, kind)
		dst = le.AppendUint16(dst, uint16(length))
		octets := n.addr.As16()
		dst = append(dst, octets[16-size:]...)
		dst = append(dst, n.name...)
		dst = append(dst, 0)
		dst = appendPadding(dst, length)
	}
	dst = le.AppendUint32(dst, recordEnd)
	size := uint32(len(dst) - start + 4)
	le.PutUint32(dst[start+4:], size)
	return le.AppendUint32(dst, size)
}
