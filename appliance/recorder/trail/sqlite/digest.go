package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"hash"
)

// Digest is of the events of a day with numbers from..to, and all that belongs to them.
type Digest struct {
	Events int64
	Last   int64 // number of the last event there; 0: none
	SHA256 [32]byte
}

// digested are the questions about one event whose answers are hashed, in this order.
var digested = []string{selectParties, selectSightings, selectFindings}

// Digest hashes the events of a day whose numbers are in a range. The same rows give the same
// hash, whatever the file looks like. It returns nil if there is no such day.
func (s *Store) Digest(ctx context.Context, date string, from, to int64) (*Digest, error) {
	db, done, err := s.day(date, false)
	if err != nil {
		return nil, err
	}
	defer done()
	if db == nil {
		return nil, nil
	}
	d := &Digest{}
	h := sha256.New()
	var numbers []int64
	err = each(ctx, db, selectEvents+"where e.n between ? and ? order by e.n", []any{from, to}, func(rows *sql.Rows) error {
		values, err := row(rows)
		if err != nil {
			return err
		}
		d.Events++
		d.Last, _ = values[0].(int64)
		numbers = append(numbers, d.Last)
		return hashRow(h, values[:len(values)-1]) // the rule is the session's, which may come later
	})
	if err != nil {
		return nil, err
	}
	for _, n := range numbers {
		for _, text := range digested {
			err := each(ctx, db, text, []any{n}, func(rows *sql.Rows) error {
				values, err := row(rows)
				if err != nil {
					return err
				}
				return hashRow(h, values)
			})
			if err != nil {
				return nil, err
			}
		}
	}
	h.Sum(d.SHA256[:0])
	return d, nil
}

// row returns the values of a row, whatever its columns are.
func row(rows *sql.Rows) ([]any, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	return values, rows.Scan(into...)
}

// hashRow hashes values with their lengths, so that no two rows give the same octets.
func hashRow(h hash.Hash, values []any) error {
	for _, v := range values {
		var p []byte
		switch v := v.(type) {
		case nil:
		case []byte:
			p = v
		case string:
			p = []byte(v)
		case int64:
			p = binary.BigEndian.AppendUint64(nil, uint64(v))
		default:
			return fmt.Errorf("a value of type %T", v)
		}
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	return nil
}

// Objects implements [trail.Store].
func (s *Store) Objects(ctx context.Context, f func(hash [32]byte, size uint64) error) error {
	return each(ctx, s.main, "select hash, size from object where stored>0 order by hash", nil, func(rows *sql.Rows) error {
		var h []byte
		var size int64
		if err := rows.Scan(&h, &size); err != nil {
			return err
		}
		return f([32]byte(h), uint64(size))
	})
}
