package quic

// read takes the packets of a datagram, and judges what can be judged then.
func (p *Peek) read(f *flow, b []byte) {
	readable, fault, version := false, Whole, uint32(0)
	for isLong(b) && fault == Whole {
		var h header
		h, fault = readHeader(b)
		if version = h.version; fault != Whole {
			break
		}
		if h.kind == kindInitial {
			fault = p.initial(f, b, &h)
			readable = readable || fault == Whole
		}
		b = b[h.end:]
	}
	// Receivers leave out what they cannot read behind what they can.
	if fault != Whole && (!readable || fault == Excess) && !f.faulty {
		f.faulty = true
		p.end(f, nil, fault, version)
	}
	for _, c := range f.connections {
		p.consider(f, c)
	}
}

// initial gives an Initial packet, the first in b, to its connection.
func (p *Peek) initial(f *flow, b []byte, h *header) State {
	for i := len(f.connections) - 1; i >= 0; i-- { // mostly it is the last one's
		if f.connections[i].packet(&p.opener, b, h) {
			return Whole
		}
	}
	c := newConnection(h)
	if !c.packet(&p.opener, b, h) {
		return Malformed // in nobody's keys: its origin cannot read it either
	}
	if len(f.connections) == maxConnections {
		return Excess
	}
	f.connections = append(f.connections, c)
	return Whole
}

// consider judges a connection if there is something to judge.
func (p *Peek) consider(f *flow, c *connection) {
	switch {
	case c.closed:
	case c.fault != Whole:
		c.judged, c.closed = true, true
		p.end(f, c, c.fault, c.version)
	case !c.whole():
		c.judged = false // also if another hello begins
	case !c.judged:
		c.judged = true
		if !c.told && !f.heard(c) {
			p.end(f, c, Whole, c.version)
		}
		c.told = true
	}
}

// heard reports whether the hello of c was judged for another connection of the flow:
// after a Retry, a client says the same with another connection ID.
func (f *flow) heard(c *connection) bool {
	for _, other := range f.connections {
		if other != c && other.told && !other.closed && other.says(c) {
			return true
		}
	}
	return false
}
