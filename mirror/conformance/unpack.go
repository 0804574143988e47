package conformance

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// counter counts the octets that are read from a stream.
type counter struct {
	r      io.Reader
	octets uint64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.octets += uint64(n)
	return n, err
}

// packings are forms of compression that cannot be read here, by their first octets.
var packings = []struct{ magic, name string }{
	{"\x28\xb5\x2f\xfd", "zstd"}, {"\xfd7zX", "xz"}, {"\x04\x22\x4d\x18", "lz4"}, {"PK\x03\x04", "zip"}, {"7z\xbc\xaf", "7z"},
}

// unpack has the reader go on within a compressed stream, if it is one.
func (s *Reader) unpack() error {
	magic, _ := s.r.Peek(4)
	if len(magic) < 4 {
		return nil // too short for a capture, too
	}
	for _, p := range packings {
		if string(magic) == p.magic {
			return fmt.Errorf("compressed by %s: unpack it first", p.name)
		}
	}
	c := &counter{r: s.r}
	var within io.Reader
	switch {
	case magic[0] == 0x1f && magic[1] == 0x8b:
		z, err := gzip.NewReader(bufio.NewReader(c))
		if err != nil {
			return fmt.Errorf("unpack gzip: %w", err)
		}
		within = z
	case string(magic[:3]) == "BZh":
		within = bzip2.NewReader(c)
	default:
		return nil
	}
	s.packed, s.r = c, bufio.NewReaderSize(unpacked{within}, 1<<20)
	return nil
}

// unpacked names the errors of a compressed stream.
type unpacked struct{ r io.Reader }

func (u unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("unpack: %w", err)
	}
	return n, err
}

// linkNames are of the registry of link-layer header types.
var linkNames = map[uint16]string{
	0: "NULL", 1: "Ethernet", 6: "Token Ring", 7: "ARCNET", 8: "SLIP", 9: "PPP", 10: "FDDI", 12: "raw IP", 14: "raw IP",
	50: "PPP in HDLC", 51: "PPPoE", 101: "raw IP", 104: "Cisco HDLC", 105: "IEEE 802.11", 107: "Frame Relay", 108: "LOOP",
	109: "ENC", 113: "Linux cooked", 117: "PFLOG", 119: "IEEE 802.11 with Prism header", 127: "IEEE 802.11 with radiotap header",
	147: "USER0", 163: "IEEE 802.11 with AVS header", 187: "Bluetooth HCI H4", 189: "USB", 192: "PPI", 195: "IEEE 802.15.4",
	201: "Bluetooth HCI H4", 204: "PPP with direction", 220: "USB", 227: "CAN", 228: "IPv4", 229: "IPv6", 230: "IEEE 802.15.4",
	239: "NFLOG", 247: "InfiniBand", 249: "USB", 251: "Bluetooth LE", 253: "Netlink", 276: "Linux cooked, version 2",
}

// LinkName returns the name and the number of a link type, such as "IEEE 802.11 (105)".
func LinkName(link uint16) string {
	name, ok := linkNames[link]
	if !ok {
		name = "without a name here"
	}
	return fmt.Sprintf("%s (%d)", name, link)
}

// permit refuses frames that cannot be judged.
func (s *Reader) permit(link uint16) error {
	if link == linkEthernet || s.anyLink {
		return nil
	}
	return fmt.Errorf("link type %s, want frames of Ethernet (1): capture on one interface", LinkName(link))
}
