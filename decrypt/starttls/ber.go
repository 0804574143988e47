package starttls

// element is the header of a BER element with a tag of one octet and a definite
// length of at most four octets (ITU-T X.690, Section 8.1).
type element struct {
	tag    byte
	header int    // octets of tag and length
	length uint64 // of the contents
}

func (e element) size() uint64 { return uint64(e.header) + e.length }

// readElement reads the header at the beginning of p. With more, p ends before it
// does; ok is false for a header that is none or of another form.
func readElement(p []byte) (e element, more, ok bool) {
	if len(p) < 2 {
		return e, true, true
	}
	e = element{tag: p[0], header: 2, length: uint64(p[1])}
	if p[0]&0x1f == 0x1f { // a tag of several octets
		return e, false, false
	}
	if p[1] < 0x80 {
		return e, false, true
	}
	n := int(p[1] & 0x7f)
	if n == 0 || n > 4 {
		return e, false, false
	}
	if len(p) < 2+n {
		return e, true, true
	}
	e.header, e.length = 2+n, 0
	for _, octet := range p[2 : 2+n] {
		e.length = e.length<<8 | uint64(octet)
	}
	return e, false, true
}

// cutElement returns the contents of the element at the beginning of p, and what
// follows it. ok is false if p does not hold the whole of it.
func cutElement(p []byte) (tag byte, contents, rest []byte, ok bool) {
	e, more, ok := readElement(p)
	if more || !ok || e.size() > uint64(len(p)) {
		return 0, nil, nil, false
	}
	return e.tag, p[e.header:e.size()], p[e.size():], true
}
