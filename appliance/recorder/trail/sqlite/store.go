package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite" // the driver

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Store is a trail in a directory.
type Store struct {
	dir string

	mu    sync.Mutex // over what follows, and all writing
	main  *sql.DB
	known *numbers        // of main, of the writer
	days  map[string]*day // open ones, by date
	turn  uint64

	touched map[string]bool // days that were written to, and not finished since
	newest  string          // of them
}

// day is the file of a day.
type day struct {
	db    *sql.DB
	known *numbers // of the writer
	used  uint64   // turn of the last use
	busy  int      // users
}

const (
	extension = ".db"
	mainName  = "main"
	dayLayout = trail.DayLayout
	maxOpen   = 100 // days
)

// Open opens the trail in a directory, which it makes if it is not there.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the trail: %w", err)
	}
	s := &Store{dir: dir, known: newNumbers(), days: make(map[string]*day), touched: make(map[string]bool)}
	var err error
	if s.main, err = s.open(mainName, mainSchema); err != nil {
		return nil, fmt.Errorf("open the trail: %w", err)
	}
	return s, nil
}

// open opens a file, and makes its tables if it is new.
func (s *Store) open(name, schema string) (*sql.DB, error) {
	path := filepath.Join(s.dir, name+extension)
	_, missing := os.Stat(path)
	db, err := sql.Open("sqlite", "file:"+escape(path)+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-2048)&_pragma=case_sensitive_like(0)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	err = prepare(db, schema)
	for until := time.Now().Add(openFor); isBusy(err) && time.Now().Before(until); err = prepare(db, schema) {
		time.Sleep(openFor / 500)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), db.Close())
	}
	if missing != nil {
		os.Chmod(path, 0o600)
	}
	return db, nil
}

// openFor is how long a file is tried to be opened. While another process makes it, it turns to
// its way of writing (WAL), for which SQLite does not wait.
const openFor = 10 * time.Second

// isBusy reports whether another process has the file.
func isBusy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == busy
}

const busy = 5 // SQLITE_BUSY

// escape writes a path into a URI.
func escape(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// isReady reports whether the tables are there.
func isReady(db interface {
	QueryRow(string, ...any) *sql.Row
}) (bool, error) {
	var version int
	if err := db.QueryRow("pragma user_version").Scan(&version); err != nil {
		return false, err
	}
	if version != 0 && version != schemaVersion {
		return false, fmt.Errorf("the tables have version %d, this program knows %d", version, schemaVersion)
	}
	return version == schemaVersion, nil
}

// prepare makes the tables of a new file, and refuses those of another version.
func prepare(db *sql.DB, schema string) error {
	if ready, err := isReady(db); ready || err != nil {
		return err
	}
	tx, err := db.Begin() // no other process makes them meanwhile
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if ready, err := isReady(tx); ready || err != nil {
		return err
	}
	if _, err := tx.Exec(schema); err != nil {
		return err
	}
	if _, err := tx.Exec(fmt.Sprintf("pragma user_version = %d", schemaVersion)); err != nil {
		return err
	}
	return tx.Commit()
}

// day returns the file of a date; nil if it is not there, and shall not be made. done must
// be called.
func (s *Store) day(date string, make bool) (db *sql.DB, done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, done, err := s.dayLocked(date, make)
	if d == nil {
		return nil, done, err
	}
	return d.db, done, err
}

func (s *Store) dayLocked(date string, make bool) (d *day, done func(), err error) {
	d = s.days[date]
	if d == nil {
		if _, err := os.Stat(filepath.Join(s.dir, date+extension)); errors.Is(err, fs.ErrNotExist) && !make {
			return nil, func() {}, nil
		}
		s.closeIdle()
		db, err := s.open(date, daySchema+viewSchema)
		if err != nil {
			return nil, nil, err
		}
		d = &day{db: db, known: newNumbers()}
		s.days[date] = d
	}
	s.turn++
	d.used = s.turn
	d.busy++
	return d, func() {
		s.mu.Lock()
		d.busy--
		s.mu.Unlock()
	}, nil
}

// closeIdle closes the day that was not used for the longest time, if there are many.
func (s *Store) closeIdle() {
	for len(s.days) >= maxOpen {
		oldest := ""
		for date, d := range s.days {
			if d.busy == 0 && (oldest == "" || d.used < s.days[oldest].used) {
				oldest = date
			}
		}
		if oldest == "" {
			return
		}
		s.days[oldest].db.Close()
		delete(s.days, oldest)
	}
}

// Days returns the dates that have rows, the newest first.
func (s *Store) Days() ([]string, error) {
	list, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var dates []string
	for _, e := range list {
		if date, ok := strings.CutSuffix(e.Name(), extension); ok {
			if _, err := time.Parse(dayLayout, date); err == nil {
				dates = append(dates, date)
			}
		}
	}
	slices.Sort(dates)
	slices.Reverse(dates)
	return dates, nil
}

// Close finishes the days that are over, and closes the files.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishBefore(context.Background(), time.Now().UTC().Format(dayLayout))
	failed := s.main.Close()
	for _, d := range s.days {
		failed = errors.Join(failed, d.db.Close())
	}
	s.days = make(map[string]*day)
	return failed
}
