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
	from, to := q.Span()
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
		hi, lo := halves(q.Before)
		text += " and (e.hi,e.lo)<(" + w.arg(hi) + "," + w.arg(lo) + ")"
	}
	text += " and e.hi>=" + w.arg(from) + " and e.hi<=" + w.arg(to)
	return s.eachDay(from, to, func(f *filter) bool { return f.matches(expr) }, func(db *sql.DB) (bool, error) {
		n, more, err := events(ctx, db, "where "+text+" order by e.hi desc, e.lo desc limit "+fmt.Sprint(left), w.args, s, f)
		left -= n
		return more && left > 0, err
	})
}

// anyDay is for questions to which every day may have an answer.
func anyDay(*filter) bool { return true }

// eachDay calls f with the days that have times of a range, and may have what is asked for, the
// newest first, until it returns false. A day that cannot be opened is told behind the others.
func (s *Store) eachDay(from, to int64, may func(*filter) bool, f func(*sql.DB) (bool, error)) error {
	return s.eachDate(from, to, may, func(_ string, db *sql.DB) (bool, error) { return f(db) })
}

func (s *Store) eachDate(from, to int64, may func(*filter) bool, f func(string, *sql.DB) (bool, error)) error {
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
		if !s.mayHave(date, may) {
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
		more, err := f(date, db)
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

func (s *Store) mayHave(date string, may func(*filter) bool) bool {
	f := s.openFilter(date)
	defer f.close()
	return may(f)
}

// strOf is the string of a number in a column.
func strOf(column string) string { return "ifnull((select s from str where n=" + column + "),'')" }

// addrOf is the address of a number in a column.
func addrOf(column string) string { return "(select a from addr where n=" + column + ")" }

// fromEvents is what questions about events select from. Ends are those of the session, if the
// event has none.
const (
	fromEvents = " from event e left join session s on s.n=e.session left join shape k on k.n=e.shape "
	clientOf   = "ifnull(e.client,s.client)"
	serverOf   = "ifnull(e.server,s.server)"
	cportOf    = "ifnull(e.cport,s.cport)"
	sportOf    = "ifnull(e.sport,s.sport)"
)

var selectEvents = "select e.n, e.hi, e.lo, s.hi, s.lo, e.seq, " + strOf("k.kind") + ", " + strOf("k.protocol") + ", " + addrOf(clientOf) + ", " + cportOf + ", " + addrOf(serverOf) + ", " + sportOf + ", " +
	strOf("k.method") + ", " + strOf("e.host") + ", e.uri, k.status, " + strOf("k.type") + ", " + strOf("e.agent") + ", e.referrer, " + strOf("e.sender") + ", e.subject, e.message_id, " +
	strOf("e.user") + ", " + strOf("k.mechanism") + ", " + strOf("k.outcome") + ", e.up, e.down, e.answers, " + strOf("(select rule from sort where n=s.sort)") + fromEvents

// events calls f with the events of a day that a condition is about.
func events(ctx context.Context, db *sql.DB, rest string, args []any, s *Store, f func(*trail.Full) bool) (n int, more bool, err error) {
	rows, err := db.QueryContext(ctx, selectEvents+rest, args...)
	if err != nil {
		return 0, false, err
	}
	var list []*trail.Full
	var numbers []int64
	for rows.Next() {
		x := &trail.Full{}
		number, err := scanEvent(rows, x)
		numbers = append(numbers, number)
		if err != nil {
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
	for len(list) > 0 {
		k := min(len(list), together)
		if err := s.complete(ctx, db, numbers[:k], list[:k]); err != nil {
			return n, false, err
		}
		for _, x := range list[:k] {
			if n++; !f(x) {
				return n, false, nil
			}
		}
		numbers, list = numbers[k:], list[k:]
	}
	return n, true, nil
}

// scanEvent reads a row of selectEvents, and returns the number of the event.
func scanEvent(rows *sql.Rows, x *trail.Full) (n int64, err error) {
	e := &x.Event
	var client, server []byte
	var hi, lo, shi, slo, cport, sport, seq, up, down int64
	err = rows.Scan(&n, &hi, &lo, &shi, &slo, &seq, &e.Kind, &e.Protocol, &client, &cport, &server, &sport, &e.Method, &e.Host, &e.URI, &e.Status, &e.Type,
		&e.Agent, &e.Referrer, &e.Sender, &e.Subject, &e.MessageID, &e.User, &e.Mechanism, &e.Outcome, &up, &down, &e.Answers, &x.Rule)
	e.ID, e.Session = idOf(hi, lo), idOf(shi, slo)
	e.Seq, e.At, e.Up, e.Down = uint64(seq), fromNano(hi), uint64(up), uint64(down)
	e.Client, e.Server = fromAddress(client, cport), fromAddress(server, sport)
	e.URI, e.Referrer = lengthen(e.URI, e.Host), lengthen(e.Referrer, e.Host)
	return n, err
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
	hi, lo := halves(id)
	_, _, err = events(ctx, db, "where e.hi=? and e.lo=?", []any{hi, lo}, s, func(x *trail.Full) bool { found = x; return false })
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
	hi, lo := halves(id)
	err = db.QueryRowContext(ctx, selectSession, hi, lo).Scan(&start, &end, &x.Source, &client, &cport, &server, &sport,
		&x.Transport, &x.Protocol, &x.VLAN, &x.Tunnel, &up, &down, &gapUp, &gapDown, &packets, &x.Flags, &x.Open, &x.Stop, &x.SNI, &x.ALPN, &x.JA4, &x.TLS, &x.Rule, &x.Audit, &x.User)
	if err == sql.ErrNoRows {
		return nil, trail.ErrNone
	}
	if err != nil {
		return nil, err
	}
	x.Start, x.End, x.Client, x.Server = fromNano(hi+start), fromNano(hi+end), fromAddress(client, cport), fromAddress(server, sport)
	x.Up, x.Down, x.GapUp, x.GapDown, x.Packets = uint64(up), uint64(down), uint64(gapUp), uint64(gapDown), uint64(packets)
	return x, nil
}

var selectSession = "select late, lasts, " + strOf("o.source") + ", " + addrOf("client") + ", cport, " + addrOf("server") + ", sport, " + strOf("o.transport") + ", " + strOf("o.protocol") + ", o.vlan, " + strOf("o.tunnel") +
	", up, down, gap_up, gap_down, packets, o.flags, open, " + strOf("o.stop") + ", " + strOf("sni") + ", " + strOf("o.alpn") + ", " + strOf("ja4") + ", " + strOf("o.tls") + ", " + strOf("o.rule") + ", audit, " + strOf("user") +
	" from session join sort o on o.n=sort where hi=? and lo=?"

// OpenSessions implements [trail.Reader].
func (s *Store) OpenSessions(ctx context.Context) (open map[trail.ID]bool, err error) {
	open = make(map[trail.ID]bool)
	err = s.eachDay(-1<<63, 1<<63-1, anyDay, func(db *sql.DB) (bool, error) {
		return true, each(ctx, db, "select hi, lo from session where open", nil, func(rows *sql.Rows) error {
			var hi, lo int64
			err := rows.Scan(&hi, &lo)
			open[idOf(hi, lo)] = true
			return err
		})
	})
	return open, err
}

// Object implements [trail.Reader].
func (s *Store) Object(ctx context.Context, h trail.Hash) (*trail.Object, error) {
	o, err := scanObject(s.main.QueryRowContext(ctx, "select "+objectColumns+", hash from object where hash=?", h[:]).Scan)
	if err == sql.ErrNoRows {
		return nil, trail.ErrNone
	}
	return o, err
}

// Sightings implements [trail.Reader].
func (s *Store) Sightings(ctx context.Context, h trail.Hash, limit int, f func(*trail.Full) bool) error {
	left := min(max(limit, 1), trail.MaxPage)
	return s.eachDay(-1<<63, 1<<63-1, func(f *filter) bool { return f.may(hashKey(h[:])) }, func(db *sql.DB) (bool, error) {
		n, more, err := events(ctx, db, "where e.n in (select event from sighting where substr(hash,1,6)=? and hash=?) order by e.hi desc, e.lo desc limit "+fmt.Sprint(left), []any{h[:hashBegin], h[:]}, s, f)
		left -= n
		return more && left > 0, err
	})
}
