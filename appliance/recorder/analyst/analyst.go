package analyst

import (
	"context"
	"time"

	"github.com/clearspan/clearspan/appliance/object/join"
	"github.com/clearspan/clearspan/appliance/recorder/content"
	"github.com/clearspan/clearspan/appliance/recorder/engine"
	"github.com/clearspan/clearspan/appliance/recorder/flow"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Output takes rows. It borrows the batch until it returns.
type Output interface {
	Write(ctx context.Context, b *trail.Batch) error
}

// Config is what an analyst needs to know.
type Config struct {
	Source  string         // name of the source, for the rows of sessions
	Content *content.Store // required
	// Keep tells whether the octets of objects of a direction are kept; nil: of all.
	Keep func(trail.Direction) bool
	// Wanted tells by its first octets whether an object that is to be kept is; nil: all are.
	Wanted func(s *trail.Sighting, first []byte) bool
	// Examine is called for each object that has ended. It may add rows of what is in it; nil:
	// nobody wants to know.
	Examine func(e *trail.Event, s *trail.Sighting, b *trail.Batch)
	Flow    flow.Config
	Rows    int // of a batch, about; default 20,000
	// Resume has an analyst go on where another one ended; nil: it begins.
	Resume *Resume
}

// Resume is what an analyst needs that goes on. It reads frames from [Cursor.From] on again,
// for the sessions that were open.
type Resume struct {
	Cursor
	Open map[trail.ID]bool // sessions that were open at To
}

// Analyst reads one capture. It is not safe for concurrent use.
type Analyst struct {
	cfg   Config
	out   Output
	table *flow.Table
	own   *engine.Table // of sessions that came as records
	batch trail.Batch
	open  map[*session]bool // true: something of it is in the batch, or has changed
	files files
	parts join.Table
	hosts hosts
	now   time.Time
	mark  uint64 // of the frame that is read
	texts int    // octets of the texts in the batch
}

// New returns an analyst that has read nothing.
func New(c Config, out Output) *Analyst {
	if c.Rows <= 0 {
		c.Rows = 20_000
	}
	a := &Analyst{cfg: c, out: out, open: make(map[*session]bool)}
	a.table, a.own = flow.New(c.Flow, a), engine.NewTable(a)
	return a
}

// AddAt is [Analyst.Add] for a frame of volumes, with its mark.
func (a *Analyst) AddAt(ctx context.Context, f flow.Frame, mark uint64) error {
	a.mark = mark
	return a.Add(ctx, f)
}

// Add reads the next frame, which it borrows. The error is one of the output.
func (a *Analyst) Add(ctx context.Context, f flow.Frame) error {
	if f.At.After(a.now) {
		a.now = f.At
	}
	if f.Link != engine.LinkType || !a.own.Add(f.Octets, f.At, f.Comment) {
		a.table.Add(f)
	}
	if a.batch.Rows() >= a.cfg.Rows || a.texts >= trail.MaxTexts {
		return a.Flush(ctx, nil)
	}
	return nil
}

// Settle tells of what waited for octets that were not captured, see [flow.Table.Settle].
func (a *Analyst) Settle() { a.table.Settle() }

// Flush hands out all rows that there are, with a cursor.
func (a *Analyst) Flush(ctx context.Context, cursor []byte) error {
	for _, j := range a.parts.Quiet(a.now) {
		a.abandoned(&j)
	}
	for s, changed := range a.open {
		if changed {
			a.batch.Sessions = append(a.batch.Sessions, s.session(true))
			a.open[s] = false
		}
	}
	if a.batch.Rows() == 0 && cursor == nil {
		return nil
	}
	a.batch.Cursor = cursor
	if err := a.cfg.Content.Sync(); err != nil {
		return err
	}
	if err := a.out.Write(ctx, &a.batch); err != nil {
		return err
	}
	a.batch.Reset()
	a.texts = 0
	return nil
}

// Close ends all sessions, and hands out what is left.
func (a *Analyst) Close(ctx context.Context) error {
	a.table.Close()
	a.own.Close()
	for _, j := range a.parts.Close() {
		a.abandoned(&j)
	}
	return a.Flush(ctx, nil)
}

// Tally returns the counts of frames. A record of an engine counts as one.
func (a *Analyst) Tally() flow.Tally {
	t := a.table.Tally()
	t.Frames += a.own.Records()
	t.Sessions += a.own.Sessions()
	return t
}

// Open begins a session. It implements [flow.Handler].
func (a *Analyst) Open(f *flow.Session) flow.Stream {
	if r := a.cfg.Resume; r != nil && a.mark < r.To && !r.Open[trail.ID(f.ID)] {
		return nil // it has ended, and its rows are there
	}
	s := newSession(a, f)
	s.mark = a.mark
	a.open[s] = true
	return s
}
