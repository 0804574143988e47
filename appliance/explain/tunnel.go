package explain

// gre takes a packet of GRE (RFC 2784, RFC 2890), of the enhanced one of PPTP
// (RFC 2637), of NVGRE (RFC 7637), or of ERSPAN.
func (w *walker) gre(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	flags, kind, size := big.Uint16(b), big.Uint16(b[2:]), 4
	for _, bit := range []uint16{0xc000, 0x2000, 0x1000} { // checksum or routing, key, sequence number
		if flags&bit != 0 {
			size += 4
		}
	}
	if flags&7 == 1 && flags&0x0080 != 0 { // acknowledgement
		size += 4
	}
	b, ok := skip(b, size)
	switch {
	case !ok || flags&0x4000 != 0: // source routes
		return false
	case kind == 0x88be && flags&0x1000 == 0: // ERSPAN, type I
		return w.ethernet(b)
	case kind == 0x88be: // type II
		b, ok = skip(b, 8)
		return ok && w.ethernet(b)
	case kind == 0x22eb: // type III, with or without a platform's header
		size := 12
		if len(b) >= 12 && b[11]&1 != 0 {
			size = 20
		}
		b, ok = skip(b, size)
		return ok && w.ethernet(b)
	case kind == 0x883e: // WCCP, with or without its header
		if len(b) > 4 && b[0]>>4 != 4 {
			b = b[4:]
		}
		return w.ip(b)
	}
	return w.ether(kind, b)
}

// tunnelOf returns what reads the payload of UDP to a port; nil: no tunnel.
func tunnelOf(port uint16) func(w *walker, b []byte) bool {
	switch port {
	case 4789, 8472: // RFC 7348, and of Linux
		return (*walker).vxlan
	case 4790:
		return (*walker).gpe
	case 6081: // RFC 8926
		return (*walker).geneve
	case 2152: // 3GPP TS 29.281
		return (*walker).gtp
	case 4754: // RFC 8086
		return (*walker).gre
	case 6635: // RFC 7510
		return (*walker).mpls
	case 1701: // RFC 2661
		return (*walker).l2tp
	case 3544: // RFC 4380
		return (*walker).ip
	case 37008:
		return (*walker).tzsp
	}
	return nil
}

func (w *walker) udp(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	read := tunnelOf(big.Uint16(b[2:]))
	return read != nil && read(w, b[8:])
}

func (w *walker) vxlan(b []byte) bool {
	return len(b) >= 8 && b[0]&8 != 0 && w.ethernet(b[8:])
}

// gpe takes a packet of VXLAN-GPE.
func (w *walker) gpe(b []byte) bool {
	if len(b) < 8 {
		return false
	}
	switch b[3] {
	case 1, 2:
		return w.ip(b[8:])
	case 5:
		return w.mpls(b[8:])
	}
	return w.ethernet(b[8:])
}

func (w *walker) geneve(b []byte) bool {
	if len(b) < 8 || b[0]>>6 != 0 {
		return false
	}
	rest, ok := skip(b, 8+4*int(b[0]&0x3f))
	return ok && w.ether(big.Uint16(b[2:]), rest)
}

// gtp takes a user's packet of GTP version 1.
func (w *walker) gtp(b []byte) bool {
	if len(b) < 8 || b[0]>>5 != 1 || b[1] != 255 {
		return false
	}
	flags, rest := b[0], b[8:]
	if flags&7 == 0 {
		return w.ip(rest)
	}
	if len(rest) < 4 {
		return false
	}
	next := rest[3]
	if flags&4 == 0 {
		next = 0
	}
	for rest = rest[4:]; next != 0; {
		if w.left--; w.left < 0 || len(rest) == 0 || rest[0] == 0 || 4*int(rest[0]) > len(rest) {
			return false
		}
		size := 4 * int(rest[0])
		next, rest = rest[size-1], rest[size:]
	}
	return w.ip(rest)
}

// l2tp takes a frame of a session of L2TP version 2.
func (w *walker) l2tp(b []byte) bool {
	if len(b) < 6 || b[0]&0x80 != 0 || b[1]&15 != 2 {
		return false
	}
	size := 6
	if b[0]&0x40 != 0 { // length
		size += 2
	}
	if b[0]&0x08 != 0 { // sequence
		size += 4
	}
	if b[0]&0x02 != 0 { // offset
		if len(b) < size+2 {
			return false
		}
		size += 2 + int(big.Uint16(b[size:]))
	}
	rest, ok := skip(b, size)
	return ok && w.ppp(rest)
}

// tzsp takes a frame of Ethernet in TaZmen Sniffer Protocol.
func (w *walker) tzsp(b []byte) bool {
	if len(b) < 4 || b[0] != 1 || big.Uint16(b[2:]) != 1 {
		return false
	}
	for b = b[4:]; len(b) > 0; {
		switch tag := b[0]; {
		case tag == 1: // end
			return w.ethernet(b[1:])
		case tag == 0: // padding
			b = b[1:]
		case len(b) < 2 || len(b) < 2+int(b[1]):
			return false
		default:
			b = b[2+int(b[1]):]
		}
	}
	return false
}
