package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Events implements [trail.Reader].
func (s *Store) Events(ctx context.Context, q trail.Question, f func(*trail.Full) bool) error {
	expr := q.Query.Expr()
	from, to := trail.Times(expr)
	if !q.From.IsZero() {
		from = max(from, q.From.UnixNano())
	}
	if !q.To.IsZero() {
		to = min(to, q.To.UnixNano()-1)
	}
	if q.Before != (trail.ID{}) {
		to = min(to, timeOf(q.Before).UnixNano())
	}
	left := q.Limit
	if left <= 0 {
		left = 100
	}
	left = min(left, trail.MaxPage)
	var w where
	text := w.condition(expr)
	if q.Before != (trail.ID{}) {
		text += " and e.id<" + w.arg(q.Before[:])
	}
	text += " and e.at>=" + w.arg(from) + " and e.at<=" + w.arg(to)
	return s.eachDay(from, to, func(db *sql.DB) (bool, error) {
		n, more, err := events(ctx, db, "where "+text+" order by e.id desc limit "+fmt.Sprint(left), w.args, s, f)
		left -= n
		return more && left > 0, err
	})
}

// eachDay calls f with the days that have times of a range, the newest first, until it
// returns false. A day that cannot be opened is told behind the others.
func (s *Store) eachDay(from, to int64, f func(*sql.DB) (bool, error)) error {
	dates, err := s.Days()
	if err != nil {
		return err
	}
	var failed error
	for _, date := range dates {
		begin, _ := time.Parse(dayLayout, date)
		if begin.UnixNano() > to || begin.AddDate(0, 0, 1).UnixNano() <= from {
			continue
		}
		db, done, err := s.day(date, false)
		if err != nil {
			failed = err
			continue
		}
		if db == nil {
			continue
		}
		more, err := f(db)
		done()
		if err != nil {
			return fmt.Errorf("%s: %w", date, err)
		}
		if !more {
			return failed
		}
	}
	return failed
}

const selectEvents = `select e.id, e.session, e.seq, e.at, e.kind, e.protocol, e.client, e.cport, e.server, e.sport, e.method, e.host, e.uri, e.status, e.type,
	e.agent, e.referrer, e.sender, e.subject, e.message_id, e.user, e.mechanism, e.outcome, e.up, e.down, e.answers from event e `

// events calls f with the events of a day that a condition is about.
func events(ctx context.Context, db *sql.DB, rest string, args []any, s *Store, f func(*trail.Full) bool) (n int, more bool, err error) {
	rows, err := db.QueryContext(ctx, selectEvents+rest, args...)
	if err != nil {
		return 0, false, err
	}
	var list []*trail.Full
	for rows.Next() {
		x := &trail.Full{}
		if err := scanEvent(rows, &x.Event); err != nil {
			rows.Close()
			return 0, false, err
		}
		list = append(list, x)
	}
	if err := rows.Close(); err != nil {
		return 0, false, err
	}
	if err := rows.Err(); err != nil {
		return 0, false, err
	}
	for _, x := range list {
		if err := s.complete(ctx, db, x); err != nil {
			return n, false, err
		}
		if n++; !f(x) {
			return n, false, nil
		}
	}
	return n, true, nil
}

func scanEvent(rows *sql.Rows, e *trail.Event) error {
	var id, session, client, server []byte
	var at, cport, sport, seq, up, down int64
	err := rows.Scan(&id, &session, &seq, &at, &e.Kind, &e.Protocol, &client, &cport, &server, &sport, &e.Method, &e.Host, &e.URI, &e.Status, &e.Type,
		&e.Agent, &e.Referrer, &e.Sender, &e.Subject, &e.MessageID, &e.User, &e.Mechanism, &e.Outcome, &up, &down, &e.Answers)
	if err != nil {
		return err
	}
	copy(e.ID[:], id)
	copy(e.Session[:], session)
	e.Seq, e.At, e.Up, e.Down = uint64(seq), fromNano(at), uint64(up), uint64(down)
	e.Client, e.Server = fromAddress(client, cport), fromAddress(server, sport)
	return nil
}

