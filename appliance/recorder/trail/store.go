package trail

import (
	"context"
	"time"

	"github.com/clearspan/clearspan/appliance/query"
)

// Batch is rows that belong together, with the place up to which the packets were read. A
// later row of the same key replaces an earlier one.
type Batch struct {
	Cursor    []byte // what analysis needs in order to go on; nil: it stays as it is
	Sessions  []Session
	Events    []Event
	Objects   []Object
	Sightings []Sighting
	Findings  []Finding
	Texts     []Text
	Who       []Who
	Pending   []Pending
}

// Text is what can be read in an object, for searches.
type Text struct {
	Hash Hash
	At   time.Time // of the sighting
	Text string
}

// Rows returns how many rows there are.
func (b *Batch) Rows() int {
	return len(b.Sessions) + len(b.Events) + len(b.Objects) + len(b.Sightings) + len(b.Findings) + len(b.Texts) + len(b.Who) + len(b.Pending)
}

// MaxTexts is how many octets of texts a batch has, about. What comes beyond is put off.
const MaxTexts = 64 << 20

// TextOctets returns how many octets of texts there are.
func (b *Batch) TextOctets() (n int) {
	for i := range b.Texts {
		n += len(b.Texts[i].Text)
	}
	return n
}

// Reset empties the batch. It keeps the memory.
func (b *Batch) Reset() {
	*b = Batch{Sessions: b.Sessions[:0], Events: b.Events[:0], Objects: b.Objects[:0], Sightings: b.Sightings[:0],
		Findings: b.Findings[:0], Texts: b.Texts[:0], Who: b.Who[:0], Pending: b.Pending[:0]}
}

// Writer takes batches in order. A batch is there as a whole, and for good, when Write
// returns without an error. The batch is borrowed.
type Writer interface {
	Write(ctx context.Context, b *Batch) error
	// Cursor returns the one of the last batch that had one; nil: there was none.
	Cursor(ctx context.Context) ([]byte, error)
}

// Question asks for events, the newest first.
type Question struct {
	Query    *query.Query // of [Language]; nil: all events
	From, To time.Time    // zero: no bound; To is not part
	Before   ID           // only events with lesser names: those behind a page; zero: all
	Limit    int          // default 100, at most 10,000
}

// Span returns the first and the last time that a question is about, in nanoseconds since 1970.
func (q *Question) Span() (from, to int64) {
	from, to = Times(q.Query.Expr())
	if !q.From.IsZero() {
		from = max(from, q.From.UnixNano())
	}
	if !q.To.IsZero() {
		to = min(to, q.To.UnixNano()-1)
	}
	return from, to
}

// MaxPage bounds the events of one answer.
const MaxPage = 10_000

// Full is an event with all that belongs to it.
type Full struct {
	Event
	Sightings []Sighting
	Findings  []Finding
	Objects   map[Hash]Object // of the sightings
	Rule      string          // of the session
}

// Reader answers questions.
type Reader interface {
	// Events calls f with events, the newest first, until it returns false. There are more
	// if Limit events came: the name of the last one is the next question's Before.
	Events(ctx context.Context, q Question, f func(*Full) bool) error
	Event(ctx context.Context, id ID) (*Full, error)      // [ErrNone] if there is none
	Session(ctx context.Context, id ID) (*Session, error) // [ErrNone] if there is none
	Object(ctx context.Context, h Hash) (*Object, error)  // [ErrNone] if there is none
	// Sightings calls f with the events in which an object was seen, the newest first.
	Sightings(ctx context.Context, h Hash, limit int, f func(*Full) bool) error
	// Top returns the values of a field, of [TopFields], that most of the events have which a
	// question asks for: the most frequent first, at most limit and [MaxTop]. Of the empty value
	// there is no count. Of a day that is over, a store may count only the 1,000 most frequent.
	Top(ctx context.Context, q Question, field query.ID, limit int) ([]Count, error)
	// Timeline returns how many events of each kind a question asks for, by steps from From on,
	// in order. Steps without events are left out. See [CheckSteps].
	Timeline(ctx context.Context, q Question, step time.Duration) ([]Moment, error)
	// OpenSessions returns the sessions that had not ended when they were written.
	OpenSessions(ctx context.Context) (map[ID]bool, error)
}

// Store keeps a trail.
type Store interface {
	Writer
	Reader
	// Objects calls f with the objects whose octets are kept.
	Objects(ctx context.Context, f func(hash [32]byte, size uint64) error) error
	// Sizes returns the days that have rows, the oldest first.
	Sizes(ctx context.Context) ([]Day, error)
	// Forget removes the rows of a day. It is no error if there are none.
	Forget(ctx context.Context, date string) error
	Close() error
}

// Day is the rows of the events that began on a day (UTC).
type Day struct {
	Date string // such as 2026-11-02
	Size int64  // octets on the disk
}

// DayLayout is how a date is written, see package time.
const DayLayout = "2006-01-02"

// Start returns when the day begins; the zero time if the date is none.
func (d Day) Start() time.Time {
	t, _ := time.Parse(DayLayout, d.Date)
	return t
}
