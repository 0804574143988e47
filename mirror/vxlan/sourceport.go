package vxlan

import "encoding/binary"

// sourcePorts is how many source ports there are: enough for paths and receive queues
// to be shared, few enough to keep their sockets.
const sourcePorts = 16

const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86DD
	etherVLAN = 0x8100

	protocolTCP = 6
)

// sourcePortIndex returns the index, 0 to sourcePorts-1, of the source port for a frame
// with the given headers: the same for both directions of a connection. What is no TCP
// over IP goes by its MAC addresses alone. It reads no octet that is not there.
func sourcePortIndex(header []byte) int {
	if len(header) < 14 {
		return 0
	}
	kind, ip := binary.BigEndian.Uint16(header[12:]), header[14:]
	if kind == etherVLAN && len(ip) >= 4 {
		kind, ip = binary.BigEndian.Uint16(ip[2:]), ip[4:]
	}
	var a, b, ports []byte
	switch {
	case kind == etherIPv4 && len(ip) >= 20 && ip[9] == protocolTCP:
		a, b, ports = ip[12:16], ip[16:20], ip[min(len(ip), int(ip[0]&15)*4):]
	case kind == etherIPv6 && len(ip) >= 40 && ip[6] == protocolTCP:
		a, b, ports = ip[8:24], ip[24:40], ip[40:]
	default:
		a, b = header[0:6], header[6:12]
	}
	x, y := fnv1a(a), fnv1a(b)
	if len(ports) >= 4 {
		x, y = finalize(x^uint64(binary.BigEndian.Uint16(ports))), finalize(y^uint64(binary.BigEndian.Uint16(ports[2:])))
	}
	return int(finalize(x+y) % sourcePorts) // a sum does not tell which came first
}

// fnv1a and finalize spread octets over 64 bits: FNV-1a and the finalizer of
// MurmurHash3. Nobody gains by finding collisions: at worst a source port has more to do.
func fnv1a(octets []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, o := range octets {
		h = (h ^ uint64(o)) * 1099511628211
	}
	return h
}

func finalize(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
