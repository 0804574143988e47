package trail

import "context"

// Batch is rows that belong together, with the place up to which the packets were read. A
// later row of the same key replaces an earlier one.
type Batch struct {
	Cursor    []byte // what analysis needs in order to go on; nil: it stays as it is
	Sessions  []Session
	Events    []Event
	Objects   []Object
	Sightings []Sighting
	Findings  []Finding
	Who       []Who
	Pending   []Pending
}

// Rows returns how many rows there are.
func (b *Batch) Rows() int {
	return len(b.Sessions) + len(b.Events) + len(b.Objects) + len(b.Sightings) + len(b.Findings) + len(b.Who) + len(b.Pending)
}

// Reset empties the batch. It keeps the memory.
func (b *Batch) Reset() {
	*b = Batch{Sessions: b.Sessions[:0], Events: b.Events[:0], Objects: b.Objects[:0], Sightings: b.Sightings[:0],
		Findings: b.Findings[:0], Who: b.Who[:0], Pending: b.Pending[:0]}
}

// Writer takes batches in order. A batch is there as a whole, and for good, when Write
// returns without an error. The batch is borrowed.
type Writer interface {
	Write(ctx context.Context, b *Batch) error
	// Cursor returns the one of the last batch that had one; nil: there was none.
	Cursor(ctx context.Context) ([]byte, error)
}
