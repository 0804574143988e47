package object

import "bytes"

// maxBoundary bounds a boundary. RFC 2046 allows 70.
const maxBoundary = 256

// multipart takes a message in parts apart (RFC 2046, Section 5.1). A delimiter is a line of
// two hyphens and the boundary, with two more behind the last part. Blanks may follow. The
// line end in front belongs to it. Parts behind the last one are read, too: some readers
// see them.
type multipart struct {
	r         *reading
	delimiter []byte // LF, two hyphens, the boundary
	parent    int
	at        place
	number    int
	state     multipartState
	held      []byte // octets of content that may be a delimiter
	tail      int    // of held, octets behind the boundary
	start     bool   // held begins with a LF that stands for the beginning of content
	header    headerReader
	part      stage // nil: none is open
	related   bool  // a text in JSON may name the part behind it
	digest    bool  // parts are mail messages, unless they say otherwise
}

type multipartState uint8

const (
	preamble      multipartState = iota
	delimiterLine                // behind the boundary of what may be a delimiter
	partHeader
	partBody
	overflow // there are too many parts
)

func newMultipart(r *reading, boundary string, parent int, at place) *multipart {
	m := &multipart{r: r, delimiter: append([]byte("\n--"), boundary...), parent: parent, at: at}
	m.content(preamble)
	return m
}

// content begins a run of content. A delimiter may be its very first line.
func (m *multipart) content(s multipartState) {
	m.state, m.held, m.start = s, append(m.held[:0], '\n'), true
}

func (m *multipart) write(p []byte) {
	for len(p) > 0 {
		switch m.state {
		case preamble, partBody:
			if len(m.held) > 0 {
				p = m.resume(p)
			} else {
				p = m.scan(p)
			}
		case delimiterLine:
			p = m.line(p)
		case partHeader:
			rest, whole, over := m.header.add(p)
			switch {
			case whole:
				p = rest
				m.begin(entityOf(m.header.octets))
			case over: // it is no header: all of it is content of a part without one
				octets := m.header.octets
				m.header = headerReader{}
				m.begin(entity{})
				m.write(octets)
				return
			default:
				return
			}
		case overflow:
			m.pass(p)
			return
		}
	}
}

// begin begins a part.
func (m *multipart) begin(h entity) {
	m.number++
	m.r.parts++
	m.content(partBody)
	if m.digest && h.kind == "" {
		h.kind = "message/rfc822"
	}
	if m.related && h.name == "" {
		h.name, m.r.told = m.r.told, ""
	}
	m.part = m.r.entity(&h, m.at.below(m.parent, m.number))
}

// pass passes on content of a part.
func (m *multipart) pass(p []byte) {
	if m.part != nil && len(p) > 0 {
		m.part.write(p)
	}
}

// maxTail bounds the blanks behind a boundary.
const maxTail = 1000

// line reads what is behind a boundary: two hyphens, or blanks up to the end of the line.
// Anything else is content of the part that is open.
func (m *multipart) line(p []byte) []byte {
	for i, c := range p {
		first := len(m.held) == m.tail
		dashed := !first && m.held[m.tail] == '-'
		switch {
		case c == '-' && dashed:
			m.end()
			m.state = preamble
			return p[i+1:]
		case c == '\n' && !dashed:
			m.end()
			m.header, m.state = headerReader{}, partHeader
			if m.r.parts >= maxParts { // what is left is one object
				m.number++
				m.part, m.state = m.r.object(&Description{Parent: m.parent, Part: m.at.below(m.parent, m.number).path}), overflow
			}
			return p[i+1:]
		case c == '-' && first, !dashed && (c == ' ' || c == '\t' || c == '\r') && len(m.held)-m.tail < maxTail:
			m.held = append(m.held, c)
		default:
			m.state = partBody
			if m.part == nil {
				m.state = preamble
			}
			m.release()
			return p[i:]
		}
	}
	return nil
}

// found notes that held is a line end and the boundary.
func (m *multipart) found() { m.state, m.tail = delimiterLine, len(m.held) }

// scan looks for a delimiter in content, and returns what is behind it.
func (m *multipart) scan(p []byte) []byte {
	for from := 0; ; {
		i := bytes.IndexByte(p[from:], '\n')
		if i < 0 {
			break
		}
		i += from
		rest := p[i:]
		n := min(len(rest), len(m.delimiter))
		if !bytes.Equal(rest[:n], m.delimiter[:n]) {
			from = i + 1
			continue
		}
		at := i
		if at > 0 && p[at-1] == '\r' {
			at--
		}
		m.pass(p[:at])
		m.held = append(m.held, p[at:i+n]...)
		if n == len(m.delimiter) {
			m.found()
		}
		return rest[n:]
	}
	if n := len(p); p[n-1] == '\r' {
		m.pass(p[:n-1])
		m.held = append(m.held, '\r')
		return nil
	}
	m.pass(p)
	return nil
}

// resume goes on with octets that are held: a CR, a LF or both, and some of a delimiter.
func (m *multipart) resume(p []byte) []byte {
	for i, c := range p {
		m.held = append(m.held, c)
		found := m.held
		if found[0] == '\r' {
			found = found[1:]
		}
		n := min(len(found), len(m.delimiter))
		if !bytes.Equal(found[:n], m.delimiter[:n]) {
			m.held = m.held[:len(m.held)-1]
			m.release()
			return p[i:]
		}
		if n == len(m.delimiter) {
			m.found()
			return p[i+1:]
		}
	}
	return nil
}

// release passes on what is held, and is content.
func (m *multipart) release() {
	held := m.held
	if m.start {
		held = held[1:]
	}
	m.pass(held)
	m.held, m.start = m.held[:0], false
}

// end ends the part that is open, at a delimiter.
func (m *multipart) end() {
	if m.part != nil {
		m.part.close(Complete)
		m.part = nil
	}
	m.held, m.start = m.held[:0], false
}

// hole goes on in the part that is open, or looks for the next delimiter.
func (m *multipart) hole(n uint64) {
	switch m.state {
	case overflow:
		m.part.hole(n)
	case partBody:
		m.release()
		m.part.hole(n)
	case delimiterLine:
		m.end()
		m.state = preamble
	case preamble, partHeader:
		m.state, m.held, m.start = preamble, m.held[:0], false
	}
}

// close ends the part that is open, whose delimiter is missing.
func (m *multipart) close(e Ending) {
	if m.part == nil {
		return
	}
	switch m.state {
	case delimiterLine:
		m.end()
		return
	case overflow:
		m.part.close(Broken)
		m.part = nil
		return
	}
	m.release()
	m.part.close(max(e, Cut))
	m.part = nil
}
