package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// ends are those of the names of the files of a day, the one with the rows last.
var ends = []string{"-wal", "-shm", ""}

// Sizes implements [trail.Store].
func (s *Store) Sizes(context.Context) ([]trail.Day, error) {
	dates, err := s.Days()
	if err != nil {
		return nil, err
	}
	list := make([]trail.Day, 0, len(dates))
	for _, date := range slices.Backward(dates) {
		d := trail.Day{Date: date}
		for _, end := range ends {
			if i, err := os.Stat(filepath.Join(s.dir, date+extension+end)); err == nil {
				d.Size += i.Size()
			}
		}
		list = append(list, d)
	}
	return list, nil
}

// Forget implements [trail.Store]. Objects that were not seen since the oldest day that is
// left are forgotten, too.
func (s *Store) Forget(ctx context.Context, date string) error {
	if _, err := time.Parse(dayLayout, date); err != nil {
		return fmt.Errorf("%q is no date", date)
	}
	if err := s.remove(date); err != nil {
		return err
	}
	days, err := s.Sizes(ctx)
	if err != nil {
		return err
	}
	left := trail.Day{Date: date}.Start().AddDate(0, 0, 1)
	if len(days) > 0 {
		left = days[0].Start()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = s.main.ExecContext(ctx, "delete from object where last<?", left.UnixNano())
	return err
}

// remove removes the files of a day.
func (s *Store) remove(date string) (failed error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.days[date]; d != nil {
		d.db.Close()
		delete(s.days, date)
	}
	delete(s.touched, date)
	failed = s.dropFilter(date)
	for _, end := range ends {
		if err := os.Remove(filepath.Join(s.dir, date+extension+end)); !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}
