package recorder

import (
	"bytes"
	"context"
	"io"

	"github.com/clearspan/clearspan/appliance/recorder/content"
	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// maxExamined bounds the objects that are looked through, in octets.
const maxExamined = 256 << 20

// message is the type of whole mail messages. Their parts are objects of their own.
const message = "message/rfc822"

// workInspect names an examination that was not done to its end, in the trail.
const workInspect = "inspect"

// examined reports whether an object is looked through, by its first octets.
func examined(s *trail.Sighting, first []byte) bool {
	return s.Type != message && extract.Readable(first, extract.Hint{Name: s.Name, Type: s.Type})
}

// examiner looks through objects that are sent, and those that are received as well, if that
// is asked for. It is for one goroutine.
type examiner struct {
	ctx       context.Context
	inspector *inspect.Inspector
	store     *content.Store
	received  bool
	letters   *letters // nil: passwords are not tried
	documents *textReader
}

func newExaminer(ctx context.Context, i *inspect.Inspector, store *content.Store, d *textReader, received, passwords bool) *examiner {
	x := &examiner{ctx: ctx, inspector: i, store: store, documents: d, received: received}
	if passwords {
		x.letters = &letters{}
	}
	return x
}

// examine adds to a batch what is in an object of an event.
func (x *examiner) examine(event *trail.Event, s *trail.Sighting, b *trail.Batch) {
	if s.Direction != trail.Sent && !x.received || s.Size == 0 || s.Size > maxExamined || s.Type == message {
		return
	}
	r, err := x.store.Open(s.Hash)
	if err != nil {
		return
	}
	defer r.Close()
	head := make([]byte, extract.Beginning)
	n, _ := io.ReadFull(r, head)
	if !examined(s, head[:n]) {
		return
	}
	at, ok := r.(io.ReaderAt)
	if !ok { // it is compressed
		p, err := io.ReadAll(io.MultiReader(bytes.NewReader(head[:n]), io.LimitReader(r, maxExamined)))
		if err != nil {
			return
		}
		at = bytes.NewReader(p)
	}
	hint := extract.Hint{Name: s.Name, Type: s.Type}
	e, _ := x.documents.examine(x.ctx, x.inspector, at, int64(s.Size), hint)
	if x.letters != nil && event.Kind == trail.Mail {
		e = x.correspondence(event, s, b, e, at)
	}
	e.rows(event, s, b)
	e.words(event, s.Hash, b)
	if e.unread != nil {
		b.Pending = append(b.Pending, trail.Pending{Hash: s.Hash, Work: workInspect, Why: e.unread.Error(), At: event.At})
	}
}

// words adds the text of an object, for searches.
func (e *examination) words(event *trail.Event, object trail.Hash, b *trail.Batch) {
	text := e.text.String()
	switch {
	case text == "":
	case b.TextOctets() > trail.MaxTexts:
		b.Pending = append(b.Pending, trail.Pending{Hash: object, Work: "text", Why: "too much at once", At: event.At})
	default:
		b.Texts = append(b.Texts, trail.Text{Hash: object, At: event.At, Text: text})
	}
}
