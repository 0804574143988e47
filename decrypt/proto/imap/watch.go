package imap

import "github.com/clearspan/clearspan/decrypt/proto/line"

const (
	maxHead = 4 << 10 // octets that a [Watch] keeps of the beginning of a line
	maxTail = 64      // of its end: enough for a literal
)

// Said is what a [Watch] found in octets of the client. The zero value is nothing: more
// octets are needed.
type Said struct {
	What Next // [First], [Reply] or [Rest] with a Line, or [Octets]

	Line      []byte // with its end
	Command   Command
	Literal   Literal // announced at the end of the line,
	Announced bool    // if there is one
	Octets    []byte  // of the literal
	End       bool    // the literal is complete
}

// Heard is what a [Watch] found in octets of the server. The zero value is nothing.
type Heard[N any] struct {
	Answer  Answer[N]
	IsFirst bool // Answer is set

	// Of each line of a FETCH response: what it says of its list, without an announcement at
	// its end, and whether the response goes on behind a literal.
	List []byte
	More bool

	// A literal that is an item of a FETCH response begins if Announced is set. If
	// Fetched is set, Octets belong to it, and it ends with End.
	Announced bool
	Number    uint64 // of the message in the mailbox; set with List, too
	Size      uint64 // of the literal
	Item      Item
	Fetched   bool
	Octets    []byte
	End       bool
}

// Watch reads both directions of a session that others carry. It is [Loose]. It reads
// literals by reference and copies lines only. If the client does not wait to be asked
// to go on, Watch assumes that it was. The zero value is not ready, see [NewWatch]. A
// Watch is not safe for concurrent use.
type Watch[N any] struct {
	// Note is left with every command from now on.
	Note N
	// Quoted is called with each item that is a quoted string, as it came; nil: nobody asks.
	Quoted func(number uint64, i Item, text []byte)

	dialogue       Dialogue[N]
	client, server line.Buffer
	fetch          *Fetch // of the FETCH response that goes on
	number         uint64 // of its message
	within         bool   // a response goes on behind a literal
	left           uint64 // octets of the server's literal
	fetched        bool   // which is an item
}

// NewWatch returns a Watch at the beginning of a session.
func NewWatch[N any]() *Watch[N] {
	kept := line.Buffer{Head: maxHead, Tail: maxTail}
	w := &Watch[N]{client: kept, server: kept}
	w.dialogue.Strictness = Loose
	return w
}

// Keep has the Watch keep n octets of the beginning of each line of the server, which come in
// pieces. A structure of a message may be long.
func (w *Watch[N]) Keep(n int) { w.server.Head = n }

// Client takes octets off p, which it borrows until the next call, and returns their
// number and what they are. Call it until p is empty. ok is false if the dialogue cannot
// be followed any more.
func (w *Watch[N]) Client(p []byte) (s Said, n int, ok bool) {
	if len(p) == 0 {
		return s, 0, true
	}
	next := w.dialogue.Next()
	if !w.client.Partial() || next == Octets {
		next = w.dialogue.Assume()
	}
	if next == Octets {
		n = int(min(w.dialogue.Left(), uint64(len(p))))
		w.dialogue.Took(uint64(n))
		return Said{What: Octets, Octets: p[:n], End: w.dialogue.Left() == 0}, n, true
	}
	text, n, whole := w.client.Next(p)
	if !whole {
		return s, n, true
	}
	s = Said{What: next, Line: text}
	if next == First {
		s.Command, _ = ParseCommand(text, Loose)
		if len(s.Command.Tag) == 0 {
			return Said{}, n, true
		}
		if w.dialogue.Command(text, s.Command, w.Note) != nil {
			return s, n, false
		}
	} else {
		w.dialogue.Line(text)
	}
	if next != Reply {
		s.Literal, s.Announced = ParseLiteral(text)
	}
	return s, n, true
}

// LostClient passes over n octets of the client that are lost. ok is false unless they
// are octets of a literal; end is set if they are its last ones.
func (w *Watch[N]) LostClient(n uint64) (end, ok bool) {
	if w.dialogue.Assume() != Octets || n > w.dialogue.Left() {
		return false, false
	}
	w.dialogue.Took(n)
	return w.dialogue.Left() == 0, true
}

// Server takes octets off p, which it borrows until the next call, and returns their
// number and what they are. Call it until p is empty.
func (w *Watch[N]) Server(p []byte) (h Heard[N], n int) {
	if w.left > 0 {
		n = int(min(w.left, uint64(len(p))))
		w.left -= uint64(n)
		return Heard[N]{Fetched: w.fetched, Octets: p[:n], End: w.left == 0}, n
	}
	text, n, whole := w.server.Next(p)
	if !whole {
		return h, n
	}
	rest := text
	if !w.within {
		a, err := w.dialogue.Respond(text)
		if err != nil {
			return h, n
		}
		h.Answer, h.IsFirst = a, true
		if !a.Literals() {
			return h, n
		}
		if line.Is(a.Word, verbs[FETCH]) {
			w.fetch, w.number, rest = new(Fetch), a.Number, a.Text
		}
	}
	if w.fetch != nil {
		w.fetch.Line(rest, w.quoted(rest))
		h.List, h.Number = rest, w.number
	}
	w.announce(&h, text)
	return h, n
}

// quoted returns what takes quoted strings of a line.
func (w *Watch[N]) quoted(text []byte) func(i Item, from, to int) {
	if w.Quoted == nil {
		return nil
	}
	return func(i Item, from, to int) { w.Quoted(w.number, i, text[from:to]) }
}

// announce looks for a literal at the end of a line.
func (w *Watch[N]) announce(h *Heard[N], text []byte) {
	l, ok := ParseLiteral(text)
	w.within, w.fetched, h.More = ok, false, ok
	if at, ok := ParseLiteral(h.List); ok {
		h.List = h.List[:at.At]
	}
	if !ok {
		w.fetch = nil
		return
	}
	w.left = l.Size
	if w.fetch != nil {
		h.Item, w.fetched = w.fetch.Literal()
		h.Announced, h.Number, h.Size = w.fetched, w.number, l.Size
		h.Fetched, h.End = w.fetched, w.fetched && l.Size == 0
	}
}

// LostServer passes over n octets of the server that are lost. ok is false unless they
// are octets of a literal. fetched is set if it is an item of a FETCH response, end if
// they are its last ones.
func (w *Watch[N]) LostServer(n uint64) (fetched, end, ok bool) {
	if n > w.left {
		return false, false, false
	}
	w.left -= n
	return w.fetched, w.left == 0, true
}
