package analyst

import (
	"cmp"
	"io"
	"slices"

	"github.com/clearspan/clearspan/appliance/dissect"
	"github.com/clearspan/clearspan/appliance/object"
	"github.com/clearspan/clearspan/appliance/object/join"
	"github.com/clearspan/clearspan/appliance/object/name"
	"github.com/clearspan/clearspan/appliance/recorder/content"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
	"github.com/clearspan/clearspan/decrypt/proto"
)

// join tells the table of parts of an event that is over. Files that are complete by it are
// added to it.
func (a *Analyst) join(e *event) {
	a.joinRanges(e)
	if e.part == nil {
		return
	}
	for _, j := range a.parts.End(e.part, a.now, e.contents(proto.ClientToOrigin), e.contents(proto.OriginToClient)) {
		a.put(e, &j)
	}
}

// joinRanges tells of the pieces in an answer that has several (RFC 9110, Section 14.6).
func (a *Analyst) joinRanges(e *event) {
	for i := range len(e.sightings) {
		x := &e.sightings[i]
		if x.ranged == "" {
			continue
		}
		p := join.Ranged(e.Host, target(e.URI), e.validator, x.ranged)
		for _, j := range a.parts.End(p, a.now, nil, &join.Contents{Handle: x.Hash, Owner: e.Event, Size: x.Size}) {
			a.put(e, &j)
		}
	}
}

// contents returns the content of a direction, nil if there was none.
func (e *event) contents(dir proto.Direction) *join.Contents {
	for i := range e.sightings {
		if x := &e.sightings[i]; x.dir == dir && x.number == 1 {
			return &join.Contents{Handle: x.Hash, Owner: e.Event, Size: x.Size, Text: e.texts[dir]}
		}
	}
	return nil
}

// abandoned hands out a file whose parts did not all come, in an event of its own.
func (a *Analyst) abandoned(j *join.Joined) {
	owner, ok := j.Owner.(trail.Event)
	if !ok {
		return
	}
	e := &event{Event: owner}
	e.ID = nameOf(owner.At, owner.Session, ^owner.Seq)
	e.Kind, e.Up, e.Down, e.Parties = trail.File, 0, 0, nil
	if !j.Complete {
		e.Outcome = dissect.Cut.String()
	}
	a.put(e, j)
	a.done(e)
}

// put writes a file from its parts.
func (a *Analyst) put(e *event, j *join.Joined) {
	x := sighting{Sighting: trail.Sighting{At: a.now, Direction: trail.Sent, Name: bound(name.Base(j.Name)), Ending: object.Complete.String(), Part: "joined"}}
	if j.Received {
		x.Direction, x.dir = trail.Received, proto.OriginToClient
	}
	if x.Name == "" {
		x.Name = bound(name.Base(urlName(j.Target)))
	}
	if !j.Complete {
		x.Ending = object.Cut.String()
	}
	pieces, apart := inPlace(j.Pieces)
	o := a.cfg.Content.New(apart || a.cfg.Keep == nil || a.cfg.Keep(x.Direction))
	var first []byte
	for _, p := range pieces {
		if !apart {
			o.Extend(p.At)
		}
		if start := a.piece(o, &p); p.At == 0 {
			first = start
		}
	}
	o.Extend(j.Size)
	ended := o.End()
	x.Hash, x.Size = ended.Hash, ended.Size
	e.add(x, ended, first)
}

// inPlace sorts pieces by where they begin. If they overlap, they stay as they came: apart.
func inPlace(pieces []join.Placed) (sorted []join.Placed, apart bool) {
	sorted = slices.Clone(pieces)
	slices.SortStableFunc(sorted, func(a, b join.Placed) int { return cmp.Compare(a.At, b.At) })
	for i := 1; i < len(sorted); i++ {
		if sorted[i].At < sorted[i-1].At+sorted[i-1].Size {
			return pieces, true
		}
	}
	return sorted, false
}

// piece copies a piece to its place, and returns its first octets. What cannot be read is a
// hole.
func (a *Analyst) piece(o *content.Object, p *join.Placed) (first []byte) {
	hash, _ := p.Handle.(trail.Hash)
	r, err := a.cfg.Content.Open(hash)
	if err != nil {
		return nil
	}
	defer r.Close()
	buffer := make([]byte, 64<<10)
	for at := p.At; ; {
		n, err := io.ReadFull(r, buffer)
		if at == p.At {
			first = append(first, buffer[:min(n, sniffed)]...)
		}
		o.WriteAt(at, buffer[:n])
		at += uint64(n)
		if err != nil {
			return first
		}
	}
}
