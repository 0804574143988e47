package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
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

// writer is a transaction, with its statements.
type writer struct {
	ctx   context.Context
	tx    *sql.Tx
	ready map[string]*sql.Stmt
	err   error
}

// exec runs a statement; it does nothing behind an error.
func (w *writer) exec(text string, args ...any) (n int64) {
	if w.err != nil {
		return 0
	}
	st := w.statement(text)
	if st == nil {
		return 0
	}
	r, err := st.ExecContext(w.ctx, args...)
	if w.err = err; err != nil {
		return 0
	}
	n, _ = r.RowsAffected()
	return n
}

func (w *writer) statement(text string) *sql.Stmt {
	st := w.ready[text]
	if st == nil && w.err == nil {
		if st, w.err = w.tx.PrepareContext(w.ctx, text); w.err != nil {
			return nil
		}
		w.ready[text] = st
	}
	return st
}

// number returns the number of a row by its key, which is made if it is not there.
func (w *writer) number(look, insert string, key []byte) (n int64, isNew bool) {
	st := w.statement(look)
	if w.err != nil {
		return 0, false
	}
	err := st.QueryRowContext(w.ctx, key).Scan(&n)
	if err == nil {
		return n, false
	}
	if err != sql.ErrNoRows {
		w.err = err
		return 0, false
	}
	if st = w.statement(insert); w.err != nil {
		return 0, false
	}
	r, err := st.ExecContext(w.ctx, key)
	if w.err = err; err != nil {
		return 0, false
	}
	n, w.err = r.LastInsertId()
	return n, true
}

func begin(ctx context.Context, db *sql.DB) (*writer, error) {
	tx, err := db.BeginTx(ctx, nil)
	return &writer{ctx: ctx, tx: tx, ready: make(map[string]*sql.Stmt)}, err
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
	insertSession = `insert or replace into session values(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	updateEvent   = `update event set session=?, seq=?, at=?, kind=?, protocol=?, client=?, cport=?, server=?, sport=?, method=?, host=?, uri=?, status=?, type=?,
		agent=?, referrer=?, sender=?, subject=?, message_id=?, user=?, mechanism=?, outcome=?, up=?, down=?, answers=? where n=?`
	insertParty    = `insert or ignore into party values(?,?,?)`
	insertSighting = `insert or replace into sighting values(?,?,?,?,?,?,?,?,?,?,?,?,?)`
	insertFinding  = `insert or replace into finding values(?,?,?,?,?,?,?,?,?,?)`
	insertWho      = `insert or replace into who values(?,?,?,?,?,?,?)`
	insertWords    = `insert into words(rowid, tokens) values(?,?)`
	insertBody     = `insert into bodies(rowid, tokens) values(?,?)`
	lookEvent      = `select n from event where id=?`
	newEvent       = `insert into event(id) values(?)`
	lookBody       = `select n from body where hash=?`
	newBody        = `insert into body(hash) values(?)`
)

// writeDay writes the rows of a day.
func (s *Store) writeDay(ctx context.Context, date string, b *trail.Batch) error {
	db, done, err := s.dayLocked(date, true)
	if err != nil {
		return err
	}
	defer func() { s.mu.Unlock(); done(); s.mu.Lock() }()
	w, err := begin(ctx, db)
	if err != nil {
		return err
	}
	for i := range b.Sessions {
		x := &b.Sessions[i]
		w.exec(insertSession, x.ID[:], nano(x.Start), nano(x.End), x.Source, address(x.Client.Addr()), x.Client.Port(), address(x.Server.Addr()), x.Server.Port(),
			x.Transport, x.Protocol, x.VLAN, x.Tunnel, int64(x.Up), int64(x.Down), int64(x.GapUp), int64(x.GapDown), int64(x.Packets), x.Flags, x.Open, x.Stop,
			x.SNI, x.ALPN, x.JA4, x.TLS, x.Rule, x.Audit, x.User)
	}
	names := make(map[trail.ID][]string)
	for i := range b.Sightings {
		x := &b.Sightings[i]
		w.exec(insertSighting, x.Event[:], x.Number, x.Hash[:], nano(x.At), x.Direction, x.Name, x.RawName, x.Type, x.Part, x.Field, hashOrNil(x.Parent), x.Ending, int64(x.Size))
		if x.Name != "" {
			names[x.Event] = append(names[x.Event], x.Name)
		}
	}
	for i := range b.Events {
		w.event(&b.Events[i], names[b.Events[i].ID])
	}
	for i := range b.Findings {
		x := &b.Findings[i]
		w.exec(insertFinding, x.ID[:], x.Event[:], x.Hash[:], nano(x.At), x.Rule, x.Detector, int64(x.Count), x.Score, x.Sample, x.Place)
	}
	for i := range b.Texts {
		if n, isNew := w.number(lookBody, newBody, b.Texts[i].Hash[:]); isNew {
			w.exec(insertBody, n, trail.TokenText(b.Texts[i].Text))
		}
	}
	for i := range b.Who {
		x := &b.Who[i]
		w.exec(insertWho, address(x.Address), nano(x.From), nano(x.To), x.MAC, x.Host, x.User, x.Source)
	}
	return w.commit()
}

func hashOrNil(h trail.Hash) []byte {
	if h.IsZero() {
		return nil
	}
	return h[:]
}

// event writes an event, and indexes its words when it is new.
func (w *writer) event(x *trail.Event, names []string) {
	n, isNew := w.number(lookEvent, newEvent, x.ID[:])
	w.exec(updateEvent, x.Session[:], int64(x.Seq), nano(x.At), x.Kind, x.Protocol, address(x.Client.Addr()), x.Client.Port(), address(x.Server.Addr()), x.Server.Port(),
		x.Method, x.Host, x.URI, x.Status, x.Type, x.Agent, x.Referrer, x.Sender, x.Subject, x.MessageID, x.User, x.Mechanism, x.Outcome, int64(x.Up), int64(x.Down), x.Answers, n)
	texts := append([]string{x.Host, x.URI, x.Subject, x.Sender, x.User}, names...)
	for _, p := range x.Parties {
		w.exec(insertParty, x.ID[:], p.Role, strings.ToLower(p.Address))
		texts = append(texts, p.Address)
	}
	if isNew {
		w.exec(insertWords, n, trail.TokenText(texts...))
	}
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
	for i := range b.Objects {
		x := &b.Objects[i]
		w.exec(insertObject, x.Hash[:], int64(x.Size), x.Type, nano(x.First), nano(x.First), int64(x.Stored), trail.PackHoles(x.Holes), int64(x.More))
	}
	for i := range b.Pending {
		x := &b.Pending[i]
		w.exec(insertPending, x.Hash[:], x.Work, x.Why, nano(x.At))
	}
	if b.Cursor != nil {
		w.exec(insertCursor, b.Cursor)
	}
	return w.commit()
}
