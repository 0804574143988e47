package analyst

import (
	"net/http"
	"strings"

	"github.com/clearspan/clearspan/appliance/object"
	"github.com/clearspan/clearspan/appliance/object/join"
	"github.com/clearspan/clearspan/appliance/recorder/content"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// event is one that is under way, with the objects in it.
type event struct {
	trail.Event
	about     [2]object.Content // what is known of the contents of each direction
	streams   [2]*object.Stream
	messages  int // that have not ended
	waits     bool
	part      *join.Part // what it is to a file that comes in parts; nil: nothing
	validator string     // of the answer, if it has parts of a file
	texts     [2][]byte  // beginnings of contents, as far as they are needed
	over      bool
	text      bool    // of WebSocket
	shared    *shared // nil unless it is a file of SMB
	sightings []sighting
	objects   []trail.Object
}

// sighting is one under way, or ended.
type sighting struct {
	trail.Sighting
	number, parent int    // of the object in its content; 0: none
	ranged         string // Content-Range: it is a piece
	dir            proto.Direction
}

// maxText bounds one text of a row, and maxSightings the objects of an event.
const (
	maxText      = 8 << 10
	maxSightings = 1100
)

// text returns octets as a text of a row: UTF-8, and bounded.
func text(p []byte) string {
	return bound(strings.ToValidUTF8(string(p[:min(len(p), maxText)]), "\ufffd"))
}

// bound cuts a text.
func bound(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

// stream returns what takes the contents of a direction.
func (e *event) stream(s *session, dir proto.Direction) *object.Stream {
	if e.streams[dir] == nil {
		e.streams[dir] = object.New(e.about[dir], &sink{s, e, dir})
	}
	return e.streams[dir]
}

// close ends the contents of a direction.
func (e *event) close(dir proto.Direction, complete bool) {
	if e.streams[dir] != nil {
		e.streams[dir].Close(complete)
		e.streams[dir] = nil
	}
}

// resolve tells sightings of the objects that they lie in, once these have a hash.
func (e *event) resolve() {
	for i := range e.sightings {
		x := &e.sightings[i]
		x.Event, x.Number = e.ID, i+1
		for j := range e.sightings {
			if y := &e.sightings[j]; x.parent != 0 && y.number == x.parent && y.dir == x.dir {
				x.Parent = y.Hash
				break
			}
		}
	}
}

// sink takes the objects of one content.
type sink struct {
	s   *session
	e   *event
	dir proto.Direction
}

// Begin implements [object.Sink].
func (k *sink) Begin(d *object.Description) object.Writer {
	if d.Header != nil && d.Parent == 0 {
		k.e.header(d.Header)
	}
	direction, received := trail.Sent, k.dir == proto.OriginToClient
	if received {
		direction = trail.Received
	}
	keep := k.s.a.cfg.Keep == nil || k.s.a.cfg.Keep(direction)
	if d.Parent == 0 && d.Number == 1 && k.e.part.Piece(received) {
		k.e.part.Named(d.Name)
		keep, d.Name, d.RawName = true, "", "" // the name is that of the whole
	}
	if d.Range != "" && received {
		keep, d.Name, d.RawName = true, "", ""
	} else {
		d.Range = ""
	}
	limit := sniffed
	if d.Type == lookupType || received && k.e.part.AnswerText() || !received && k.e.part.Text() {
		limit = readText
	}
	o := k.s.a.cfg.Content.New(keep || k.e.shared != nil)
	if !keep && k.e.shared != nil {
		o.Brief() // its octets may come out of order
	}
	return &writer{limit: limit, sink: k, object: o, needed: k.e.shared != nil || d.Range != "" || k.e.part.Piece(received), sighting: sighting{
		Sighting: trail.Sighting{
			At: k.s.now(), Direction: direction, Name: bound(d.Name), RawName: bound(strings.ToValidUTF8(d.RawName, "\ufffd")), Type: bound(d.Type), Part: d.Part, Field: bound(d.Field),
		},
		number: d.Number, parent: d.Parent, dir: k.dir, ranged: d.Range,
	}}
}

// writer takes the octets of one object.
type writer struct {
	*sink
	sighting
	object *content.Object
	first  []byte // the beginning
	limit  int    // of it
	needed bool   // it is kept whatever it is
}

// sniffed is how many octets tell the type of an object, and readText how many are read of
// the messages that tell what parts belong together.
const (
	sniffed  = 512
	readText = 64 << 10
)

func (w *writer) Write(p []byte) {
	if w.object.Size() == 0 && !w.needed && w.s.a.cfg.Wanted != nil && !w.s.a.cfg.Wanted(&w.Sighting, p) {
		w.object.Forget()
	}
	if n := len(w.first); n < w.limit && uint64(n) == w.object.Size() {
		w.first = append(w.first, p[:min(len(p), w.limit-n)]...)
	}
	w.object.Write(p)
}

func (w *writer) Hole(n uint64) { w.object.Hole(n) }

// Named implements [object.Named].
func (w *writer) Named(text, raw string) {
	w.Name, w.RawName = bound(text), bound(strings.ToValidUTF8(raw, "\ufffd"))
}

func (w *writer) Close(how object.Ending) {
	if w.object.Size() == 0 && w.Name == "" || len(w.e.sightings) >= maxSightings {
		w.object.Abort()
		return
	}
	ended := w.object.End()
	w.readLookup(ended.Size)
	w.Hash, w.Size, w.Ending = ended.Hash, ended.Size, how.String()
	if ended.Cut {
		w.Ending = object.Cut.String()
	}
	if w.RawName == w.Name {
		w.RawName = ""
	}
	w.e.add(w.sighting, ended, w.first)
	if w.limit == readText && w.e.texts[w.sighting.dir] == nil {
		w.e.texts[w.sighting.dir] = w.first
	}
}

// add adds an object that has ended.
func (e *event) add(x sighting, ended content.Ended, first []byte) {
	row := trail.Object{Hash: ended.Hash, Size: ended.Size, More: ended.More, Stored: ended.Stored, First: x.At}
	for _, h := range ended.Holes {
		row.Holes = append(row.Holes, trail.Hole(h))
	}
	row.Type, _, _ = strings.Cut(http.DetectContentType(first), ";")
	e.objects = append(e.objects, row)
	e.sightings = append(e.sightings, x)
}
