package filter

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/net/bpf"
)

// node is a condition.
type node interface {
	// code writes what jumps to one of two places.
	code(c *compiler, yes, no label)
}

type (
	both    struct{ a, b node }
	either  struct{ a, b node }
	negated struct{ a node }

	// never holds for no frame.
	never struct{}

	// test compares octets of a frame: size of them at an offset, or behind the IPv4 header at
	// one.
	test struct {
		at, size int
		ip       int // offset of the IPv4 header whose length is added to at; 0: none
		mask     uint32
		op       bpf.JumpTest
		value    uint32
	}

	// length compares the length of a frame.
	length struct {
		n    uint32
		less bool
	}

	// aside holds if the kernel has taken a tag out of the frame.
	aside struct{}

	// asideTag holds if that tag has an identifier.
	asideTag struct{ id uint32 }
)

func (n both) code(c *compiler, yes, no label) {
	next := c.label()
	n.a.code(c, next, no)
	c.place(next)
	n.b.code(c, yes, no)
}

func (n either) code(c *compiler, yes, no label) {
	next := c.label()
	n.a.code(c, yes, next)
	c.place(next)
	n.b.code(c, yes, no)
}

func (n negated) code(c *compiler, yes, no label) { n.a.code(c, no, yes) }

func (never) code(c *compiler, _, no label) { c.jump(no) }

func (n test) code(c *compiler, yes, no label) {
	if n.ip > 0 {
		c.add(bpf.LoadMemShift{Off: uint32(n.ip)})
		c.add(bpf.LoadIndirect{Off: uint32(n.at), Size: n.size})
	} else {
		c.add(bpf.LoadAbsolute{Off: uint32(n.at), Size: n.size})
	}
	if n.mask != 0 {
		c.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: n.mask})
	}
	c.test(n.op, n.value, yes, no)
}

func (n length) code(c *compiler, yes, no label) {
	c.add(bpf.LoadExtension{Num: bpf.ExtLen})
	if n.less {
		c.test(bpf.JumpLessOrEqual, n.n, yes, no)
		return
	}
	c.test(bpf.JumpGreaterOrEqual, n.n, yes, no)
}

func (aside) code(c *compiler, yes, no label) {
	c.add(bpf.LoadExtension{Num: bpf.ExtVLANTagPresent})
	c.test(bpf.JumpNotEqual, 0, yes, no)
}

func (n asideTag) code(c *compiler, yes, no label) {
	c.add(bpf.LoadExtension{Num: bpf.ExtVLANTag})
	c.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xfff})
	c.test(bpf.JumpEqual, n.id, yes, no)
}

// asideID is the tag with an identifier; nil: any.
func asideID(id *uint32) node {
	if id == nil {
		return aside{}
	}
	return asideTag{*id}
}

// all and some put nodes together.
func all(first node, more ...node) node {
	for _, n := range more {
		first = both{first, n}
	}
	return first
}

func some(first node, more ...node) node {
	for _, n := range more {
		first = either{first, n}
	}
	return first
}

// equal compares octets.
func equal(at, size int, value uint32) node {
	return test{at: at, size: size, op: bpf.JumpEqual, value: value}
}

// Types of Ethernet.
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherRARP = 0x8035
	etherIPv6 = 0x86dd
	tag       = 0x8100
	tagQinQ   = 0x88a8
	tagQinQ2  = 0x9100
)

// etherType holds if the type, at an offset, is one.
func etherType(at int, kind uint32) node { return equal(at, 2, kind) }

// tagged holds if a frame has a tag at an offset.
func tagged(at int, id *uint32) node {
	n := some(etherType(at, tag), etherType(at, tagQinQ), etherType(at, tagQinQ2))
	if id != nil {
		n = both{n, test{at: at + 2, size: 2, mask: 0xfff, op: bpf.JumpEqual, value: *id}}
	}
	return n
}

// numbers of protocols in IP.
var numbers = map[string]uint32{"icmp": 1, "tcp": 6, "udp": 17, "icmp6": 58, "sctp": 132}

// protocol is a protocol alone. at is where the type of Ethernet is.
func protocol(name string, at int) node {
	switch name {
	case "ip":
		return etherType(at, etherIPv4)
	case "ip6":
		return etherType(at, etherIPv6)
	case "arp":
		return etherType(at, etherARP)
	case "icmp":
		return ipProtocol(at, 4, numbers[name])
	case "icmp6":
		return ipProtocol(at, 6, numbers[name])
	}
	return either{ipProtocol(at, 4, numbers[name]), ipProtocol(at, 6, numbers[name])}
}

// ipProtocol holds for a protocol in IP of a version, in the first fragment of IPv6 too.
func ipProtocol(at, version int, number uint32) node {
	if version == 4 {
		return both{etherType(at, etherIPv4), equal(at+2+9, 1, number)}
	}
	const fragment = 44
	next := either{equal(at+2+6, 1, number), both{equal(at+2+6, 1, fragment), equal(at+2+40, 1, number)}}
	return both{etherType(at, etherIPv6), next}
}

