package pop3

import "github.com/clearspan/clearspan/decrypt/proto/line"

// maxLine is how many octets of a line a [Watch] keeps.
const maxLine = 4 << 10

// Said is what a [Watch] found in octets of the client. The zero value is nothing: more
// octets are needed.
type Said struct {
	Line       []byte  // with its end; nil: there is none
	Command    Command // unless it is a response
	IsResponse bool    // the line answers a challenge
}

// Heard is what a [Watch] found in octets of the server. The zero value is nothing.
type Heard[N any] struct {
	Answer  Answer[N]
	IsFirst bool // Answer is set

	// The lines that follow the first one of a reply, without dots of transparency.
	To   Verb // that they answer, [Other] without
	Text []byte
	End  bool // they are complete
}

// Watch reads both directions of a session that others carry. It is [Loose]. It reads
// replies with several lines by reference and copies other lines only. The zero value is
// not ready, see [NewWatch]. A Watch is not safe for concurrent use.
type Watch[N any] struct {
	// Note is left with every command from now on.
	Note N

	dialogue       Dialogue[N]
	client, server line.Buffer
}

// NewWatch returns a Watch at the beginning of a session.
func NewWatch[N any]() *Watch[N] {
	w := &Watch[N]{client: line.Buffer{Head: maxLine}, server: line.Buffer{Head: maxLine}}
	w.dialogue.Strictness = Loose
	return w
}

// Client takes octets off p, which it borrows until the next call, and returns their
// number and what they are. Call it until p is empty. ok is false if the dialogue cannot
// be followed any more.
func (w *Watch[N]) Client(p []byte) (s Said, n int, ok bool) {
	if !w.client.Partial() {
		w.dialogue.Assume()
	}
	text, n, whole := w.client.Next(p)
	if !whole {
		return s, n, true
	}
	s.Line = text
	if w.dialogue.Next() == Response {
		s.IsResponse = true
		w.dialogue.Respond()
		return s, n, true
	}
	s.Command, _ = ParseCommand(text, Loose)
	return s, n, w.dialogue.Command(s.Command, w.Note) == nil
}

// Server takes octets off p and returns their number and what they are. Call it until p
// is empty.
func (w *Watch[N]) Server(p []byte) (h Heard[N], n int) {
	if w.dialogue.Within() {
		h.To = w.dialogue.Awaited()
		h.Text, n, h.End = w.dialogue.Text(p)
		return h, n
	}
	text, n, whole := w.server.Next(p)
	if !whole {
		return h, n
	}
	a, err := w.dialogue.Reply(text)
	h.Answer, h.IsFirst = a, err == nil
	return h, n
}

// Awaited returns the command that the server's next octets belong to, and whether they
// are lines behind the first one of its reply.
func (w *Watch[N]) Awaited() (to Verb, within bool) { return w.dialogue.Awaited(), w.dialogue.Within() }
