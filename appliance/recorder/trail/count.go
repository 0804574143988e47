package trail

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
)

// Count is how many events have a value.
type Count struct {
	Value    string
	Events   uint64
	Up, Down uint64 // octets of contents from and to clients
}

// Moment is a count of the events from a time on, of one kind.
type Moment struct {
	At time.Time
	Count
}

// TopFields are the fields of which there are lists of the most frequent values, by their names
// in [Language].
var TopFields = map[string]query.ID{
	"client": FieldClient, "server": FieldServer, "host": FieldHost, "user": FieldUser, "kind": FieldKind, "protocol": FieldProtocol,
	"method": FieldMethod, "type": FieldType, "agent": FieldAgent, "outcome": FieldOutcome, "from": FieldFrom,
}

// MaxTop bounds a list of the most frequent values, and the moments of a timeline.
const MaxTop = 1000

// CheckSteps returns an error if a timeline would have too many moments, or none.
func CheckSteps(q *Question, step time.Duration) error {
	if step < time.Second || q.From.IsZero() || q.To.IsZero() || !q.To.After(q.From) {
		return fmt.Errorf("a timeline needs a beginning, a later end, and steps of a second or more")
	}
	if n := q.To.Sub(q.From) / step; n > MaxTop {
		return fmt.Errorf("a timeline has at most %d moments, not %d", MaxTop, n)
	}
	return nil
}

// Most returns the most frequent ones of counts, at most n.
func Most(counts map[string]Count, n int) []Count {
	list := make([]Count, 0, len(counts))
	for _, c := range counts {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.Value, b.Value))
	})
	return list[:min(n, len(list))]
}

// Add adds another count of the same value.
func (c *Count) Add(o Count) {
	c.Value = o.Value
	c.Events += o.Events
	c.Up += o.Up
	c.Down += o.Down
}