// node returns what the words and a value mean.
func (w *words) node(value string, at int) (node, error) {
	switch w.kind {
	case "proto":
		return w.protocolNumber(value, at)
	case "port", "portrange":
		return w.ports(value, at)
	}
	if w.proto == "ether" && w.kind == "host" {
		a, err := hardware(value)
		if err != nil {
			return nil, err
		}
		end := func(at int) node {
			return both{equal(at+2, 4, binary.BigEndian.Uint32(a[2:])), equal(at, 2, uint32(binary.BigEndian.Uint16(a)))}
		}
		return w.ends(end(6), end(0)), nil
	}
	read := address
	if w.kind == "net" {
		read = network
	}
	n, err := read(value)
	if err != nil {
		return nil, err
	}
	return w.network(n, at)
}

// ends puts the conditions of both ends together.
func (w *words) ends(src, dst node) node {
	switch w.dir {
	case "src":
		return src
	case "dst":
		return dst
	case "src and dst":
		return both{src, dst}
	}
	return either{src, dst}
}

// network holds for addresses in a network.
func (w *words) network(n netip.Prefix, at int) (node, error) {
	pair := func(kind uint32, src, dst int) node {
		return both{etherType(at, kind), w.ends(within(n, at+2+src), within(n, at+2+dst))}
	}
	if !n.Addr().Is4() {
		if w.proto != "" && w.proto != "ip6" {
			return nil, fmt.Errorf("%s has no %s", w.proto, n)
		}
		return pair(etherIPv6, 8, 24), nil
	}
	switch w.proto {
	case "":
		return some(pair(etherIPv4, 12, 16), pair(etherARP, 14, 24), pair(etherRARP, 14, 24)), nil
	case "ip":
		return pair(etherIPv4, 12, 16), nil
	case "arp":
		return pair(etherARP, 14, 24), nil
	}
	return nil, fmt.Errorf("%s does not go with %s %s", w.proto, w.kind, n)
}

// within holds for an address, at an offset, in a network.
func within(n netip.Prefix, at int) node {
	var list []node
	for a, bits := n.Addr().AsSlice(), n.Bits(); bits > 0; a, bits, at = a[4:], bits-32, at+4 {
		word := test{at: at, size: 4, op: bpf.JumpEqual, value: binary.BigEndian.Uint32(a)}
		if bits < 32 {
			word.mask = ^uint32(0) << (32 - bits)
		}
		list = append(list, word)
	}
	if len(list) == 0 {
		return negated{never{}}
	}
	return all(list[0], list[1:]...)
}

// protocolNumber holds for a protocol by its number.
func (w *words) protocolNumber(value string, at int) (node, error) {
	if w.dir != "" {
		return nil, fmt.Errorf("%s does not go with proto", w.dir)
	}
	if w.proto == "ether" {
		n, err := number(value, 0xffff)
		if err == nil && n < 0x600 {
			err = fmt.Errorf("want a type of Ethernet such as 0x0800, not %s", value)
		}
		return etherType(at, n), err
	}
	n, err := number(value, 255)
	if err != nil {
		return nil, err
	}
	switch w.proto {
	case "":
		return either{ipProtocol(at, 4, n), ipProtocol(at, 6, n)}, nil
	case "ip":
		return ipProtocol(at, 4, n), nil
	case "ip6":
		return ipProtocol(at, 6, n), nil
	}
	return nil, fmt.Errorf("%s does not go with proto", w.proto)
}

// ports holds for ports of TCP, UDP and SCTP. Fragments behind the first have none.
func (w *words) ports(value string, at int) (node, error) {
	from, to, err := ports(value, w.kind == "port")
	if err != nil {
		return nil, err
	}
	names := []string{"tcp", "udp", "sctp"}
	switch w.proto {
	case "tcp", "udp", "sctp":
		names = []string{w.proto}
	case "":
	default:
		return nil, fmt.Errorf("%s does not go with %s", w.proto, w.kind)
	}
	head := at + 2
	ends := func(v4 int, base int) node { return w.ends(inRange(base, v4, from, to), inRange(base+2, v4, from, to)) }
	var four, six []node
	for _, name := range names {
		four = append(four, equal(head+9, 1, numbers[name]))
		six = append(six, equal(head+6, 1, numbers[name]))
	}
	whole := test{at: head + 6, size: 2, mask: 0x1fff, op: bpf.JumpEqual}
	return either{
		all(etherType(at, etherIPv4), some(four[0], four[1:]...), whole, ends(head, head)),
		all(etherType(at, etherIPv6), some(six[0], six[1:]...), ends(0, head+40)),
	}, nil
}

// inRange holds for a port in a range.
func inRange(at, ip int, from, to uint32) node {
	one := test{at: at, size: 2, ip: ip, op: bpf.JumpEqual, value: from}
	if from == to {
		return one
	}
	least, most := one, one
	least.op, most.op, most.value = bpf.JumpGreaterOrEqual, bpf.JumpLessOrEqual, to
	return both{least, most}
}
