package recorder

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Listing writes rows for people: a line an event, with the files in it below. It
// implements [analyst.Output].
type Listing struct {
	w      *bufio.Writer
	layout string // of times
}

// NewListing returns one that writes to w, at the end of each batch at the latest.
func NewListing(w io.Writer) *Listing { return &Listing{bufio.NewWriterSize(w, 64<<10), time.TimeOnly} }

// NewDatedListing returns one whose times have the date, in the local zone.
func NewDatedListing(w io.Writer) *Listing {
	return &Listing{bufio.NewWriterSize(w, 64<<10), time.DateTime}
}

// Full writes an event out of a trail.
func (l *Listing) Full(x *trail.Full) error {
	l.event(&x.Event)
	for i := range x.Sightings {
		o := x.Objects[x.Sightings[i].Hash]
		l.object(&x.Sightings[i], uint64(len(o.Holes))+o.More)
	}
	for i := range x.Findings {
		l.finding(&x.Findings[i])
	}
	return l.w.Flush()
}

func (l *Listing) finding(f *trail.Finding) {
	fmt.Fprintf(l.w, "FOUND     %s x%d %s in %s %s", f.Detector, f.Count, shown(f.Sample), f.Hash, shown(f.Place))
	if f.Rule != "" {
		fmt.Fprintf(l.w, ", rule %s", shown(f.Rule))
	}
	fmt.Fprintln(l.w)
}

// Write writes a batch.
func (l *Listing) Write(_ context.Context, b *trail.Batch) error {
	holes := make(map[trail.Hash]uint64)
	for i := range b.Objects {
		holes[b.Objects[i].Hash] = uint64(len(b.Objects[i].Holes)) + b.Objects[i].More
	}
	sightings := make(map[trail.ID][]*trail.Sighting, len(b.Sightings))
	for i := range b.Sightings {
		sightings[b.Sightings[i].Event] = append(sightings[b.Sightings[i].Event], &b.Sightings[i])
	}
	for i := range b.Events {
		e := &b.Events[i]
		l.event(e)
		for _, x := range sightings[e.ID] {
			l.object(x, holes[x.Hash])
		}
	}
	for i := range b.Findings {
		l.finding(&b.Findings[i])
	}
	return l.w.Flush()
}

func (l *Listing) event(e *trail.Event) {
	fmt.Fprintf(l.w, "%s  %-8s %s > %s  %s\n", e.At.Format(l.layout), e.Protocol, e.Client, e.Server, shown(Summary(e)))
}

func (l *Listing) object(x *trail.Sighting, holes uint64) {
	name := x.Name
	if name == "" {
		name = "(" + strings.TrimSpace("no name "+x.Type) + ")"
	}
	fmt.Fprintf(l.w, "          %-8s %s  %d B  %s", x.Direction, shown(name), x.Size, x.Hash)
	switch {
	case holes > 0:
		fmt.Fprintf(l.w, "  %d holes", holes)
	case x.Ending != "complete":
		fmt.Fprintf(l.w, "  %s", x.Ending)
	}
	l.w.WriteByte('\n')
}

// Summary says in a few words what an event was.
func Summary(e *trail.Event) string {
	words := make([]string, 0, 6)
	add := func(word string) {
		if word != "" {
			words = append(words, word)
		}
	}
	switch e.Kind {
	case trail.Mail:
		add(e.Kind)
		add(e.Method)
		add(e.Sender)
		if to := recipients(e); to != "" {
			add("> " + to)
		}
		if e.Subject != "" {
			add(fmt.Sprintf("%q", e.Subject))
		}
	case trail.Login:
		add(e.Kind)
		add(e.User)
		add(e.Mechanism)
	case trail.Lookup:
		add(e.Kind)
		add(e.Method)
		add(e.Host)
		add(e.Answers)
	case trail.TLS:
		add(e.Kind)
		add(e.Mechanism)
		add(e.Host)
		add(e.Subject)
	default:
		add(e.Method)
		if add(e.URI); e.URI == "" {
			add(e.Host)
		}
	}
	if e.Status != 0 {
		add(fmt.Sprint(e.Status))
	}
	add(e.Outcome)
	return strings.Join(words, " ")
}

// recipients returns who a mail went to: those of the envelope, else those of the header.
func recipients(e *trail.Event) string {
	var envelope, header []string
	for _, p := range e.Parties {
		switch p.Role {
		case trail.Recipient:
			envelope = append(envelope, p.Address)
		case trail.To, trail.CC:
			header = append(header, p.Address)
		}
	}
	if len(envelope) == 0 {
		envelope = header
	}
	if len(envelope) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(envelope[:3], ", "), len(envelope)-3)
	}
	return strings.Join(envelope, ", ")
}

// shown makes what strangers wrote harmless for a terminal.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\ufeff' {
			return '\ufffd'
		}
		return r
	}, s)
}
