package facts

import (
	"bytes"
	"slices"

	"github.com/clearspan/clearspan/appliance/dissect"
)

// message notes an event of mail.
func (d *dialogue) message(e dissect.Event) {
	switch e := e.(type) {
	case *dissect.Sender:
		d.mail = Mail{From: clip(e.Address, maxAddress), To: []string{}}
	case *dissect.Recipient:
		if len(d.mail.To) < maxRecipients {
			d.mail.To = append(d.mail.To, clip(e.Address, maxAddress))
		}
	case *dissect.Message:
		if e.Tag = &d.mail; !e.Envelope {
			e.Tag = &Mail{Fetched: e.Fetched, To: []string{}}
		}
	case *dissect.Header:
		d.header(e)
	case *dissect.Reply:
		if i := slices.Index(d.numbers, e.Number); i >= 0 {
			d.Mail[i].Reply = max(d.Mail[i].Reply, e.Code) // LMTP has one for each recipient
		}
	}
}

// header notes what the header of a message says.
func (d *dialogue) header(e *dissect.Header) {
	m, ok := e.Tag.(*Mail)
	if !ok {
		return
	}
	m.Subject = clip([]byte(e.Text("subject")), maxSubject)
	m.MessageID = clip(bytes.Trim(e.Get("message-id"), "<>"), maxID)
	if m == &d.mail {
		return // the envelope tells the rest
	}
	if from := addresses(e.Get("from"), 1); len(from) > 0 {
		m.From = from[0]
	}
	m.To = append(m.To, addresses(e.Get("to"), maxRecipients)...)
}

// addresses returns the first addresses of a field (RFC 5322, Section 3.4). Names,
// comments and the names of groups are passed over, and what has no sign between a local
// part and a domain.
func addresses(value []byte, most int) (list []string) {
	for len(value) > 0 && len(list) < most {
		var one []byte
		one, value = address(value)
		if bytes.IndexByte(one, '@') > 0 {
			list = append(list, clip(one, maxAddress))
		}
	}
	return list
}

// address returns the first address of a list without its name, and what follows it.
func address(value []byte) (one, rest []byte) {
	quoted, comments, from := false, 0, 0
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\':
			i++
		case quoted:
			quoted = c != '"'
		case c == '(':
			comments++
		case c == ')' && comments > 0:
			if comments--; comments == 0 && len(bytes.TrimSpace(value[from:i])) > 0 && bytes.TrimSpace(value[from:i])[0] == '(' {
				from = i + 1 // it stood before the address
			}
		case comments > 0:
		case c == '"':
			quoted = true
		case c == '<':
			one = value[i+1:]
			if end := bytes.IndexByte(one, '>'); end >= 0 {
				one = one[:end]
			}
			i += len(one)
		case c == ',', c == ';', c == ':': // of a group
			if one == nil {
				one = value[from:i]
			}
			return bytes.TrimSpace(one), value[i+1:]
		}
	}
	if one == nil {
		one = value[from:]
	}
	return bytes.TrimSpace(one), nil
}
