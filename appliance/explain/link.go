package explain

// linkOf returns what reads frames of a link type (the registry of link-layer header
// types at tcpdump.org); nil: nothing does.
func linkOf(link uint16) func(w *walker, b []byte) bool {
	switch link {
	case 0, 108: // NULL and LOOP: the family
		return behind(4)
	case 1: // ETHERNET
		return (*walker).ethernet
	case 9, 50: // PPP, PPP_HDLC
		return (*walker).ppp
	case 12, 14, 101, 228, 229: // RAW with its numbers of some systems, IPV4, IPV6
		return (*walker).ip
	case 51: // PPP_ETHER
		return (*walker).pppoe
	case 104: // C_HDLC
		return (*walker).ciscoHDLC
	case 109: // ENC
		return behind(12)
	case 113: // LINUX_SLL
		return (*walker).cooked
	case 117: // PFLOG
		return (*walker).pflog
	case 204: // PPP_WITH_DIR
		return (*walker).directed
	case 276: // LINUX_SLL2
		return (*walker).cooked2
	}
	return nil
}

// behind returns a reader of IP packets behind a header of n octets.
func behind(n int) func(*walker, []byte) bool {
	return func(w *walker, b []byte) bool {
		b, ok := skip(b, n)
		return ok && w.ip(b)
	}
}

func (w *walker) pppoe(b []byte) bool { return w.ether(0x8864, b) }

func (w *walker) ciscoHDLC(b []byte) bool { return len(b) >= 4 && w.ether(big.Uint16(b[2:]), b[4:]) }

func (w *walker) cooked(b []byte) bool { return len(b) >= 16 && w.ether(big.Uint16(b[14:]), b[16:]) }

func (w *walker) cooked2(b []byte) bool { return len(b) >= 20 && w.ether(big.Uint16(b), b[20:]) }

func (w *walker) directed(b []byte) bool { return len(b) > 0 && w.ppp(b[1:]) }

func (w *walker) pflog(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	b, ok := skip(b, (int(b[0])+3)&^3)
	return ok && w.ip(b)
}
