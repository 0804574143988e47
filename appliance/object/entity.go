package object

import (
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// entity is what a header says of the octets behind it.
type entity struct {
	kind        string // Content-Type
	disposition string
	transfer    string // Content-Transfer-Encoding
	ranged      string // Content-Range
	name        string // from elsewhere
}

// place is where an entity is.
type place struct {
	parent int // number of the object
	path   string
	depth  int
	inMail bool
}

// below returns the place of part n of the object with that number.
func (p place) below(parent, n int) place {
	path := strconv.Itoa(n)
	if p.path != "" {
		path = p.path + "." + path
	}
	return place{parent: parent, path: path, depth: p.depth + 1, inMail: p.inMail}
}

// entity returns the stage that takes the octets of an entity.
func (r *reading) entity(h *entity, at place) stage {
	kind, parameters := name.Field(h.kind)
	d := &Description{Parent: at.parent, Part: at.path, Type: kind, Charset: strings.ToLower(parameters["charset"]), Range: h.ranged}
	disposition, values := name.Field(h.disposition)
	d.Field = name.Text(values["name"])
	d.names(h, values, parameters)
	d.Attached = disposition == "attachment" || d.From == FromDisposition
	return r.transferred(h.transfer, r.body(d, kind, parameters, at))
}

// names finds the name of an object, by the likeliest source first.
func (d *Description) names(h *entity, disposition, kind name.Parameters) {
	text, raw := disposition.Value("filename")
	if d.Name, d.RawName = name.Base(text), raw; d.Name != "" {
		d.From = FromDisposition
		return
	}
	text, raw = kind.Value("name")
	if d.Name, d.RawName = name.Base(text), raw; d.Name != "" {
		d.From = FromType
		return
	}
	if d.Name, d.RawName = name.Base(h.name), h.name; d.Name != "" {
		d.From = FromCaller
		return
	}
	d.RawName = ""
}

// body returns the stage of an entity whose transfer encoding is off.
func (r *reading) body(d *Description, kind string, parameters name.Parameters, at place) stage {
	if at.depth >= maxDepth {
		return r.object(d)
	}
	switch {
	case kind == "message/rfc822" || kind == "message/global":
		return newMail(r, d, at)
	case strings.HasPrefix(kind, "multipart/"):
		return r.multipart(kind, parameters, at)
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		o := r.object(d)
		return both{o, newJSON(r, d.Number, at)}
	case kind == "application/x-www-form-urlencoded":
		o := r.object(d)
		return both{o, &formFields{next: newJSON(r, d.Number, at)}}
	case kind == "application/ms-tnef" || kind == "application/vnd.ms-tnef" || strings.EqualFold(d.Name, "winmail.dat"):
		o := r.object(d)
		return both{o, newTNEF(r, d.Number, at)}
	case at.inMail && kind == "text/plain" && !d.Attached:
		o := r.object(d)
		return both{o, newUU(r, d.Number, at)}
	}
	return r.object(d)
}

// multipart returns the stage of a message in parts. The parts are the objects. The whole is
// none in mail: it is in the message.
func (r *reading) multipart(kind string, parameters name.Parameters, at place) stage {
	parent := 0
	if at.inMail {
		parent = at.parent
	}
	open := func(boundary string) stage {
		m := newMultipart(r, boundary, parent, at)
		m.related = kind == "multipart/related"
		m.digest = kind == "multipart/digest"
		return m
	}
	if boundary, _ := parameters.Value("boundary"); boundary != "" && len(boundary) <= maxBoundary {
		return open(boundary)
	}
	return &boundaryFinder{open: open, none: func() stage { return r.object(&Description{Parent: at.parent, Part: at.path, Type: kind}) }}
}

// object begins an object.
func (r *reading) object(d *Description) stage {
	r.objects++
	d.Number = r.objects
	if w := r.sink.Begin(d); w != nil {
		return leaf{w}
	}
	return nobody{}
}
