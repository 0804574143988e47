package dissect

import (
	"bytes"
	"slices"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/imap"
	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// maxFetched bounds what is fetched in ranges at a time.
const maxFetched = 8

// fetches follows what a client fetches, for a sink that asks for contents: messages and
// parts of them, at once or in ranges.
type fetches struct {
	s       *Session
	mailbox mailbox
	asked   uint64     // octets of a range, in the command that came last
	open    []*fetched // the oldest first
	hand    *fetched   // whose literal is at hand
	last    bool       // the literal is the last range
	header  *bytes.Buffer
	kind    imap.Place // of the literal at hand
	section string
	number  uint64
	inner   bool // the literal at hand is within an item
	begun   bool // and has begun
}

// fetched is a message or a part that comes.
type fetched struct {
	number  uint64 // of the message
	section string // "" a message, "TEXT" or a number
	letter  *letter
	part    Exchange
	at      uint64 // octets that came
	size    uint64 // of all; 0: not known
}

// command takes the first line of a command of the client.
func (f *fetches) command(c *imap.Command) {
	switch {
	case c.Verb == imap.FETCH:
		f.asked = 0
		for _, w := range imap.WantedItems(c.Argument) {
			f.asked = max(f.asked, w.Length)
		}
	case line.Is(c.Word, "SELECT"), line.Is(c.Word, "EXAMINE"), line.Is(c.Word, "CLOSE"), line.Is(c.Word, "UNSELECT"), c.Verb == imap.LOGOUT:
		f.close(Cut)
		f.mailbox.clear()
	}
}

// heard takes what the server says.
func (f *fetches) heard(h *imap.Heard[struct{}]) {
	if h.IsFirst && line.Is(h.Answer.Word, "EXPUNGE") {
		f.close(Cut)
		f.mailbox.clear() // numbers have changed
	}
	switch {
	case h.List != nil:
		f.mailbox.list(h.List)
		if h.Announced {
			f.begin(h)
		}
		f.inner, f.begun = h.More && !h.Announced, false
		if f.inner && h.Size == 0 {
			f.mailbox.literal(nil, true, true)
		}
		if !h.More {
			f.mailbox.told(h.Number)
			f.measure(h.Number)
			return
		}
		if h.Announced {
			f.mailbox.literal(nil, true, true)
			if h.End {
				f.literal(nil, true)
			}
		}
	case h.Fetched:
		f.literal(h.Octets, h.End)
	case f.inner && len(h.Octets) > 0:
		f.mailbox.literal(h.Octets, !f.begun, h.End)
		f.begun = true
	}
}

// quoted takes an item that is a quoted string.
func (f *fetches) quoted(number uint64, i imap.Item, text []byte) {
	if text = imap.Unquote(append(append([]byte{'"'}, text...), '"')); len(text) == 0 && !i.Partial {
		return
	}
	f.begin(&imap.Heard[struct{}]{Number: number, Item: i, Size: uint64(len(text))})
	f.literal(text, true)
}

// begin begins a literal, or a string.
func (f *fetches) begin(h *imap.Heard[struct{}]) {
	f.kind, f.section = h.Item.Place()
	f.number, f.hand, f.header = h.Number, nil, nil
	switch f.kind {
	case imap.InMIME, imap.InHeader, imap.InFields:
		if !h.Item.Partial && h.Size <= maxKept {
			f.header = new(bytes.Buffer)
		}
	case imap.InWhole, imap.InText, imap.InPart:
		f.ranged(h)
	}
}

// ranged finds what the range at hand belongs to, or begins it.
func (f *fetches) ranged(h *imap.Heard[struct{}]) {
	i := slices.IndexFunc(f.open, func(x *fetched) bool { return x.number == f.number && x.section == f.section })
	if i >= 0 && (!h.Item.Partial || h.Item.Offset < f.open[i].at) { // it comes again
		f.finish(f.open[i], Cut)
		i = -1
	}
	if i < 0 {
		if len(f.open) >= maxFetched {
			f.finish(f.open[0], Cut)
		}
		f.open = append(f.open, f.start())
		i = len(f.open) - 1
	}
	f.hand = f.open[i]
	if lost := h.Item.Offset - f.hand.at; h.Item.Partial && lost > 0 {
		f.hand.hole(f.s, lost)
	}
	end := f.hand.at + h.Size
	f.last = !h.Item.Partial || h.Size < f.asked || f.hand.size > 0 && end >= f.hand.size
}

// start begins what is at hand.
func (f *fetches) start() *fetched {
	x := &fetched{number: f.number, section: f.section}
	k := f.mailbox.messages[f.number]
	if k == nil {
		k = new(known)
	}
	switch {
	case f.kind == imap.InWhole:
		x.size = k.size
		x.letter = newLetter(f.s, proto.OriginToClient)
		return x
	case f.kind == imap.InText && k.whole:
		x.letter = newLetter(f.s, proto.OriginToClient)
		x.letter.content(f.s, k.header)
		if k.size > uint64(len(k.header)) {
			x.size = k.size - uint64(len(k.header))
		}
		return x
	}
	section := f.section
	if f.kind == imap.InText {
		section = ""
		if k.mime[section] == nil {
			section = "1"
		}
	}
	x.size = k.sizes[section]
	f.s.open(&x.part)
	f.s.event().part = Part{Exchange: &x.part, Section: f.section, Header: k.mime[section], Message: k.header}
	f.s.sink.Event(&f.s.event().part)
	return x
}

// literal takes octets of the literal at hand.
func (f *fetches) literal(p []byte, end bool) {
	switch {
	case f.hand != nil:
		x := f.hand
		x.at += uint64(len(p))
		if x.letter != nil {
			x.letter.content(f.s, p)
		} else {
			f.s.content(&x.part, proto.OriginToClient, p)
		}
		if end && f.last {
			f.finish(x, Complete)
		}
	case f.header != nil:
		if f.header.Write(p); end {
			f.keep(bytes.Clone(f.header.Bytes()))
		}
	}
	if end {
		f.hand, f.header = nil, nil
	}
}

// keep notes a header.
func (f *fetches) keep(section []byte) {
	switch f.kind {
	case imap.InMIME:
		f.mailbox.part(f.number, f.section, section)
	case imap.InHeader, imap.InFields:
		f.mailbox.head(f.number, section, f.kind == imap.InHeader)
	}
}

// lost passes over octets of the literal at hand that are lost.
func (f *fetches) lost(n uint64, end bool) {
	f.header = nil
	if x := f.hand; x != nil {
		if x.hole(f.s, n); end && f.last {
			f.finish(x, Complete)
		}
	}
	if end {
		f.hand = nil
	}
}

// measure ends what is complete by a size that the response has told behind it.
func (f *fetches) measure(number uint64) {
	k := f.mailbox.messages[number]
	if k == nil || k.size == 0 {
		return
	}
	for _, x := range slices.Clone(f.open) {
		if x.number == number && x.section == "" && x.at >= k.size {
			f.finish(x, Complete)
		}
	}
}

// hole says that octets are lost, or were not fetched.
func (x *fetched) hole(s *Session, n uint64) {
	x.at += n
	if x.letter != nil {
		x.letter.hole(s, n)
	} else {
		s.hole(&x.part, proto.OriginToClient, n)
	}
}

// finish ends what comes.
func (f *fetches) finish(x *fetched, how Ending) {
	if f.hand == x {
		f.hand = nil
	}
	f.open = slices.DeleteFunc(f.open, func(y *fetched) bool { return y == x })
	if x.letter != nil {
		x.letter.end(f.s, how)
	} else {
		f.s.end(&x.part, proto.OriginToClient, how)
	}
}

// close ends all.
func (f *fetches) close(how Ending) {
	for len(f.open) > 0 {
		f.finish(f.open[0], how)
	}
}
