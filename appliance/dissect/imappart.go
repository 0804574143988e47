package dissect

import (
	"bytes"
	"strings"

	"github.com/clearspan/clearspan/decrypt/proto/imap"
)

const (
	maxKnown     = 1024      // messages of a mailbox of which something is known
	maxKnownText = 256 << 10 // octets of headers of them
	maxKept      = 16 << 10  // octets of one header
	maxResponse  = 64 << 10  // octets of a FETCH response, without contents
)

// mailbox is what the server has told of the messages of a mailbox, by their numbers. The
// oldest is forgotten if there are too many.
type mailbox struct {
	messages map[uint64]*known
	order    []uint64
	octets   int // of headers
	response []byte
}

// known is what is known of a message.
type known struct {
	size   uint64
	header []byte            // header section, or some fields of it
	whole  bool              // the section is whole
	mime   map[string][]byte // header sections of parts
	sizes  map[string]uint64 // octets of parts
}

// of returns what is known of a message, for more to be noted.
func (m *mailbox) of(number uint64) *known {
	if k := m.messages[number]; k != nil {
		return k
	}
	if m.messages == nil {
		m.messages = make(map[uint64]*known)
	}
	for len(m.order) >= maxKnown || m.octets > maxKnownText && len(m.order) > 0 {
		m.forget(m.order[0])
	}
	k := new(known)
	m.messages[number] = k
	m.order = append(m.order, number)
	return k
}

func (m *mailbox) forget(number uint64) {
	if k := m.messages[number]; k != nil {
		m.octets -= len(k.header)
		for _, section := range k.mime {
			m.octets -= len(section)
		}
	}
	delete(m.messages, number)
	for i, n := range m.order {
		if n == number {
			m.order = append(m.order[:i], m.order[i+1:]...)
			break
		}
	}
}

// clear forgets all: another mailbox is selected, or numbers have changed.
func (m *mailbox) clear() { *m = mailbox{} }

// part notes the header section of a part, if there is room.
func (m *mailbox) part(number uint64, section string, header []byte) bool {
	k := m.of(number)
	if k.mime == nil {
		k.mime, k.sizes = make(map[string][]byte), make(map[string]uint64)
	}
	if m.octets += len(header) - len(k.mime[section]); m.octets > 2*maxKnownText {
		m.octets -= len(header) - len(k.mime[section])
		return false
	}
	k.mime[section] = header
	return true
}

// head notes a header section of a message, or some fields of it.
func (m *mailbox) head(number uint64, section []byte, whole bool) {
	k := m.of(number)
	if k.whole && !whole {
		return
	}
	m.octets += len(section) - len(k.header)
	k.header, k.whole = section, whole
}

// list takes a line of a FETCH response without its announcement of a literal.
func (m *mailbox) list(text []byte) { m.add(text) }

func (m *mailbox) add(text []byte) {
	m.response = append(m.response, text[:min(len(text), maxResponse-len(m.response))]...)
}

// literal takes the place of a literal in the response: a string, which is empty for items.
func (m *mailbox) literal(p []byte, first, end bool) {
	if first {
		m.add([]byte{'"'})
	}
	for _, c := range p {
		if c == '"' || c == '\\' {
			m.add([]byte{'\\'})
		}
		m.add([]byte{c})
	}
	if end {
		m.add([]byte{'"', ' '})
	}
}

// told reads the response, which is over.
func (m *mailbox) told(number uint64) {
	text := m.response
	m.response = m.response[:0]
	if cap(text) > 4<<10 {
		m.response = nil
	}
	if !imap.Tells(text) {
		return
	}
	t := imap.ParseTold(text)
	if t.Size > 0 {
		m.of(number).size = t.Size
	}
	for i := range t.Parts {
		p := &t.Parts[i]
		if m.messages[number] != nil && m.messages[number].mime[p.Section] != nil {
			continue // it was sent itself, or the structure of a message that is a part
		}
		if m.part(number, p.Section, mimeOf(p)) && p.Octets > 0 {
			m.of(number).sizes[p.Section] = p.Octets
		}
	}
}

// mimeOf writes the header section of a part.
func mimeOf(p *imap.Structure) []byte {
	var b bytes.Buffer
	b.WriteString("Content-Type: " + atom(p.Type) + "/" + atom(p.Subtype))
	parameters(&b, p.Parameters)
	if p.Encoding != nil {
		b.WriteString("\r\nContent-Transfer-Encoding: " + atom(p.Encoding))
	}
	if p.Disposition != nil {
		b.WriteString("\r\nContent-Disposition: " + atom(p.Disposition))
		parameters(&b, p.DispositionParameters)
	}
	for _, f := range []struct {
		name  string
		value []byte
	}{{"Content-ID", p.ID}, {"Content-Description", p.Description}} {
		if f.value != nil {
			b.WriteString("\r\n" + f.name + ": " + oneLine(f.value))
		}
	}
	b.WriteString("\r\n\r\n")
	return b.Bytes()[:min(b.Len(), maxKept)]
}

// atom returns a word of a field.
func atom(word []byte) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || r == ';' || r == '/' {
			return '-'
		}
		return r
	}, string(word))
}

// oneLine returns text without line ends.
func oneLine(text []byte) string {
	return string(bytes.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, bytes.ReplaceAll(text, []byte("\r\n"), nil)))
}

// parameters writes parameters of a field. The values of those with a star (RFC 2231) are
// not quoted.
func parameters(b *bytes.Buffer, list [][2][]byte) {
	for _, p := range list {
		name := atom(p[0])
		value := oneLine(p[1])
		if !strings.HasSuffix(name, "*") || strings.ContainsAny(value, " ;\"\\") {
			value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
		}
		b.WriteString(";\r\n " + name + "=" + value)
	}
}
