package object

// mail is a message: its octets are an object, and the entities in it are others. The
// object begins when the header is whole, because that names it.
type mail struct {
	r      *reading
	d      *Description
	at     place
	header headerReader
	object stage // nil: the header is not whole yet
	within stage
}

func newMail(r *reading, d *Description, at place) *mail { return &mail{r: r, d: d, at: at} }

func (m *mail) write(p []byte) {
	if m.object != nil {
		m.object.write(p)
		m.within.write(p)
		return
	}
	rest, whole, over := m.header.add(p)
	switch {
	case whole:
		section := m.header.octets
		m.begin(section)
		m.object.write(section)
		m.object.write(lineFeed)
		if len(rest) > 0 {
			m.object.write(rest)
			m.within.write(rest)
		}
	case over:
		m.begin(nil)
		m.object.write(m.header.octets)
	}
}

// lineFeed ends the empty line behind a header. Its CR is among the header's octets.
var lineFeed = []byte{'\n'}

// begin begins the object. section is nil if the header cannot be read.
func (m *mail) begin(section []byte) {
	m.d.Type = "message/rfc822"
	if section != nil {
		m.d.Header = headerOf(section)
	}
	m.object = m.r.object(m.d)
	m.within = nobody{}
	if section == nil {
		return
	}
	h := entityOf(section)
	if h.kind == "" {
		h.kind = "text/plain"
	}
	below := m.at.below(m.d.Number, 1)
	below.path = m.at.path // the body is no part of its own
	below.inMail = true
	m.within = m.r.entity(&h, below)
}

func (m *mail) hole(n uint64) {
	if m.object == nil {
		m.begin(nil)
		m.object.write(m.header.octets)
	}
	m.object.hole(n)
	m.within.hole(n)
}

func (m *mail) close(e Ending) {
	if m.object == nil { // a header, and no more
		m.begin(m.header.octets)
		m.object.write(m.header.octets)
	}
	m.within.close(e)
	m.object.close(e)
}
