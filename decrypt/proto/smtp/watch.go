package smtp

import "github.com/clearspan/clearspan/decrypt/proto/line"

// maxLine is how many octets of a line a [Watch] keeps: more than servers look at, but
// for AUTH. Postfix looks at 2048.
const maxLine = 4096

// Event is what a [Watch] found in octets of the client. The zero value is nothing:
// more octets are needed, or they have no meaning.
type Event struct {
	IsCommand bool
	Command   Command
	Response  []byte // line that answers a challenge, with its end
	Text      []byte // content of a message, without dots of transparency
	End       bool   // the message is complete, with Text or without
}

// Watch reads both directions of a session that others carry. It is [Loose]. It reads
// content by reference and copies lines only. If the client does not wait for a reply,
// Watch assumes a positive one. The zero value is not ready, see [NewWatch]. A Watch is
// not safe for concurrent use.
type Watch[N any] struct {
	// Note is left with every command and message from now on.
	Note N

	dialogue       Dialogue[N]
	final          bool // the chunk at hand is the last one of its message
	client, server line.Buffer
}

// NewWatch returns a Watch at the beginning of a session.
func NewWatch[N any]() *Watch[N] {
	w := &Watch[N]{client: line.Buffer{Head: maxLine}, server: line.Buffer{Head: maxLine}}
	w.dialogue.Strictness = Loose
	return w
}

// Client takes octets off p, which it borrows until the next call, and returns their
// number and what they are. Call it until p is empty. ok is false if the dialogue
// cannot be followed any more.
func (w *Watch[N]) Client(p []byte) (e Event, n int, ok bool) {
	if len(p) == 0 {
		return e, 0, true
	}
	switch w.dialogue.Assume() {
	case Text:
		text, n, over, err := w.dialogue.Text(p, w.Note)
		return Event{Text: text, End: over}, n, err == nil
	case Chunk:
		n := int(min(w.dialogue.Chunk(), int64(len(p))))
		w.dialogue.Took(int64(n))
		return Event{Text: p[:n], End: w.final && w.dialogue.Next() != Chunk}, n, true
	case Response:
		text, n, whole := w.client.Next(p)
		if whole {
			e.Response = text
			w.dialogue.Respond()
		}
		return e, n, true
	}
	text, n, whole := w.client.Next(p)
	if !whole {
		return e, n, true
	}
	e.IsCommand = true
	e.Command, _ = ParseCommand(text, Loose)
	if e.Command.Verb == BDAT {
		var size int64
		size, w.final, _ = e.Command.Chunk()
		e.End = w.final && size == 0
	}
	return e, n, w.dialogue.Command(e.Command, w.Note) == nil
}

// Lost passes over n octets of the client that are lost. ok is false unless they are
// content: elsewhere they may begin a message, whose text would then pass for commands.
// A gap in content after DATA may hide the end. The next reply then ends the content,
// and [Watch.Server] returns it as the answer to the message.
func (w *Watch[N]) Lost(n uint64) (e Event, ok bool) {
	switch w.dialogue.Assume() {
	case Text:
		w.dialogue.Lost(w.Note)
		return e, true
	case Chunk:
		if n > uint64(w.dialogue.Chunk()) {
			return e, false
		}
		w.dialogue.Took(int64(n))
		e.End = w.final && w.dialogue.Next() != Chunk
		return e, true
	}
	return e, false
}

// Server takes octets off p and returns their number. whole is set if they end a line
// of a reply, which is a. Call it until p is empty. An answer to [Message] may come
// before the message has an [Event] with End: the server ended it, see [Dialogue.Reply].
func (w *Watch[N]) Server(p []byte) (a Answer[N], n int, whole bool) {
	text, n, whole := w.server.Next(p)
	if !whole {
		return a, n, false
	}
	a, err := w.dialogue.Reply(text)
	return a, n, err == nil
}
