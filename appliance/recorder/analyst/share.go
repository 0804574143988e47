package analyst

import (
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/object"
	"github.com/clearspan/clearspan/appliance/object/name"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// shared is a file of SMB that is open. Its octets come in any order.
type shared struct {
	name  string
	fresh bool
	parts [2]part // by direction
}

// part is the object that is under way of a direction. It begins at an offset of the file,
// so that octets far behind the others do not make an object of holes.
type part struct {
	w          *writer // nil: none
	base, next uint64
}

// maxApart is how many octets may be missing between two parts of one object.
const maxApart = 64 << 20

// shared begins an event of a file.
func (s *session) shared(f *dissect.File) {
	e := s.event(trail.File)
	e.messages, e.User = 2, bound(f.User)
	e.Method = "READ"
	if f.New {
		e.Method = "WRITE"
	}
	e.URI = s.sharePath(f.Share, f.Path)
	e.shared = &shared{name: bound(name.Base(f.Path)), fresh: f.New}
	f.Tag = e
}

// sharePath returns the address of a file.
func (s *session) sharePath(share, path string) string {
	return bound("smb://" + s.flow.Server.Addr().String() + "/" + share + "/" + strings.ReplaceAll(strings.TrimPrefix(path, `\`), `\`, "/"))
}

// changed makes an event of a file that is renamed or deleted.
func (s *session) changed(c *dissect.Change) {
	e := s.event(trail.File)
	e.Method, e.User, e.URI = "DELETE", bound(c.User), s.sharePath(c.Share, c.Path)
	if c.To != "" {
		e.Method, e.Referrer, e.URI = "RENAME", e.URI, s.sharePath(c.Share, c.To)
	}
	s.done(e)
}

// ContentAt takes content at an offset. It implements [dissect.Places].
func (s *session) ContentAt(x *dissect.Exchange, dir proto.Direction, offset uint64, p []byte) {
	if e, ok := x.Tag.(*event); ok && e.shared != nil {
		e.shared.write(s, e, dir, offset, p)
	}
}

// HoleAt says that content at an offset is lost.
func (s *session) HoleAt(x *dissect.Exchange, dir proto.Direction, offset, n uint64) {
	if e, ok := x.Tag.(*event); ok && e.shared != nil {
		e.shared.hole(s, e, dir, offset, n)
	}
}

// part returns the object for octets at an offset, and where in it they lie.
func (x *shared) part(s *session, e *event, dir proto.Direction, at uint64) (*part, uint64) {
	p := &x.parts[dir]
	if p.w != nil && (at < p.base || at-p.base > p.w.object.Size()+maxApart) {
		p.w.Close(object.Cut)
		p.w = nil
	}
	if p.w == nil {
		p.base = 0
		if at > maxApart {
			p.base = at
		}
		d := object.Description{Number: 1, Name: x.name}
		if p.base > 0 {
			d.Number, d.Part = 0, "at "+strconv.FormatUint(at, 10)
		}
		p.w, _ = (&sink{s, e, dir}).Begin(&d).(*writer)
	}
	return p, at - p.base
}

func (x *shared) write(s *session, e *event, dir proto.Direction, at uint64, octets []byte) {
	if dir == proto.ClientToOrigin {
		e.Method = "WRITE"
	}
	p, place := x.part(s, e, dir, at)
	p.next = at + uint64(len(octets))
	if place == p.w.object.Size() {
		p.w.Write(octets)
		return
	}
	if place == 0 {
		p.w.first = append(p.w.first[:0], octets[:min(len(octets), p.w.limit)]...)
	}
	p.w.object.WriteAt(place, octets)
}

func (x *shared) hole(s *session, e *event, dir proto.Direction, at, n uint64) {
	p, place := x.part(s, e, dir, at)
	p.next = at + n
	if place == p.w.object.Size() {
		p.w.Hole(n)
		return
	}
	p.w.object.Extend(place + n)
}

// close ends what there is of a direction.
func (x *shared) close(s *session, e *event, end *dissect.End) {
	dir := end.Direction
	p := &x.parts[dir]
	if p.w == nil && x.fresh && dir == proto.ClientToOrigin {
		x.part(s, e, dir, 0) // an empty file
	}
	if p.w == nil {
		return
	}
	how := object.Complete
	if end.How != dissect.Complete || p.base > 0 {
		how = object.Cut
	}
	p.w.Close(how)
	p.w = nil
}
