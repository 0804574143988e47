package watch

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/appliance/query"
)

// OfOpen reports whether a list from a cursor can have open sessions.
func OfOpen(at Cursor) bool { return !strings.HasPrefix(string(at), "e") }

// ListWith is List, with open sessions of other registries in their places. others has of
// each registry the sessions that match and are behind the cursor, the youngest ones, all or
// limit of them.
func (r *Registry) ListWith(others []Row, q *query.Query, limit int, at Cursor) (rows []Row, next Cursor, err error) {
	limit = min(max(limit, 1), MaxList)
	rows, next, err = r.List(q, limit, at)
	if err != nil || len(others) == 0 || !OfOpen(at) {
		return rows, next, err
	}
	open := slices.DeleteFunc(rows, func(row Row) bool { return row.State != Open })
	for i := range others {
		if _, known := key(others[i].Session); known && others[i].State == Open {
			open = append(open, others[i])
		}
	}
	slices.SortFunc(open, func(a, b Row) int {
		first, _ := key(a.Session)
		second, _ := key(b.Session)
		return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(second, first))
	})
	if len(open) >= limit {
		last, _ := key(open[limit-1].Session)
		return open[:limit], Cursor(fmt.Sprintf("o%d.%x", open[limit-1].Start.UnixNano(), last)), nil
	}
	// Those that ended meanwhile come again, none is missing.
	rest, next := r.listEnded(nil, q, limit-len(open), math.MaxUint64)
	return append(open, rest...), next, nil
}
