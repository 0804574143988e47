package judge

import (
	"slices"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// deed is what one event sends, or receives, and what was found in it.
type deed struct {
	event     *trail.Event
	direction trail.Direction
	size      uint64 // of its files, without those that lie in others
	findings  []*trail.Finding
	users     []string
}

// by reports whether a pattern matches one of the users.
func (d *deed) by(pattern string) bool {
	return slices.ContainsFunc(d.users, func(u string) bool { return u != "" && matches(pattern, u) })
}

// deeds returns what a batch has of them, in the order of their findings. A finding without
// an event in the batch is left out: the batch of an event has all that belongs to it.
func deeds(b *trail.Batch, known *Users) (list []*deed) {
	type side struct {
		event     trail.ID
		direction trail.Direction
	}
	type seen struct {
		event trail.ID
		hash  trail.Hash
	}
	events := make(map[trail.ID]*trail.Event, len(b.Events))
	for i := range b.Events {
		events[b.Events[i].ID] = &b.Events[i]
	}
	sizes := make(map[side]uint64)
	directions := make(map[seen]trail.Direction)
	for i := range b.Sightings {
		s := &b.Sightings[i]
		if s.Parent == (trail.Hash{}) {
			sizes[side{s.Event, s.Direction}] += s.Size
		}
		k := seen{s.Event, s.Hash}
		if _, known := directions[k]; !known || s.Direction == trail.Sent {
			directions[k] = s.Direction
		}
	}
	users := make(map[trail.ID]string)
	for i := range b.Sessions {
		users[b.Sessions[i].ID] = b.Sessions[i].User
	}
	at := make(map[side]*deed)
	for i := range b.Findings {
		f := &b.Findings[i]
		e := events[f.Event]
		if e == nil {
			continue
		}
		k := side{f.Event, directions[seen{f.Event, f.Hash}]}
		d := at[k]
		if d == nil {
			d = &deed{event: e, direction: k.direction, size: sizes[k], users: []string{e.User, e.Sender, users[e.Session], known.names[e.Client.Addr()]}}
			at[k] = d
			list = append(list, d)
		}
		d.findings = append(d.findings, f)
	}
	return list
}
