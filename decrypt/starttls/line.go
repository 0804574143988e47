package starttls

import (
	"bytes"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// lines is a protocol whose unit is a line.
type lines struct{ lineProtocol }

// lineProtocol is the grammar of a protocol whose unit is a line. Lines include
// their LF; of a line over maxLine only the beginning and the end are given. What
// belongs to the negotiation is marked with [Dialogue.mark], and is not hidden in
// a line over maxLine.
type lineProtocol interface {
	// holdClient and holdOrigin report whether the incomplete line could still
	// turn out to hold something to mark. If not, it is passed as it comes.
	holdClient(text []byte) bool
	holdOrigin(text []byte) bool
	clientLine(d *Dialogue, text []byte)
	originLine(d *Dialogue, text []byte)
}

// plain implements yielder for the protocols that do.
func (l lines) plain(d *Dialogue, p []byte) bool {
	y, ok := l.lineProtocol.(yielder)
	if !ok || d.client.line.Partial() || d.client.opaque > 0 {
		return false
	}
	end := bytes.IndexByte(p, '\n') + 1
	switch {
	case end > 0:
	case len(p) < maxLine:
		return true // wait for more of the line
	default:
		end = maxLine
	}
	return y.plain(d, p[:end])
}

// yield moves the dialogue to Plain if it is settled, or has the client wait until it is.
func (d *Dialogue) yield(settled bool) {
	if settled {
		d.state = Plain
		return
	}
	d.wait, d.held, d.detained = true, true, true
}

// relieve ends a wait that was for an answer before Plain.
func (d *Dialogue) relieve() {
	if d.detained {
		d.answered()
	}
}

func (l lines) client(d *Dialogue, w *writer, p []byte) {
	d.line(&d.client, w, p, l.holdClient, l.clientLine)
}

func (l lines) origin(d *Dialogue, w *writer, p []byte) {
	d.line(&d.origin, w, p, l.holdOrigin, l.originLine)
}

// line takes a line off p, or the rest of one, or none, if it is to be held.
func (d *Dialogue) line(s *side, w *writer, p []byte, hold func([]byte) bool, complete func(*Dialogue, []byte)) {
	passed := s.line.Partial()
	if !passed && len(p) <= maxLine && bytes.IndexByte(p, '\n') < 0 && hold(p) {
		return
	}
	text, n, whole := s.line.Next(p)
	d.marks = d.marks[:0]
	if whole {
		complete(d, text)
	}
	if passed || len(text) != n { // no part of it can be hidden
		d.marks = d.marks[:0]
	}
	w.line(n, d.marks)
}

// side is one direction: where it stands in its current line.
type side struct {
	line   line.Buffer // of what was passed of the current line already
	opaque uint64      // octets to pass before the next line is looked at
}

// tail is how much of the end of a line over maxLine is kept: enough for an IMAP
// literal.
const tail = 64

func newSide() side { return side{line: line.Buffer{Head: maxLine - tail, Tail: tail}} }

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

// blanks separate words.
const blanks = line.Blanks
