package starttls

import "bytes"

// lines is a protocol whose unit is a line.
type lines struct{ lineProtocol }

// lineProtocol is the grammar of a protocol whose unit is a line. Lines include
// their LF; of a line over maxLine only the beginning and the end are given. What
// belongs to the negotiation is marked with [Dialogue.mark], and is not hidden in
// a line over maxLine.
type lineProtocol interface {
	// holdClient and holdOrigin report whether the incomplete line could still
	// turn out to hold something to mark. If not, it is passed as it comes.
	holdClient(line []byte) bool
	holdOrigin(line []byte) bool
	clientLine(d *Dialogue, line []byte)
	originLine(d *Dialogue, line []byte)
}

func (l lines) client(d *Dialogue, w *writer, p []byte) {
	d.line(&d.client, w, p, l.holdClient, l.clientLine)
}

func (l lines) origin(d *Dialogue, w *writer, p []byte) {
	d.line(&d.origin, w, p, l.holdOrigin, l.originLine)
}

// plain implements yielder for the grammars that do.
func (l lines) plain(d *Dialogue, p []byte) bool {
	y, ok := l.lineProtocol.(yielder)
	return ok && len(d.client.line) == 0 && d.client.opaque == 0 && y.plain(d, p)
}

// line takes a line off p, or the rest of one, or none, if it is to be held.
func (d *Dialogue) line(s *side, w *writer, p []byte, hold func([]byte) bool, complete func(*Dialogue, []byte)) {
	end := bytes.IndexByte(p, '\n') + 1
	d.marks = d.marks[:0]
	switch {
	case end > 0 && len(s.line) == 0 && end <= maxLine:
		complete(d, p[:end])
		w.line(end, d.marks)
	case end > 0:
		s.keep(p[:end])
		complete(d, s.line)
		s.line = s.line[:0]
		w.add(end, false)
	case len(s.line) == 0 && len(p) <= maxLine && hold(p):
	default:
		s.keep(p)
		w.add(len(p), false)
	}
}

// side is one direction: where it stands in its current line.
type side struct {
	line   []byte // what was passed of the current line already, shortened to maxLine
	opaque uint64 // octets to pass before the next line is looked at
}

// tail is how much of the end of a line over maxLine is kept: enough for an IMAP
// literal.
const tail = 64

// keep appends a part of a passed line. Of a line over maxLine the middle is
// dropped.
func (s *side) keep(p []byte) {
	if head := maxLine - tail - len(s.line); head > 0 {
		n := min(head, len(p))
		s.line, p = append(s.line, p[:n]...), p[n:]
	}
	if len(p) >= tail {
		s.line, p = s.line[:maxLine-tail], p[len(p)-tail:]
	}
	if over := len(s.line) + len(p) - maxLine; over > 0 {
		end := s.line[maxLine-tail:]
		s.line = s.line[:maxLine-tail+copy(end, end[over:])]
	}
	s.line = append(s.line, p...)
}

// writer collects spans.
type writer struct {
	spans []Span
	start int // index of the first span of this call
	n     int // octets in the spans of this call
}

// finish returns the spans, and forgets them.
func (w *writer) finish() []Span {
	spans := w.spans
	w.spans = nil
	return spans
}

// add appends n octets, to the last span if it is of the same kind.
func (w *writer) add(n int, upgrade bool) {
	if n <= 0 {
		return
	}
	w.n += n
	if last := len(w.spans) - 1; last >= w.start && w.spans[last].Upgrade == upgrade {
		w.spans[last].N += n
		return
	}
	w.spans = append(w.spans, Span{N: n, Upgrade: upgrade})
}

// line appends a line of n octets with its marks.
func (w *writer) line(n int, marks []mark) {
	at := 0
	for _, m := range marks {
		w.add(m.from-at, false)
		w.add(m.to-m.from, true)
		at = m.to
	}
	w.add(n-at, false)
}

const blanks = " \t\r\n"

// cutWord returns the first word of line and what follows it, both without
// blanks around.
func cutWord(line []byte) (word, rest []byte) {
	line = bytes.Trim(line, blanks)
	if end := bytes.IndexAny(line, blanks); end >= 0 {
		return line[:end], bytes.TrimLeft(line[end:], blanks)
	}
	return line, nil
}

// is compares a word of the dialogue with one of the grammar, in upper case.
func is(word []byte, name string) bool {
	return len(word) == len(name) && bytes.EqualFold(word, []byte(name))
}

// couldBe reports whether line, perhaps incomplete, begins with the word name,
// or could when it goes on. Blanks in front do not matter.
func couldBe(line []byte, name string) bool {
	line = bytes.TrimLeft(line, blanks)
	if len(line) <= len(name) {
		return bytes.EqualFold(line, []byte(name[:len(line)]))
	}
	word, _ := cutWord(line)
	return is(word, name)
}
