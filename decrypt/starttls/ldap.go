package starttls

// ldap is the grammar of LDAP (RFC 4511) as far as StartTLS (Section 4.14), which
// may come at any time, also behind a bind. Octets that are no LDAP message, such
// as those of a SASL security layer, end the dialogue.
type ldap struct {
	id string // message identifier of the StartTLS without a response
}

const (
	startTLS = "1.3.6.1.4.1.1466.20037"

	tagSequence         = 0x30
	tagInteger          = 0x02
	tagEnumerated       = 0x0a
	tagExtendedRequest  = 0x77
	tagExtendedResponse = 0x78
	tagRequestName      = 0x80
)

// message is an LDAPMessage as far as it is there.
type message struct {
	size uint64 // header included
	id   string // message identifier, its octets without leading zeros
	op   byte   // tag of the operation
	body []byte // contents of the operation and what follows, as far as they are there
}

// readMessage reads the beginning of a message. With more, p is too short to tell
// its size or, where that is needed, its operation.
func readMessage(p []byte, operation bool) (m message, more, ok bool) {
	if p[0] != tagSequence {
		return m, false, false
	}
	e, more, ok := readElement(p)
	if more || !ok {
		return m, more, ok
	}
	m.size = e.size()
	if !operation {
		return m, false, true
	}
	p = p[e.header:min(uint64(len(p)), m.size)]
	whole := uint64(len(p)) == e.length
	e, more, ok = readElement(p)
	switch {
	case more || !ok:
		return m, more && !whole, ok && !whole
	case e.tag != tagInteger || e.length == 0 || e.length > 8:
		return m, false, false
	case uint64(len(p)) <= e.size():
		return m, !whole, !whole
	}
	id := p[e.header:e.size()]
	for len(id) > 1 && id[0] == 0 {
		id = id[1:]
	}
	m.id, p = string(id), p[e.size():]
	m.op = p[0]
	e, more, ok = readElement(p)
	if more || !ok {
		return m, more && !whole, ok && !whole
	}
	m.body = p[e.header:]
	return m, false, true
}

func (x *ldap) client(d *Dialogue, w *writer, p []byte) {
	m, more, ok := readMessage(p, true)
	switch {
	case more:
		return
	case !ok:
		d.over(w, p)
		return
	case m.op != tagExtendedRequest:
		d.client.pass(w, p, m.size)
		return
	}
	is, more := isStartTLS(m.body)
	switch {
	case more && uint64(len(p)) < m.size:
	case !is:
		d.client.pass(w, p, m.size)
	case m.size > maxLine: // there is nothing to say beside the name
		d.state = Violation
	case uint64(len(p)) >= m.size:
		x.id = m.id
		d.state = Requested
		w.add(int(m.size), true)
	}
}

// isStartTLS reads the name of an extended request.
func isStartTLS(body []byte) (is, more bool) {
	e, more, ok := readElement(body)
	switch {
	case more:
		return false, true
	case !ok || e.tag != tagRequestName || e.length != uint64(len(startTLS)):
		return false, false
	case uint64(len(body)) < e.size():
		return false, true
	}
	return string(body[e.header:e.size()]) == startTLS, false
}

func (x *ldap) origin(d *Dialogue, w *writer, p []byte) {
	m, more, ok := readMessage(p, d.state == Requested)
	switch {
	case more:
	case !ok:
		d.over(w, p)
	case d.state != Requested || m.op != tagExtendedResponse || m.id != x.id:
		d.origin.pass(w, p, m.size)
	case m.size > maxLine:
		d.state = Violation
	case uint64(len(p)) >= m.size:
		if tag, code, _, ok := cutElement(m.body); ok && tag == tagEnumerated && string(code) == "\x00" {
			d.granted()
		} else {
			d.refuse()
		}
		w.add(int(m.size), true)
	}
}
