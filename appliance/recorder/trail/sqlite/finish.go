package sqlite

import (
	"context"
	"os"
)

// Finish builds the indexes of a day that is over. It may take a while, in which nothing is
// written. The store does it by itself when rows of a later day come, and when it is closed.
func (s *Store) Finish(ctx context.Context, date string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.finish(ctx, date)
}

func (s *Store) finish(ctx context.Context, date string) error {
	d, done, err := s.dayLocked(date, false)
	if err != nil || d == nil {
		return err
	}
	db := d.db
	defer func() { s.mu.Unlock(); done(); s.mu.Lock() }()
	if _, err := os.Stat(s.filterFile(date)); err == nil {
		return nil
	}
	if _, err := db.ExecContext(ctx, closedSchema); err != nil {
		return err
	}
	if err := rollUp(ctx, db); err != nil {
		return err
	}
	for _, text := range []string{"insert into words(words) values('optimize')", "insert into bodies(bodies) values('optimize')", "pragma optimize", "vacuum", "pragma wal_checkpoint(truncate)"} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return s.buildFilter(ctx, db, date)
}

// wrote notes a day that was written to.
func (s *Store) wrote(date string) { s.touched[date] = true }

// past finishes the days in front of the newest one, when that is another one.
func (s *Store) past(ctx context.Context) {
	newest := s.newest
	for date := range s.touched {
		newest = max(newest, date)
	}
	if newest != s.newest {
		s.newest = newest
		s.finishBefore(ctx, newest)
	}
}

// finishBefore finishes days that were written to. Their rows are there without it, too, so
// that a failure only means slower answers; it is tried again later.
func (s *Store) finishBefore(ctx context.Context, before string) {
	for date := range s.touched {
		if date < before && s.finish(ctx, date) == nil {
			delete(s.touched, date)
		}
	}
}
