package mail

import (
	"bytes"
	"fmt"
	"io"

	"github.com/clearspan/clearspan/decrypt/proto/imap"
	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// replies implements side.
func (x *mailbox) replies() error {
	for {
		text, err := x.origin.line()
		switch {
		case err == io.EOF:
			return x.client.end.CloseWrite()
		case err != nil:
			return err
		}
		text = ended(text)
		a, own, err := x.take(text)
		switch {
		case err != nil:
			return violatedIMAP(err)
		case own:
			continue
		}
		if err := x.relay(text, a); err != nil {
			return err
		}
		x.said()
	}
}

// take takes the first line of a response, and reports whether it is for us.
func (x *mailbox) take(text []byte) (a imap.Answer[*fetching], own bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	a, err = x.dialogue.Respond(text)
	if _, announced := imap.ParseLiteral(text); err == imap.ErrResponse && !announced {
		err = nil // a line that answers nothing
	}
	own = a.Kind == imap.Continue && x.own
	x.saying = !own
	x.changed.Broadcast()
	return a, own, err
}

// said tells that the client has the response.
func (x *mailbox) said() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.saying = false
	x.changed.Broadcast()
}

// relay relays a response. Nobody else writes to the client meanwhile.
func (x *mailbox) relay(text []byte, a imap.Answer[*fetching]) error {
	x.client.writing.Lock()
	defer x.client.writing.Unlock()
	switch {
	case a.To == imap.Other && a.Word == nil && a.Kind == imap.Tagged: // malformed
		return x.client.write(text)
	case a.Kind == imap.Tagged && a.Note != nil && a.Note.failed && a.Status == imap.OK:
		return x.client.write(fmt.Appendf(nil, "%s NO [UNAVAILABLE] Content cannot be inspected now, try again later\r\n", a.Tag))
	case a.Status != imap.NoStatus, a.Kind == imap.Untagged && line.Is(a.Word, imap.CAPABILITY.String()):
		return x.client.write(conceal(text))
	case !a.Literals():
		return x.client.write(text)
	case line.Is(a.Word, imap.FETCH.String()):
		return x.fetched(text)
	}
	return x.others(text)
}

// fetched relays a FETCH response.
func (x *mailbox) fetched(text []byte) error {
	var f imap.Fetch
	at := max(bytes.IndexByte(text, '('), 0) // the list, or there is none
	for {
		edited, err := x.quoted(&f, text, at)
		if err != nil {
			return err
		}
		l, ok := imap.ParseLiteral(text)
		if !ok {
			return x.client.write(edited)
		}
		item, valued := f.Literal()
		l.At += len(edited) - len(text)
		switch {
		case valued && judged(item, l.Size), !valued && l.Size > maxName:
			err = x.give(edited, l, item)
		default:
			err = x.pass(edited, l.Size)
		}
		if err != nil {
			return err
		}
		if text, err = x.origin.line(); err != nil {
			return within(err)
		}
		text, at = ended(text), 0
	}
}

// others relays a response that is none to FETCH.
func (x *mailbox) others(text []byte) error {
	for {
		l, ok := imap.ParseLiteral(text)
		var err error
		switch {
		case !ok:
			return x.client.write(text)
		case l.Size > maxName:
			err = x.give(text, l, imap.Item{})
		default:
			err = x.pass(text, l.Size)
		}
		if err != nil {
			return err
		}
		if text, err = x.origin.line(); err != nil {
			return within(err)
		}
		text = ended(text)
	}
}

// pass relays a line and the literal behind it.
func (x *mailbox) pass(text []byte, size uint64) error {
	if err := x.client.write(text); err != nil {
		return err
	}
	for size > 0 {
		p, err := x.origin.some()
		if err != nil {
			return within(err)
		}
		p = p[:min(size, uint64(len(p)))]
		if err := x.client.write(p); err != nil {
			return err
		}
		size -= uint64(len(p))
		x.origin.br.Discard(len(p))
	}
	return nil
}

// quoted looks at the contents of messages that are quoted strings in a line, from index
// at on. It returns the line with what stands for them.
func (x *mailbox) quoted(f *imap.Fetch, text []byte, at int) (edited []byte, err error) {
	last := 0
	f.Line(text[at:], func(i imap.Item, from, to int) {
		if err != nil || !judged(i, uint64(to-from)) || from == to {
			return
		}
		value := imap.Unquote(text[at+from-1 : min(at+to+1, len(text))])
		var changed []byte
		if changed, err = x.short(value, i); err == nil && changed != nil {
			edited = append(append(edited, text[last:at+from-1]...), changed...)
			last = at + to + 1
		}
	})
	if last == 0 {
		return text, err
	}
	return append(edited, text[last:]...), err
}

// short judges content in a quoted string and returns what stands for it, nil if it
// passes.
func (x *mailbox) short(value []byte, item imap.Item) ([]byte, error) {
	part := item.Contents() != imap.Whole
	c := x.newContent(false)
	defer c.close()
	c.Write(value)
	v := x.verdict(c, part)
	defer v.changed.close()
	switch v.word {
	case WordFailedClosed:
		x.spoil()
		return []byte("NIL"), nil
	case WordBlocked, WordModified: // which has no place here
		text := withheld("was refused"+v.why, part)
		return append(announcement(imap.Literal{}, uint64(len(text))), text...), nil
	}
	if k, ranged := x.cutOf(item); ranged {
		from := min(k.offset, uint64(len(value)))
		value = value[from:][:min(k.length, uint64(len(value))-from)]
		return append(announcement(imap.Literal{}, uint64(len(value))), value...), nil
	}
	return nil, nil
}

// hidden are the capabilities by which content would come past us, or which make no
// sense in a session that is cleartext here.
var hidden = map[string]bool{"STARTTLS": true, "COMPRESS=DEFLATE": true, "CATENATE": true, "URLAUTH": true, "URLAUTH=BINARY": true}

// conceal returns a line without these capabilities, if it lists any.
func conceal(text []byte) []byte {
	upper := bytes.ToUpper(text)
	at := bytes.Index(upper, []byte("CAPABILITY "))
	if at < 0 {
		return text
	}
	out := append([]byte(nil), text[:at]...)
	end := len(line.Trim(text))
	if bracket := bytes.IndexByte(text[at:end], ']'); bracket >= 0 {
		end = at + bracket
	}
	for i, word := range bytes.Split(text[at:end], []byte(" ")) {
		if hidden[string(bytes.ToUpper(word))] {
			continue
		}
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, word...)
	}
	return append(out, text[end:]...)
}
