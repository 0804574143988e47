package flow

// gre reads GRE, RFC 2784 and RFC 2890, and ERSPAN within it.
func (d *decoder) gre(p []byte, cut int) verdict {
	if len(p) < 4 {
		return broken
	}
	bits, kind := p[0], big.Uint16(p[2:])
	if p[1]&7 != 0 || bits&0x40 != 0 { // another version, or routing
		return other
	}
	at, id := 4, uint32(0)
	if bits&0x80 != 0 { // checksum
		at += 4
	}
	if bits&0x20 != 0 {
		if len(p) < at+4 {
			return broken
		}
		id = big.Uint32(p[at:])
		at += 4
	}
	sequence := bits&0x10 != 0
	if sequence {
		at += 4
	}
	if len(p) < at {
		return broken
	}
	return d.greBody(kind, id, sequence, p[at:], cut)
}

func (d *decoder) greBody(kind uint16, id uint32, sequence bool, p []byte, cut int) verdict {
	switch kind {
	case 0x88be, 0x22eb: // ERSPAN; without a sequence number it has no header (type I)
		skip := 0
		if sequence {
			skip = 8
		}
		if kind == 0x22eb {
			if len(p) < 12 {
				return broken
			}
			if skip = 12; p[11]&1 != 0 { // a platform header behind it
				skip = 20
			}
		}
		if len(p) < skip {
			return broken
		}
		if skip > 0 {
			id = uint32(big.Uint16(p[2:]) & 0x3ff)
		}
		if !d.deeper("erspan", id) {
			return other
		}
		return d.ethernet(p[skip:], cut)
	case etherTEB:
		if !d.deeper("gre", id) {
			return other
		}
		return d.ethernet(p, cut)
	}
	if !d.deeper("gre", id) {
		return other
	}
	return d.ether(kind, p, cut)
}

// Kinds of tunnels with virtual networks.
const (
	vxlan  = "vxlan"
	geneve = "geneve"
)

// Ports of tunnels in UDP.
const (
	portVXLAN  = 4789
	portVXLAN2 = 8472
	portGENEVE = 6081
	portGTP    = 2152
)

// datagram unwraps a tunnel in UDP, and reports whether there is one. What does not look
// like one stays a datagram.
func (d *decoder) datagram() (verdict, bool) {
	k := d.packet
	p, cut := k.payload, k.length-len(k.payload)
	var v verdict
	found := false
	switch k.to.port() {
	case portVXLAN, portVXLAN2:
		if found = len(p) >= 22 && p[0]&0xf7 == 0 && p[0]&8 != 0 && d.deeper(vxlan, big.Uint32(p[4:])>>8); found {
			v = d.ethernet(p[8:], cut)
		}
	case portGENEVE:
		v, found = d.geneve(p, cut)
	case portGTP:
		v, found = d.gtp(p, cut)
	}
	if !found || v == other || v == broken {
		d.packet = k
		return segment, false
	}
	return v, true
}

// geneve reads RFC 8926, Section 3.4.
func (d *decoder) geneve(p []byte, cut int) (verdict, bool) {
	if len(p) < 8 || p[0]>>6 != 0 {
		return other, false
	}
	at := 8 + 4*int(p[0]&0x3f)
	if len(p) < at || !d.deeper(geneve, big.Uint32(p[4:])>>8) {
		return other, false
	}
	if kind := big.Uint16(p[2:]); kind != etherTEB {
		return d.ether(kind, p[at:], cut), true
	}
	return d.ethernet(p[at:], cut), true
}

// gtp reads user data of GTP, version 1 (3GPP TS 29.281, Section 5.1).
func (d *decoder) gtp(p []byte, cut int) (verdict, bool) {
	if len(p) < 8 || p[0]>>5 != 1 || p[0]&0x10 == 0 || p[1] != 0xff {
		return other, false
	}
	at := 8
	if p[0]&7 != 0 {
		if at = 12; len(p) < at {
			return other, false
		}
		for next := p[11]; next != 0; {
			if len(p) < at+4 || p[at] == 0 || len(p) < at+4*int(p[at]) {
				return other, false
			}
			at += 4 * int(p[at])
			next = p[at-1]
		}
	}
	if !d.deeper("gtp", big.Uint32(p[4:])) {
		return other, false
	}
	return d.byVersion(p[at:], cut), true
}
