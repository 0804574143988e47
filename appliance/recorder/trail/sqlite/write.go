package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Write implements [trail.Writer].
func (s *Store) Write(ctx context.Context, b *trail.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for date, part := range split(b) {
		if err := s.writeDay(ctx, date, part); err != nil {
			return err
		}
		s.wrote(date)
	}
	if err := s.writeMain(ctx, b); err != nil {
		return err
	}
	s.past(ctx)
	return nil
}

// Cursor implements [trail.Writer].
func (s *Store) Cursor(ctx context.Context) (cursor []byte, err error) {
	err = s.main.QueryRowContext(ctx, "select value from cursor").Scan(&cursor)
	if err == sql.ErrNoRows {
		return nil, nil
	}
	return cursor, err
}

// split tells the rows of a batch apart by their days. What belongs to an event goes to the
// day of its name.
func split(b *trail.Batch) map[string]*trail.Batch {
	parts := make(map[string]*trail.Batch)
	of := func(at time.Time) *trail.Batch {
		date := at.UTC().Format(dayLayout)
		p := parts[date]
		if p == nil {
			p = &trail.Batch{}
			parts[date] = p
		}
		return p
	}
	for i := range b.Sessions {
		p := of(timeOf(b.Sessions[i].ID))
		p.Sessions = append(p.Sessions, b.Sessions[i])
	}
	for i := range b.Events {
		p := of(timeOf(b.Events[i].ID))
		p.Events = append(p.Events, b.Events[i])
	}
	for i := range b.Sightings {
		p := of(timeOf(b.Sightings[i].Event))
		p.Sightings = append(p.Sightings, b.Sightings[i])
	}
	for i := range b.Findings {
		p := of(timeOf(b.Findings[i].Event))
		p.Findings = append(p.Findings, b.Findings[i])
	}
	for i := range b.Texts {
		p := of(b.Texts[i].At)
		p.Texts = append(p.Texts, b.Texts[i])
	}
	for i := range b.Who {
		p := of(b.Who[i].From)
		p.Who = append(p.Who, b.Who[i])
	}
	return parts
}

// timeOf returns the time in a name.
func timeOf(id trail.ID) time.Time { return time.Unix(0, int64(binary.BigEndian.Uint64(id[:8]))) }

// nano returns the time as it is stored.
func nano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// address returns an address as it is stored.
func address(a netip.Addr) []byte {
	if !a.IsValid() {
		return nil
	}
	b := a.As16()
	return b[:]
}

func fromAddress(b []byte, port int64) netip.AddrPort {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(port))
}

// writer is a transaction on a day, with its statements.
type writer struct {
	ctx   context.Context
	tx    *sql.Tx
	ready map[string]*sql.Stmt
	known *numbers
	err   error
}

// exec runs a statement; it does nothing behind an error. It returns how many rows there are
// more or changed, and the number of the last new one.
func (w *writer) exec(text string, args ...any) (rows, number int64) {
	st := w.statement(text)
	if w.err != nil {
		return 0, 0
	}
	r, err := st.ExecContext(w.ctx, args...)
	if w.err = err; err != nil {
		return 0, 0
	}
	rows, _ = r.RowsAffected()
	number, _ = r.LastInsertId()
	return rows, number
}

func (w *writer) statement(text string) *sql.Stmt {
	if w.err != nil {
		return nil
	}
	st := w.ready[text]
	if st == nil {
		if st, w.err = w.tx.PrepareContext(w.ctx, text); w.err != nil {
			return nil
		}
		w.ready[text] = st
	}
	return st
}

func begin(ctx context.Context, db *sql.DB) (*writer, error) {
	tx, err := db.BeginTx(ctx, nil)
	return &writer{ctx: ctx, tx: tx, ready: make(map[string]*sql.Stmt), known: newNumbers()}, err
}

// commit ends the transaction: none of it is there behind an error.
func (w *writer) commit() error {
	if w.err != nil {
		w.tx.Rollback()
		return w.err
	}
	return w.tx.Commit()
}

