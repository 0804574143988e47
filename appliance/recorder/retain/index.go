package retain

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Index knows the objects that are kept. It is safe for concurrent use, also by several
// processes.
type Index struct{ db *sql.DB }

const indexVersion = 1

// Times are nanoseconds since 1970; 0: it was never seen so.
const indexSchema = `
create table if not exists object(hash blob primary key, size integer, received integer, sent integer, mail integer) without rowid;
create table if not exists pin(hash blob, name text, primary key(hash, name)) without rowid;
create table if not exists built(one integer primary key check(one = 1));
`

// Open opens the index in a file, which is made if it is not there.
func Open(file string) (*Index, error) {
	_, missing := os.Stat(file)
	path := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(file)
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-8192)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	var version int
	if err = db.QueryRow("pragma user_version").Scan(&version); err == nil && version == 0 {
		_, err = db.Exec(indexSchema + fmt.Sprintf("pragma user_version = %d", indexVersion))
	} else if err == nil && version != indexVersion {
		err = fmt.Errorf("the tables have version %d, this program knows %d", version, indexVersion)
	}
	if err == nil && missing != nil {
		err = os.Chmod(file, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", file, err), db.Close())
	}
	return &Index{db}, nil
}

// Close closes the index.
func (x *Index) Close() error { return x.db.Close() }

// Seen is an object on the disk, and a time at which it was seen.
type Seen struct {
	Hash  trail.Hash
	Size  uint64 // octets on the disk
	Class Class
	At    time.Time
}

// SeenIn returns the objects of a batch that are kept, each time they were seen.
func SeenIn(b *trail.Batch) (list []Seen) {
	stored := make(map[trail.Hash]uint64, len(b.Objects))
	for i := range b.Objects {
		if o := &b.Objects[i]; o.Stored > 0 {
			stored[o.Hash] = o.Stored
		}
	}
	if len(stored) == 0 {
		return nil
	}
	mail := make(map[trail.ID]bool)
	for i := range b.Events {
		if b.Events[i].Kind == trail.Mail {
			mail[b.Events[i].ID] = true
		}
	}
	for i := range b.Sightings {
		s := &b.Sightings[i]
		if size := stored[s.Hash]; size > 0 {
			list = append(list, Seen{s.Hash, size, classOf(s, mail[s.Event]), s.At})
		}
	}
	return list
}

func classOf(s *trail.Sighting, mail bool) Class {
	switch {
	case mail:
		return Mail
	case s.Direction == trail.Received:
		return Received
	}
	return Sent
}

// Note notes objects, and when they were seen. Those of the future are seen now.
func (x *Index) Note(ctx context.Context, list []Seen) error {
	if len(list) == 0 {
		return nil
	}
	now := time.Now()
	return x.change(ctx, func(tx *sql.Tx) error {
		st, err := tx.PrepareContext(ctx, `insert into object values(?1,?2,?3,?4,?5) on conflict(hash) do update set
			size=max(size,?2), received=max(received,?3), sent=max(sent,?4), mail=max(mail,?5)`)
		if err != nil {
			return err
		}
		defer st.Close()
		for _, s := range list {
			if s.At.After(now) {
				s.At = now
			}
			var at [3]int64
			switch s.Class {
			case Mail:
				at[2] = s.At.UnixNano()
			case Sent:
				at[1] = s.At.UnixNano()
			default:
				at[0] = s.At.UnixNano()
			}
			if _, err := st.ExecContext(ctx, s.Hash[:], int64(s.Size), at[0], at[1], at[2]); err != nil {
				return err
			}
		}
		return nil
	})
}

// change runs f in a transaction that others wait for.
func (x *Index) change(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := x.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Built reports whether all objects of before the index are in it. With set, it is noted
// that they are.
func (x *Index) Built(ctx context.Context, set bool) (built bool, err error) {
	if set {
		_, err = x.db.ExecContext(ctx, "insert or ignore into built values(1)")
		return true, err
	}
	return built, x.db.QueryRowContext(ctx, "select count(*) > 0 from built").Scan(&built)
}

// Knows reports whether an object is in the index: its octets are to be there.
func (x *Index) Knows(ctx context.Context, h trail.Hash) (known bool, err error) {
	return known, x.db.QueryRowContext(ctx, "select count(*) > 0 from object where hash=?", h[:]).Scan(&known)
}
