package clickhouse

import (
	"context"
	"errors"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Write implements [trail.Writer]. It returns without an error, too, when the batch is kept
// until the server answers.
func (s *Store) Write(ctx context.Context, b *trail.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, uint64(time.Now().UnixNano()))
	away := s.flush(ctx)
	if away == nil {
		away = s.insert(ctx, s.last, b)
	}
	s.tell(away)
	if away == nil || ctx.Err() != nil {
		return away
	}
	if err := s.spool.keep(s.last, b); err != nil {
		return errors.Join(err, away)
	}
	if s.retry == nil {
		s.retry = time.AfterFunc(retryEvery, s.again)
	}
	return nil
}

// retryEvery is how often batches that are kept are sent, if no other batch comes.
const retryEvery = 5 * time.Second

// again sends what is kept, until nothing is.
func (s *Store) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retry == nil { // closed
		return
	}
	err := s.flush(s.ctx)
	if s.tell(err); err == nil {
		s.retry = nil
		return
	}
	s.retry.Reset(retryEvery)
}

// Flush sends the batches that are kept.
func (s *Store) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.flush(ctx)
	if err == nil {
		err = s.prepare(ctx)
	}
	s.tell(err)
	return err
}

func (s *Store) flush(ctx context.Context) error {
	versions, _, err := s.spool.list()
	if err != nil {
		return err
	}
	for _, version := range versions {
		b, err := s.spool.load(version)
		if err != nil {
			return err
		}
		if err := s.insert(ctx, version, b); err != nil {
			return err
		}
		if err := s.spool.sent(version); err != nil {
			return err
		}
	}
	return nil
}

// Waiting returns how many batches are kept, their octets, and why the last one was not sent.
// It does not wait for the server.
func (s *Store) Waiting() (batches int, octets int64, why error) {
	versions, octets, err := s.spool.list()
	if away := s.away.Load(); away != nil {
		err = errors.Join(*away, err)
	}
	return len(versions), octets, err
}

// tell notes why the last batch was not sent; nil: it was.
func (s *Store) tell(why error) {
	if why == nil {
		s.away.Store(nil)
		return
	}
	s.away.Store(&why)
}

// Cursor implements [trail.Writer]. It fails if the server does not answer and no batch that
// is kept has a cursor.
func (s *Store) Cursor(ctx context.Context) (cursor []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	versions, _, err := s.spool.list()
	if err != nil {
		return nil, err
	}
	for i := len(versions) - 1; i >= 0; i-- {
		b, err := s.spool.load(versions[i])
		if err != nil {
			return nil, err
		}
		if b.Cursor != nil {
			return b.Cursor, nil
		}
	}
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	err = s.ask(ctx, "select value from cursor order by version desc limit 1", func(a *answer) { cursor = []byte(a.text()) })
	return cursor, err
}

// insert writes a batch: the cursor last.
func (s *Store) insert(ctx context.Context, version uint64, b *trail.Batch) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeFor)
	defer cancel()
	var cursor rows
	if b.Cursor != nil {
		cursor.u8(1)
		cursor.u64(version)
		cursor.texts(string(b.Cursor))
	}
	for _, t := range []struct {
		table string
		rows  rows
	}{
		{"session", sessions(version, b)}, {"event", events(version, b)}, {"sighting", sightings(version, b)}, {"finding", findings(version, b)},
		{"object", objects(b)}, {"contents", bodies(version, b)}, {"who", who(version, b)}, {"pending", pending(version, b)}, {"cursor", cursor},
	} {
		if len(t.rows) == 0 {
			continue
		}
		if err := s.run(ctx, s.database, "insert into "+t.table+" format RowBinary", t.rows); err != nil {
			return err
		}
	}
	return nil
}
