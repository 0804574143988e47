package flow

// ipv4 reads an IPv4 packet. cut octets at its end were not captured.
func (d *decoder) ipv4(p []byte, cut int) verdict {
	if len(p) < 20 {
		return broken
	}
	size, length := int(p[0]&15)*4, int(big.Uint16(p[2:]))
	if p[0]>>4 != 4 || size < 20 || size > len(p) {
		return broken
	}
	switch {
	case length == 0: // a segment that offload left whole
		length = len(p) + cut
	case length < size:
		return broken
	}
	length = min(length, len(p)+cut)
	body := p[size:min(length, len(p))]
	if part := big.Uint16(p[6:]); part&0x3fff != 0 {
		if d.alone {
			return fragment
		}
		k := fragmentKey{id: uint32(big.Uint16(p[4:])), protocol: p[9]}
		copy(k.src[:], p[12:16])
		copy(k.dst[:], p[16:20])
		if len(body) != length-size {
			return broken // the rest was not captured
		}
		whole := d.fragments.add(k, int(part&0x1fff)*8, body, part&0x2000 != 0)
		if whole == nil {
			return fragment
		}
		return d.payload(p[9], p[12:16], p[16:20], whole, len(whole))
	}
	return d.payload(p[9], p[12:16], p[16:20], body, length-size)
}

// ipv6 reads an IPv6 packet.
func (d *decoder) ipv6(p []byte, cut int) verdict {
	if len(p) < 40 || p[0]>>4 != 6 {
		return broken
	}
	src, dst, next := p[8:24], p[24:40], p[6]
	length := int(big.Uint16(p[4:]))
	if length == 0 { // a jumbogram, or a segment that offload left whole
		length = len(p) + cut - 40
	}
	length = min(length, len(p)+cut-40)
	body := p[40:min(40+length, len(p))]
	for range maxExtensions {
		switch next {
		case 0, 43, 60, 51, 135: // RFC 8200, Section 4; authentication, mobility
			if len(body) < 8 {
				return broken
			}
			size := 8 + 8*int(body[1])
			if next == 51 {
				size = 8 + 4*int(body[1])
			}
			if size > len(body) {
				return broken
			}
			next, body, length = body[0], body[size:], length-size
		case 44:
			if len(body) < 8 || len(body) != length {
				return broken
			}
			if d.alone {
				return fragment
			}
			k := fragmentKey{id: big.Uint32(body[4:]), protocol: body[0], v6: true}
			copy(k.src[:], src)
			copy(k.dst[:], dst)
			part := big.Uint16(body[2:])
			whole := d.fragments.add(k, int(part&^7), body[8:], part&1 != 0)
			if whole == nil {
				return fragment
			}
			next, body, length = body[0], whole, len(whole)
		default:
			return d.payload(next, src, dst, body, length)
		}
	}
	return other
}

// payload reads what an IP packet carries: length octets, of which p were captured.
func (d *decoder) payload(protocol uint8, src, dst, p []byte, length int) verdict {
	cut := length - len(p)
	switch protocol {
	case 4, 41:
		if d.deeper("ip", 0) {
			return d.byVersion(p, cut)
		}
		return other
	case 47:
		return d.gre(p, cut)
	case 137:
		return d.mpls(p, cut)
	}
	v := d.packet.transportOf(protocol, src, dst, p, length)
	if v == segment && d.packet.transport == UDP {
		if within, ok := d.datagram(); ok {
			return within
		}
	}
	return v
}

// deeper goes into a tunnel, and reports whether there were not too many.
func (d *decoder) deeper(kind string, id uint32) bool {
	if d.depth == maxTunnels {
		return false
	}
	d.depth++
	d.packet.tunnel = tunnel{kind, id}
	return true
}
