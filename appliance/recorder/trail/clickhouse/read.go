package clickhouse

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// page bounds the events of one statement.
const page = 500

// Events implements [trail.Reader].
func (s *Store) Events(ctx context.Context, q trail.Question, f func(*trail.Full) bool) error {
	expr := q.Query.Expr()
	from, to := q.Span()
	left := q.Limit
	if left <= 0 {
		left = 100
	}
	return s.walk(ctx, walk{from: from, to: to, before: q.Before, left: min(left, trail.MaxPage),
		condition: func(w where) string {
			return fmt.Sprintf("at>=%s and at<=%s and %s", number(from), number(to), w.condition(expr))
		}}, f)
}

// Sightings implements [trail.Reader].
func (s *Store) Sightings(ctx context.Context, h trail.Hash, limit int, f func(*trail.Full) bool) error {
	return s.walk(ctx, walk{from: math.MinInt64, to: math.MaxInt64, left: min(max(limit, 1), trail.MaxPage),
		condition: func(w where) string { return w.in("sighting", "hash="+fixed(h[:])) }}, f)
}

// walk is a way through events, the newest first.
type walk struct {
	from, to  int64 // nanoseconds, of the events
	before    trail.ID
	left      int
	condition func(where) string
}

// walk goes to the newest day first, then to more days at once each time.
func (s *Store) walk(ctx context.Context, w walk, f func(*trail.Full) bool) error {
	days, err := s.days(ctx)
	if err != nil {
		return err
	}
	var chosen []uint32
	last := uint32(math.MaxUint32)
	if w.before != (trail.ID{}) {
		last = dayOf(w.before)
	}
	for _, d := range days {
		begin := int64(d) * int64(day)
		if d <= last && begin <= w.to && begin+int64(day) > w.from {
			chosen = append(chosen, d)
		}
	}
	for n := 1; len(chosen) > 0 && w.left > 0; n *= 2 {
		part := chosen[:min(n, len(chosen))]
		chosen = chosen[len(part):]
		more, err := s.within(ctx, &w, where{part[len(part)-1], part[0]}, f)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// days returns the days that have events, the newest first.
func (s *Store) days(ctx context.Context) (list []uint32, err error) {
	err = s.ask(ctx, "select distinct toUInt32(partition) as d from system.parts where active and table='event' and database="+text(s.database)+" order by d desc",
		func(a *answer) { list = append(list, a.u32()) })
	return list, err
}

// within calls f with events of some days. A row whose condition holds, but which a later
// version has replaced, is left out.
func (s *Store) within(ctx context.Context, w *walk, days where, f func(*trail.Full) bool) (more bool, err error) {
	condition := days.days() + " and " + w.condition(days)
	for w.left > 0 {
		n := min(w.left, page)
		statement := "select id,version from event where " + condition
		if w.before != (trail.ID{}) {
			statement += " and id<" + fixed(w.before[:])
		}
		statement += " order by id desc,version desc limit 1 by id limit " + strconv.Itoa(n)
		var ids []trail.ID
		versions := make(map[trail.ID]uint64)
		err := s.ask(ctx, statement, func(a *answer) {
			id := a.id()
			ids = append(ids, id)
			versions[id] = a.u64()
		})
		if err != nil || len(ids) == 0 {
			return true, err
		}
		list, err := s.full(ctx, ids, versions)
		if err != nil {
			return false, err
		}
		for _, x := range list {
			w.left--
			if !f(x) {
				return false, nil
			}
		}
		w.before = ids[len(ids)-1]
		if len(ids) < n {
			return true, nil
		}
	}
	return false, nil
}

// Event implements [trail.Reader].
func (s *Store) Event(ctx context.Context, id trail.ID) (*trail.Full, error) {
	list, err := s.full(ctx, []trail.ID{id}, nil)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, trail.ErrNone
	}
	return list[0], nil
}

// Session implements [trail.Reader].
func (s *Store) Session(ctx context.Context, id trail.ID) (*trail.Session, error) {
	var found *trail.Session
	err := s.ask(ctx, `select at,until,source,client,cport,server,sport,transport,protocol,vlan,tunnel,up,down,gap_up,gap_down,packets,flags,open,stop,
		sni,alpn,ja4,tls,rule,audit,user from session where day=`+strconv.Itoa(int(dayOf(id)))+" and id="+fixed(id[:])+" order by version desc limit 1", func(a *answer) {
		x := &trail.Session{ID: id, Start: a.time(), End: a.time(), Source: a.text(), Client: a.address(), Server: a.address()}
		a.texts(&x.Transport, &x.Protocol)
		x.VLAN = a.u16()
		x.Tunnel = a.text()
		for _, n := range []*uint64{&x.Up, &x.Down, &x.GapUp, &x.GapDown, &x.Packets} {
			*n = a.u64()
		}
		x.Flags, x.Open = trail.Flags(a.u8()), a.u8() != 0
		a.texts(&x.Stop, &x.SNI, &x.ALPN, &x.JA4, &x.TLS, &x.Rule, &x.Audit, &x.User)
		found = x
	})
	if err == nil && found == nil {
		err = trail.ErrNone
	}
	return found, err
}

// Objects implements [trail.Store].
func (s *Store) Objects(ctx context.Context, f func(hash [32]byte, size uint64) error) error {
	type object struct {
		hash trail.Hash
		size uint64
	}
	const some = 1000 // at once: f may take its time
	last := ""
	for {
		var list []object
		err := s.ask(ctx, "select hash,max(size) from object where stored>0"+last+" group by hash order by hash limit "+strconv.Itoa(some),
			func(a *answer) { list = append(list, object{a.hash(), a.u64()}) })
		if err != nil {
			return err
		}
		for _, o := range list {
			if err := f(o.hash, o.size); err != nil {
				return err
			}
			last = " and hash>" + fixed(o.hash[:])
		}
		if len(list) < some {
			return nil
		}
	}
}

// OpenSessions implements [trail.Reader]. Batches that are kept are sent first.
func (s *Store) OpenSessions(ctx context.Context) (map[trail.ID]bool, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	open := make(map[trail.ID]bool)
	err := s.ask(ctx, "select id from (select id,argMax(open,version) as last from session where id in (select id from session where open=1) group by id) where last=1",
		func(a *answer) { open[a.id()] = true })
	return open, err
}

// Object implements [trail.Reader].
func (s *Store) Object(ctx context.Context, h trail.Hash) (*trail.Object, error) {
	found, err := s.objects(ctx, []string{fixed(h[:])})
	if err != nil {
		return nil, err
	}
	o, ok := found[h]
	if !ok {
		return nil, trail.ErrNone
	}
	return &o, nil
}

// objects returns the objects of hashes. Of the rows of an object, the earliest time, the
// most octets that are stored, and the fewest holes count.
func (s *Store) objects(ctx context.Context, hashes []string) (map[trail.Hash]trail.Object, error) {
	found := make(map[trail.Hash]trail.Object)
	if len(hashes) == 0 {
		return found, nil
	}
	err := s.ask(ctx, "select hash,stored,holes,size,type,first,more from object where hash in ("+strings.Join(hashes, ",")+")", func(a *answer) {
		o := trail.Object{Hash: a.hash(), Stored: a.u64(), Holes: trail.UnpackHoles([]byte(a.text())), Size: a.u64(), Type: a.text(), First: a.time(), More: a.u64()}
		if old, ok := found[o.Hash]; ok {
			o = merge(old, o)
		}
		found[o.Hash] = o
	})
	return found, err
}

func merge(a, b trail.Object) trail.Object {
	if b.First.Before(a.First) {
		a, b = b, a
	}
	a.Stored = max(a.Stored, b.Stored)
	if len(b.Holes) < len(a.Holes) {
		a.Holes, a.More = b.Holes, b.More
	}
	return a
}
