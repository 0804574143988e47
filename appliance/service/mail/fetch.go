package mail

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/clearspan/clearspan/decrypt/proto/imap"
)

// cut is a range of a section that the client has asked for. The origin is asked for the
// whole section.
type cut struct {
	section        string // with the name before it
	offset, length uint64
}

// sectionOf returns the word by which a section is known. BODY and BINARY differ.
func sectionOf(i imap.Item) string {
	return string(bytes.ToUpper(i.Name)) + "[" + string(bytes.ToUpper(i.Section)) + "]"
}

// fetch relays a FETCH. If it asks for ranges, it asks for the whole in their place and
// waits for the response, so that nothing else is cut.
func (x *mailbox) fetch(c imap.Command, text []byte) error {
	var cuts []cut
	seen := make(map[string]int)
	begin := bytes.LastIndex(text, c.Argument)
	whole, rest, at := text[:begin:begin], text[begin:], 0
	for _, w := range imap.WantedItems(c.Argument) {
		if w.Contents() == imap.Header {
			continue
		}
		if seen[sectionOf(w.Item)]++; !w.Partial {
			continue
		}
		cuts = append(cuts, cut{sectionOf(w.Item), w.Offset, w.Length})
		whole = append(whole, rest[at:w.From]...)
		at = w.To
	}
	if len(cuts) == 0 {
		return x.command(c, text, new(fetching))
	}
	for _, k := range cuts {
		if seen[k.section] > 1 {
			return x.refuse(c.Tag, "NO", "[CANNOT] One range of a section at a time")
		}
	}
	if err := x.drain(); err != nil {
		return err
	}
	x.cut(cuts)
	if err := x.command(c, append(whole, rest[at:]...), new(fetching)); err != nil {
		return err
	}
	err := x.drain()
	x.cut(nil)
	return err
}

func (x *mailbox) cut(cuts []cut) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cuts = cuts
}

// cutOf returns the range of a section that the client has asked for.
func (x *mailbox) cutOf(i imap.Item) (k cut, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, k := range x.cuts {
		if k.section == sectionOf(i) && !i.Partial {
			return k, true
		}
	}
	return k, false
}

// judged reports whether a literal of the origin is shown to the service: contents of
// messages, and what is longer than names, addresses and flags are.
func judged(i imap.Item, size uint64) bool {
	switch i.Contents() {
	case imap.Whole, imap.Part:
		return true
	case imap.Header:
		return false
	}
	return size > maxName
}

// maxName is the longest literal that is taken for a name or an address, in octets.
const maxName = 1 << 10

// give holds a literal until the service has decided, and gives the client the line
// before it and the literal, or what stands for it.
func (x *mailbox) give(text []byte, l imap.Literal, item imap.Item) error {
	k, ranged := x.cutOf(item)
	part := item.Contents() != imap.Whole
	c := x.newContent(false)
	defer func() { c.close() }()
	if err := c.readOctets(x.origin, int64(l.Size), true); err != nil {
		return err
	}
	var notice string
	switch {
	case item.Partial && !x.cfg.FailOpen: // a range that we did not ask for
		x.served(WordFailedClosed, 0)
		x.spoil()
		return x.client.write(append(append([]byte(nil), text[:l.At]...), "NIL"...))
	case c.large, c.lost != nil:
		x.served(WordFailedClosed, 0)
		notice = "is too long to be inspected"
	default:
		v := x.verdict(c, part)
		switch v.word {
		case WordBlocked:
			notice = "was refused" + v.why
		case WordFailedClosed:
			x.spoil()
			return x.client.write(append(append([]byte(nil), text[:l.At]...), "NIL"...))
		case WordModified:
			c.close()
			c = v.changed
		}
	}
	if notice != "" {
		c.close()
		text := withheld(notice, part)
		c = &content{most: int64(len(text)), memory: len(text)}
		c.Write(text)
	}
	before := append([]byte(nil), text[:l.At]...)
	from, size := uint64(0), uint64(c.length)
	if ranged {
		from = min(k.offset, size)
		size = min(k.length, size-from)
		before = fmt.Appendf(bytes.TrimRight(before, " "), "<%d> ", k.offset)
	}
	if err := x.client.write(append(before, announcement(l, size)...)); err != nil {
		return err
	}
	r := c.raw()
	if _, err := io.CopyN(io.Discard, r, int64(from)); err != nil {
		return err
	}
	_, err := io.CopyN(x.client.end, r, int64(size))
	return err
}

// withheld is what stands for content that the client must not have.
func withheld(notice string, part bool) []byte {
	if part {
		return []byte("The content " + notice + "\r\n")
	}
	return []byte("From: postmaster@mail.invalid\r\nSubject: Message withheld\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
		"The message " + notice + "\r\n")
}

// spoil has the outstanding FETCH commands fail.
func (x *mailbox) spoil() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dialogue.Notes(func(f *fetching) {
		if f != nil {
			f.failed = true
		}
	})
}

// verdict asks the service about content, unless it has passed the same before: a client
// that fetches ranges gets the whole for each of them.
func (x *mailbox) verdict(c *content, part bool) verdict {
	h := sha256.New()
	if _, err := io.Copy(h, c.raw()); err != nil {
		return x.failure()
	}
	sum := passed{[sha256.Size]byte(h.Sum(nil)), part}
	for _, p := range x.passed {
		if p == sum {
			return verdict{word: WordUnmodified}
		}
	}
	v := x.examine(shown{content: c, part: part})
	if v.word == WordUnmodified {
		x.passed[x.at%len(x.passed)] = sum
		x.at++
	}
	return v
}

// passed is content that the service has passed.
type passed struct {
	sum  [sha256.Size]byte
	part bool
}