const (
	updateSession = `update session set sort=?, late=?, lasts=?, client=?, cport=?, server=?, sport=?, up=?, down=?, gap_up=?, gap_down=?, packets=?, open=?, sni=?, ja4=?, audit=?, user=?
		where n=?`
	insertSession = `insert into session(sort, late, lasts, client, cport, server, sport, up, down, gap_up, gap_down, packets, open, sni, ja4, audit, user, hi, lo)
		values(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	updateEvent = `update event set session=?, seq=?, shape=?, client=?, cport=?, server=?, sport=?, host=?, uri=?, agent=?, referrer=?, sender=?, subject=?, message_id=?,
		user=?, up=?, down=?, answers=? where hi=? and lo=?`
	insertEvent = `insert into event(session, seq, shape, client, cport, server, sport, host, uri, agent, referrer, sender, subject, message_id, user, up, down, answers, hi, lo)
		values(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	lookShape      = "select n from shape where kind=? and protocol=? and method=? and status=? and type=? and mechanism=? and outcome=?"
	insertShape    = "insert into shape(kind, protocol, method, status, type, mechanism, outcome) values(?,?,?,?,?,?,?)"
	lookSort       = "select n from sort where source=? and transport=? and protocol=? and vlan=? and tunnel=? and flags=? and stop=? and alpn=? and tls=? and rule=?"
	insertSort     = "insert into sort(source, transport, protocol, vlan, tunnel, flags, stop, alpn, tls, rule) values(?,?,?,?,?,?,?,?,?,?)"
	lookSession    = "select n from session where hi=? and lo=?"
	lookEvent      = "select n from event where hi=? and lo=?"
	insertParty    = `insert or ignore into party values(?,?,?)`
	insertSighting = `insert or replace into sighting values(?,?,?,?,?,?,?,?,?,?,?,?,?)`
	insertFinding  = `insert or replace into finding values(?,?,?,?,?,?,?,?,?,?)`
	insertWho      = `insert or replace into who values(?,?,?,?,?,?,?)`
	insertWords    = `insert into words(rowid, tokens) values(?,?)`
	insertBody     = `insert into bodies(rowid, tokens) values(?,?)`
	lookBody       = `select n from body where substr(hash,1,6)=? and hash=?`
	newBody        = `insert into body(hash) values(?)`
)

// writeDay writes the rows of a day.
func (s *Store) writeDay(ctx context.Context, date string, b *trail.Batch) error {
	d, done, err := s.dayLocked(date, true)
	if err != nil {
		return err
	}
	defer func() { s.mu.Unlock(); done(); s.mu.Lock() }()
	if err := s.dropFilter(date); err != nil {
		return err
	}
	w, err := begin(ctx, d.db)
	if err != nil {
		return err
	}
	w.known = d.known
	for i := range b.Sessions {
		w.sessionRow(&b.Sessions[i])
	}
	with := make(map[trail.ID][]*trail.Sighting) // of the events
	for i := range b.Sightings {
		with[b.Sightings[i].Event] = append(with[b.Sightings[i].Event], &b.Sightings[i])
	}
	for i := range b.Events {
		x := &b.Events[i]
		w.event(x, with[x.ID])
		delete(with, x.ID)
	}
	for id, list := range with { // of events that are there already
		w.sightings(w.eventNumber(id), id, list)
	}
	for i := range b.Findings {
		x := &b.Findings[i]
		w.exec(insertFinding, x.ID[:], w.eventNumber(x.Event), x.Hash[:], nano(x.At), w.str(x.Rule), w.str(x.Detector), int64(x.Count), x.Score, x.Sample, x.Place)
	}
	for i := range b.Texts {
		w.text(&b.Texts[i])
	}
	for i := range b.Who {
		x := &b.Who[i]
		w.exec(insertWho, address(x.Address), nano(x.From), nano(x.To), x.MAC, x.Host, x.User, x.Source)
	}
	err = w.commit()
	if err != nil {
		d.known.forget()
	}
	return err
}

// text indexes what can be read in an object, unless it is indexed.
func (w *writer) text(x *trail.Text) {
	if w.look(lookBody, x.Hash[:hashBegin], x.Hash[:]) != 0 || w.err != nil {
		return
	}
	if _, n := w.exec(newBody, x.Hash[:]); w.err == nil {
		w.exec(insertBody, n, trail.TokenText(x.Text))
	}
}

// sessionRow writes a session.
func (w *writer) sessionRow(x *trail.Session) {
	hi, lo := halves(x.ID)
	sort := w.combination(w.known.sorts, lookSort, insertSort, w.str(x.Source), w.str(x.Transport), w.str(x.Protocol), int64(x.VLAN), w.str(x.Tunnel), int64(x.Flags), w.str(x.Stop),
		w.str(x.ALPN), w.str(x.TLS), w.str(x.Rule))
	args := []any{sort, nano(x.Start) - hi, nano(x.End) - hi, w.addr(x.Client.Addr()), x.Client.Port(), w.addr(x.Server.Addr()), x.Server.Port(),
		int64(x.Up), int64(x.Down), int64(x.GapUp), int64(x.GapDown), int64(x.Packets), x.Open, w.str(x.SNI), w.str(x.JA4), x.Audit, w.str(x.User)}
	k := w.known.sessions[x.ID]
	if k.n == 0 {
		k.n = w.look(lookSession, hi, lo)
	}
	if k.n == 0 {
		_, k.n = w.exec(insertSession, append(args, hi, lo)...)
	} else {
		w.exec(updateSession, append(args, k.n)...)
	}
	bound(w.known.sessions)
	w.known.sessions[x.ID] = knownSession{k.n, x.Client, x.Server}
}

// event writes an event with what was seen in it, and indexes its words when it is new.
func (w *writer) event(x *trail.Event, list []*trail.Sighting) {
	hi, lo := halves(x.ID)
	session := w.session(x.Session)
	shape := w.combination(w.known.shapes, lookShape, insertShape, w.str(x.Kind), w.str(x.Protocol), w.str(x.Method), int64(x.Status), w.str(x.Type), w.str(x.Mechanism), w.str(x.Outcome))
	var client, cport, server, sport any
	if session.client != x.Client || session.server != x.Server || !x.Client.IsValid() {
		client, cport, server, sport = w.addr(x.Client.Addr()), x.Client.Port(), w.addr(x.Server.Addr()), x.Server.Port()
	}
	args := []any{session.n, int64(x.Seq), shape, client, cport, server, sport, w.str(x.Host), shorten(x.URI, x.Host), w.str(x.Agent), shorten(x.Referrer, x.Host),
		w.str(x.Sender), x.Subject, x.MessageID, w.str(x.User), int64(x.Up), int64(x.Down), x.Answers, hi, lo}
	n := w.eventNumber(x.ID)
	isNew := n == 0
	if isNew {
		_, n = w.exec(insertEvent, args...)
	} else {
		w.exec(updateEvent, args...)
	}
	w.sightings(n, x.ID, list)
	for _, p := range x.Parties {
		w.exec(insertParty, n, p.Role, w.str(strings.ToLower(p.Address)))
	}
	if isNew {
		w.exec(insertWords, n, keys(x)+trail.TokenText(indexed(x, list)...))
	}
}

// indexed returns what the index of words has of an event.
func indexed(x *trail.Event, list []*trail.Sighting) []string {
	_, uri, ok := strings.Cut(x.URI, "://")
	if !ok {
		uri = x.URI
	}
	texts := []string{uri, x.Subject, x.Sender, x.User}
	if !strings.Contains(x.URI, x.Host) {
		texts = append(texts, x.Host)
	}
	for _, p := range x.Parties {
		if p.Address != x.Sender {
			texts = append(texts, p.Address)
		}
	}
	for _, v := range list {
		if v.Name != "" && !strings.Contains(x.URI, v.Name) {
			texts = append(texts, v.Name)
		}
	}
	return texts
}

// eventNumber returns the number of an event, 0 if it is not there.
func (w *writer) eventNumber(id trail.ID) int64 {
	hi, lo := halves(id)
	return w.look(lookEvent, hi, lo)
}

// look returns a number, 0 if there is none.
func (w *writer) look(text string, args ...any) (n int64) {
	st := w.statement(text)
	if w.err != nil {
		return 0
	}
	if err := st.QueryRowContext(w.ctx, args...).Scan(&n); err != nil && !errors.Is(err, sql.ErrNoRows) {
		w.err = err
	}
	return n
}

// sightings writes what was seen in an event.
func (w *writer) sightings(n int64, id trail.ID, list []*trail.Sighting) {
	hi, _ := halves(id)
	for _, x := range list {
		var parent any = hashOrNil(x.Parent)
		for _, other := range list {
			if other != x && other.Hash == x.Parent {
				parent = other.Number
			}
		}
		w.exec(insertSighting, n, x.Number, x.Hash[:], nano(x.At)-hi, x.Direction, x.Name, x.RawName, w.str(x.Type), x.Part, w.str(x.Field), parent, w.str(x.Ending), int64(x.Size))
	}
}

func hashOrNil(h trail.Hash) []byte {
	if h.IsZero() {
		return nil
	}
	return h[:]
}

const (
	insertObject = `insert into object values(?,?,?,?,?,?,?,?) on conflict(hash) do update set last=max(last, excluded.last), first=min(first, excluded.first),
		stored=max(stored, excluded.stored), holes=case when length(excluded.holes) < length(holes) then excluded.holes else holes end`
	insertPending = `insert or replace into pending values(?,?,?,?)`
	insertCursor  = `insert or replace into cursor values(1,?)`
)

// writeMain writes what belongs to no day, and the cursor.
func (s *Store) writeMain(ctx context.Context, b *trail.Batch) error {
	if len(b.Objects) == 0 && len(b.Pending) == 0 && b.Cursor == nil {
		return nil
	}
	w, err := begin(ctx, s.main)
	if err != nil {
		return err
	}
	w.known = s.known
	for i := range b.Objects {
		x := &b.Objects[i]
		w.exec(insertObject, x.Hash[:], int64(x.Size), w.str(x.Type), nano(x.First), nano(x.First), int64(x.Stored), trail.PackHoles(x.Holes), int64(x.More))
	}
	for i := range b.Pending {
		x := &b.Pending[i]
		w.exec(insertPending, x.Hash[:], x.Work, x.Why, nano(x.At))
	}
	if b.Cursor != nil {
		w.exec(insertCursor, b.Cursor)
	}
	if err = w.commit(); err != nil {
		s.known.forget()
	}
	return err
}
