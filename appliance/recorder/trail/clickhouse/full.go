package clickhouse

import (
	"context"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// full returns events with all that belongs to them, in the order of ids. If versions is not
// nil, an event whose newest version is another one is left out.
func (s *Store) full(ctx context.Context, ids []trail.ID, versions map[trail.ID]uint64) ([]*trail.Full, error) {
	days := where{dayOf(ids[0]), dayOf(ids[0])}
	set := make([]string, len(ids))
	for i, id := range ids {
		set[i] = fixed(id[:])
		days.from, days.to = min(days.from, dayOf(id)), max(days.to, dayOf(id))
	}
	of := func(column string) string {
		return " where " + days.days() + " and " + column + " in (" + strings.Join(set, ",") + ")"
	}
	found := make(map[trail.ID]*trail.Full)
	err := s.ask(ctx, `select id,version,session,seq,at,kind,protocol,client,cport,server,sport,method,host,uri,status,type,agent,referrer,sender,subject,message_id,
		roles,parties,user,mechanism,outcome,up,down,answers from event`+of("id")+" order by id,version desc limit 1 by id", func(a *answer) {
		x := &trail.Full{Objects: make(map[trail.Hash]trail.Object)}
		x.ID = a.id()
		version := a.u64()
		readEvent(a, &x.Event)
		if a.err == nil && (versions == nil || versions[x.ID] == version) {
			found[x.ID] = x
		}
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if err := s.sightings(ctx, of("event"), found); err != nil {
		return nil, err
	}
	if err := s.findings(ctx, of("event"), found); err != nil {
		return nil, err
	}
	if err := s.rules(ctx, days, found); err != nil {
		return nil, err
	}
	list := make([]*trail.Full, 0, len(found))
	for _, id := range ids {
		if x := found[id]; x != nil {
			list = append(list, x)
		}
	}
	return list, nil
}

// readEvent reads an event behind its name and version.
func readEvent(a *answer, e *trail.Event) {
	e.Session, e.Seq, e.At = a.id(), a.u64(), a.time()
	a.texts(&e.Kind, &e.Protocol)
	e.Client, e.Server = a.address(), a.address()
	a.texts(&e.Method, &e.Host, &e.URI)
	e.Status = int(int64(a.u64()))
	a.texts(&e.Type, &e.Agent, &e.Referrer, &e.Sender, &e.Subject, &e.MessageID)
	for range a.size() {
		e.Parties = append(e.Parties, trail.Party{Role: trail.Role(a.u8())})
		if a.err != nil {
			return
		}
	}
	if n := a.size(); n != len(e.Parties) {
		return
	}
	for i := range e.Parties {
		e.Parties[i].Address = a.text()
	}
	a.texts(&e.User, &e.Mechanism, &e.Outcome)
	e.Up, e.Down, e.Answers = a.u64(), a.u64(), a.text()
}

// sightings adds those of events, with their objects.
func (s *Store) sightings(ctx context.Context, of string, found map[trail.ID]*trail.Full) error {
	hashes := make(map[trail.Hash]bool)
	var set []string
	err := s.ask(ctx, "select event,number,hash,at,direction,name,raw_name,type,part,field,parent,ending,size from sighting"+of+
		" order by event,number,version desc limit 1 by event,number", func(a *answer) {
		v := trail.Sighting{Event: a.id(), Number: int(a.u32()), Hash: a.hash(), At: a.time(), Direction: trail.Direction(a.u8())}
		a.texts(&v.Name, &v.RawName, &v.Type, &v.Part, &v.Field)
		v.Parent, v.Ending, v.Size = a.hash(), a.text(), a.u64()
		if x := found[v.Event]; x != nil && a.err == nil {
			x.Sightings = append(x.Sightings, v)
			if !hashes[v.Hash] {
				hashes[v.Hash] = true
				set = append(set, fixed(v.Hash[:]))
			}
		}
	})
	if err != nil {
		return err
	}
	objects, err := s.objects(ctx, set)
	for _, x := range found {
		for _, v := range x.Sightings {
			if o, ok := objects[v.Hash]; ok {
				x.Objects[v.Hash] = o
			}
		}
	}
	return err
}

// findings adds those of events.
func (s *Store) findings(ctx context.Context, of string, found map[trail.ID]*trail.Full) error {
	return s.ask(ctx, "select event,id,hash,at,rule,detector,count,score,sample,place from finding"+of+" order by event,id,version desc limit 1 by event,id", func(a *answer) {
		v := trail.Finding{Event: a.id(), ID: a.id(), Hash: a.hash(), At: a.time(), Rule: a.text(), Detector: a.text(), Count: a.u64()}
		v.Score = int(int64(a.u64()))
		a.texts(&v.Sample, &v.Place)
		if x := found[v.Event]; x != nil && a.err == nil {
			x.Findings = append(x.Findings, v)
		}
	})
}

// rules adds the rules of the sessions.
func (s *Store) rules(ctx context.Context, days where, found map[trail.ID]*trail.Full) error {
	rules := make(map[trail.ID]string)
	var set []string
	for _, x := range found {
		if _, ok := rules[x.Session]; !ok {
			rules[x.Session] = ""
			set = append(set, fixed(x.Session[:]))
		}
	}
	err := s.ask(ctx, "select id,rule from session where day<="+strconv.Itoa(int(days.to))+" and id in ("+strings.Join(set, ",")+") order by id,version desc limit 1 by id",
		func(a *answer) { id := a.id(); rules[id] = a.text() })
	for _, x := range found {
		x.Rule = rules[x.Session]
	}
	return err
}
