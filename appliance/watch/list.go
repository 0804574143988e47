package watch

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
)

// MaxList bounds the rows of one list.
const MaxList = 10_000

// Cursor says where a list goes on. "" is the beginning, and the end of a list that was
// read to its end.
type Cursor string

// ErrCursor says that a cursor is none.
var ErrCursor = errors.New("unknown cursor")

// List returns at most limit sessions that match q, and where the next ones begin: first
// the open ones, the youngest first, then the ended ones, the last one first. A session
// that ends between two lists may be in both, but in none it is missing.
func (r *Registry) List(q *query.Query, limit int, at Cursor) (rows []Row, next Cursor, err error) {
	limit = min(max(limit, 1), MaxList)
	from := uint64(math.MaxUint64)
	if _, err := fmt.Sscanf(string(at), "e%d", &from); err != nil {
		start, key := int64(math.MaxInt64), uint64(math.MaxUint64)
		if at != "" {
			if _, err := fmt.Sscanf(string(at), "o%d.%x", &start, &key); err != nil {
				return nil, "", ErrCursor
			}
		}
		rows, next = r.listOpen(q, limit, start, key)
		if next != "" {
			return rows, next, nil
		}
	}
	rows, next = r.listEnded(rows, q, limit, from)
	return rows, next, nil
}

// listOpen returns the youngest open sessions that are older than a cursor.
func (r *Registry) listOpen(q *query.Query, limit int, start int64, before uint64) (rows []Row, next Cursor) {
	type found struct {
		row Row
		key uint64
	}
	older := func(a, b found) int { // the younger first
		return cmp.Or(b.row.Start.Compare(a.row.Start), cmp.Compare(b.key, a.key))
	}
	var list []found
	var row Row // one, for all that are compared
	now, oldest := time.Now(), int64(math.MinInt64)
	r.all(func(l *Live) {
		at := l.account.Start.UnixNano()
		if at < oldest || at > start || at == start && l.key >= before {
			return
		}
		row = l.row(now)
		if !q.Match(&row) {
			return
		}
		if list = append(list, found{row, l.key}); len(list) > 2*limit+1000 {
			slices.SortFunc(list, older)
			list = list[:limit+1]
			oldest = list[limit].row.Start.UnixNano() // no older one comes into the list
		}
	})
	slices.SortFunc(list, older)
	more := len(list) > limit
	list = list[:min(len(list), limit)]
	for i := range list {
		rows = append(rows, list[i].row)
	}
	if more {
		last := list[len(list)-1]
		next = Cursor(fmt.Sprintf("o%d.%x", last.row.Start.UnixNano(), last.key))
	}
	return rows, next
}

// listEnded appends ended sessions that were added before number from.
func (r *Registry) listEnded(rows []Row, q *query.Query, limit int, from uint64) ([]Row, Cursor) {
	var c chunk
	var v view
	for {
		if r.ended.before(from, &c); len(c.rows) == 0 {
			return rows, ""
		}
		for i := range c.rows {
			v = c.view(i)
			if !q.Match(&v) {
				continue
			}
			if len(rows) == limit {
				return rows, Cursor(fmt.Sprintf("e%d", c.number-uint64(i)+1))
			}
			rows = append(rows, v.row())
		}
		from = c.number - uint64(len(c.rows)) + 1
	}
}
