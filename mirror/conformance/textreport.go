package conformance

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteText writes the report for people and for grep: a line for each rule,
// which begins with its status and identifier, and below a broken one, indented,
// the first offenders and what it means.
func (r *Report) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%d frames in %v, %d of TCP in %d conversations, %s of payload", r.Frames, r.Span.Round(time.Millisecond), r.TCP, r.Conversations, Size(r.Octets))
	for _, more := range []struct {
		n    uint64
		what string
	}{{r.Missing, "octets missing"}, {r.Cut, "began before the capture"}, {r.Open, "did not end in it"}, {r.GivenUp, "given up, memory is full"}} {
		if more.n > 0 {
			fmt.Fprintf(b, ", %d %s", more.n, more.what)
		}
	}
	fmt.Fprint(b, "\n\n")
	for _, result := range r.Results {
		result.write(b)
	}
	fmt.Fprintf(b, "\n%s\n", r.Verdict())
	return b.Flush()
}

func (r *Result) write(w io.Writer) {
	count := fmt.Sprintf("%d %s", r.Judged, r.Of)
	switch r.Status {
	case NotSeen:
		count = "none of these"
	case Fail, Noted:
		count = fmt.Sprintf("broken by %d of %d %s", r.Count, r.Judged, r.Of)
	}
	fmt.Fprintf(w, "%-8s  %-16s %s: %s\n", r.Status, r.Rule, r.Title, count)
	for _, o := range r.First {
		flow := o.Flow
		if flow != "" {
			flow += ": "
		}
		fmt.Fprintf(w, "%26s frame %d at %s, %s%s\n", "", o.Frame, o.Time.UTC().Format("2006-01-02 15:04:05.000000"), flow, o.Text)
	}
	if r.Meaning != "" {
		fmt.Fprintf(w, "%26s %s\n", "", r.Meaning)
	}
}

// Verdict says in one line whether the feed is ready.
func (r *Report) Verdict() string {
	broken := r.Broken(Fail)
	switch {
	case r.TCP == 0:
		return "NOT READY: no TCP in the capture"
	case len(broken) > 0:
		return fmt.Sprintf("NOT READY: %d of %d rules broken: %s", len(broken), len(r.Results), strings.Join(broken, " "))
	}
	return "READY: nothing here that a recorder stumbles over"
}

// Size returns a number of octets as people read it, in powers of 1000.
func Size(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), 0
	for v >= 1000 && unit < 4 {
		v, unit = v/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", v, " kMGT"[unit])
}