// complete adds what belongs to an event.
func (s *Store) complete(ctx context.Context, db *sql.DB, x *trail.Full) error {
	err := each(ctx, db, "select role, address from party where event=?", []any{x.ID[:]}, func(rows *sql.Rows) error {
		var p trail.Party
		x.Parties = append(x.Parties, p)
		last := &x.Parties[len(x.Parties)-1]
		return rows.Scan(&last.Role, &last.Address)
	})
	if err != nil {
		return err
	}
	x.Objects = make(map[trail.Hash]trail.Object)
	err = each(ctx, db, "select number, hash, at, direction, name, raw_name, type, part, field, parent, ending, size from sighting where event=? order by number", []any{x.ID[:]}, func(rows *sql.Rows) error {
		v := trail.Sighting{Event: x.ID}
		var hash, parent []byte
		var at, size int64
		if err := rows.Scan(&v.Number, &hash, &at, &v.Direction, &v.Name, &v.RawName, &v.Type, &v.Part, &v.Field, &parent, &v.Ending, &size); err != nil {
			return err
		}
		copy(v.Hash[:], hash)
		copy(v.Parent[:], parent)
		v.At, v.Size = fromNano(at), uint64(size)
		x.Sightings = append(x.Sightings, v)
		return nil
	})
	if err != nil {
		return err
	}
	for _, v := range x.Sightings {
		if o, err := s.Object(ctx, v.Hash); err == nil {
			x.Objects[v.Hash] = *o
		}
	}
	err = each(ctx, db, "select id, hash, at, rule, detector, count, score, sample, place from finding where event=?", []any{x.ID[:]}, func(rows *sql.Rows) error {
		v := trail.Finding{Event: x.ID}
		var id, hash []byte
		var at, count int64
		if err := rows.Scan(&id, &hash, &at, &v.Rule, &v.Detector, &count, &v.Score, &v.Sample, &v.Place); err != nil {
			return err
		}
		copy(v.ID[:], id)
		copy(v.Hash[:], hash)
		v.At, v.Count = fromNano(at), uint64(count)
		x.Findings = append(x.Findings, v)
		return nil
	})
	if err != nil {
		return err
	}
	err = db.QueryRowContext(ctx, "select rule from session where id=?", x.Session[:]).Scan(&x.Rule)
	if err == sql.ErrNoRows {
		return nil
	}
	return err
}

// each calls f with the rows of a question.
func each(ctx context.Context, db *sql.DB, text string, args []any, f func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Event implements [trail.Reader].
func (s *Store) Event(ctx context.Context, id trail.ID) (found *trail.Full, err error) {
	db, done, err := s.day(timeOf(id).UTC().Format(dayLayout), false)
	if err != nil {
		return nil, err
	}
	defer done()
	if db == nil {
		return nil, trail.ErrNone
	}
	_, _, err = events(ctx, db, "where e.id=?", []any{id[:]}, s, func(x *trail.Full) bool { found = x; return false })
	if err == nil && found == nil {
		err = trail.ErrNone
	}
	return found, err
}

// Session implements [trail.Reader].
func (s *Store) Session(ctx context.Context, id trail.ID) (*trail.Session, error) {
	db, done, err := s.day(timeOf(id).UTC().Format(dayLayout), false)
	if err != nil {
		return nil, err
	}
	defer done()
	if db == nil {
		return nil, trail.ErrNone
	}
	x := &trail.Session{ID: id}
	var client, server []byte
	var start, end, cport, sport, up, down, gapUp, gapDown, packets int64
	err = db.QueryRowContext(ctx, `select at, end, source, client, cport, server, sport, transport, protocol, vlan, tunnel, up, down, gap_up, gap_down, packets,
		flags, open, stop, sni, alpn, ja4, tls, rule, audit, user from session where id=?`, id[:]).Scan(&start, &end, &x.Source, &client, &cport, &server, &sport,
		&x.Transport, &x.Protocol, &x.VLAN, &x.Tunnel, &up, &down, &gapUp, &gapDown, &packets, &x.Flags, &x.Open, &x.Stop, &x.SNI, &x.ALPN, &x.JA4, &x.TLS, &x.Rule, &x.Audit, &x.User)
	if err == sql.ErrNoRows {
		return nil, trail.ErrNone
	}
	if err != nil {
		return nil, err
	}
	x.Start, x.End, x.Client, x.Server = fromNano(start), fromNano(end), fromAddress(client, cport), fromAddress(server, sport)
	x.Up, x.Down, x.GapUp, x.GapDown, x.Packets = uint64(up), uint64(down), uint64(gapUp), uint64(gapDown), uint64(packets)
	return x, nil
}

// OpenSessions implements [trail.Reader].
func (s *Store) OpenSessions(ctx context.Context) (open map[trail.ID]bool, err error) {
	open = make(map[trail.ID]bool)
	err = s.eachDay(-1<<63, 1<<63-1, func(db *sql.DB) (bool, error) {
		return true, each(ctx, db, "select id from session where open", nil, func(rows *sql.Rows) error {
			var id []byte
			err := rows.Scan(&id)
			open[trail.ID(id)] = true
			return err
		})
	})
	return open, err
}

// Object implements [trail.Reader].
func (s *Store) Object(ctx context.Context, h trail.Hash) (*trail.Object, error) {
	o := &trail.Object{Hash: h}
	var size, first, stored, more int64
	var holes []byte
	err := s.main.QueryRowContext(ctx, "select size, type, first, stored, holes, more from object where hash=?", h[:]).Scan(&size, &o.Type, &first, &stored, &holes, &more)
	if err == sql.ErrNoRows {
		return nil, trail.ErrNone
	}
	o.Size, o.First, o.Stored, o.More, o.Holes = uint64(size), fromNano(first), uint64(stored), uint64(more), trail.UnpackHoles(holes)
	return o, err
}

// Sightings implements [trail.Reader].
func (s *Store) Sightings(ctx context.Context, h trail.Hash, limit int, f func(*trail.Full) bool) error {
	left := min(max(limit, 1), trail.MaxPage)
	return s.eachDay(-1<<63, 1<<63-1, func(db *sql.DB) (bool, error) {
		n, more, err := events(ctx, db, "where e.id in (select event from sighting where hash=?) order by e.id desc limit "+fmt.Sprint(left), []any{h[:]}, s, f)
		left -= n
		return more && left > 0, err
	})
}
