// Package screen tells a person at a terminal what happens: what to do first, and then
// a line for each session that ends, refusals in words. It decides nothing, and no
// session ever waits for it: lines that a slow terminal does not take are counted.
package screen

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/clearspan/clearspan/appliance/audit"
)

const (
	queue  = 256                    // entries that wait for the terminal
	rate   = 20                     // lines that one interval takes
	window = 500 * time.Millisecond // an interval; people read no faster
	mostOf = 3                      // requests or mails of one session
)

// Screen writes to a terminal. Make one with [New]. Its methods may be called from any
// goroutine.
type Screen struct {
	out     io.Writer
	entries chan audit.Entry
	missed  atomic.Uint64
}

// New returns a screen on out, which gets whole lines.
func New(out io.Writer) *Screen { return &Screen{out: out, entries: make(chan audit.Entry, queue)} }

// Say writes lines at once, before sessions begin.
func (s *Screen) Say(lines ...string) {
	if s != nil && len(lines) > 0 {
		fmt.Fprintln(s.out, strings.Join(lines, "\n"))
	}
}

// Ended has the session of an entry told, soon. It does not wait. A nil screen tells
// nothing.
func (s *Screen) Ended(e audit.Entry) {
	if s == nil {
		return
	}
	select {
	case s.entries <- e:
	default:
		s.missed.Add(1)
	}
}

// Run writes until ctx ends, and then what waits.
func (s *Screen) Run(ctx context.Context) {
	if s == nil {
		return
	}
	left, next := rate, time.NewTicker(window)
	defer next.Stop()
	for {
		select {
		case e := <-s.entries:
			if left == 0 {
				s.missed.Add(1)
				continue
			}
			left--
			io.WriteString(s.out, Line(&e))
		case <-next.C:
			left = rate
			if n := s.missed.Swap(0); n > 0 {
				fmt.Fprintf(s.out, "  ... and %d more: clearspan sessions -f\n", n)
			}
		case <-ctx.Done():
			for range len(s.entries) {
				e := <-s.entries
				io.WriteString(s.out, Line(&e))
			}
			return
		}
	}
}

// Line returns what is said of a session: a line, and one for each of its first
// requests, mails and transfers.
func Line(e *audit.Entry) string {
	var b strings.Builder
	host := e.Host
	if host == "" && e.Origin.IsValid() {
		host = e.Origin.String()
	}
	fmt.Fprintf(&b, "%s  %s  %s\n", e.End.Local().Format(time.TimeOnly), pad(clean(host, 60), 30), summary(e))
	for _, x := range e.HTTP[:min(len(e.HTTP), mostOf)] {
		status := "no answer"
		if x.Status != 0 {
			status = fmt.Sprint(x.Status)
		}
		detail := status
		if x.Type != "" {
			detail += " " + x.Type
		}
		fmt.Fprintf(&b, "          %s %s%s  %s, %s\n", clean(x.Method, 16), clean(x.Host, 60), clean(x.Path, 80), clean(detail, 60), size(x.Length))
	}
	more(&b, e.HTTPTotal, "requests")
	for _, m := range e.Mail[:min(len(e.Mail), mostOf)] {
		fmt.Fprintf(&b, "          mail from %s to %s: %s\n", clean(m.From, 60), clean(strings.Join(m.To, ", "), 80), clean(m.Subject, 80))
	}
	more(&b, e.MailTotal, "mails")
	for _, f := range e.Transfers[:min(len(e.Transfers), mostOf)] {
		fmt.Fprintf(&b, "          file %s\n", clean(f.Name, 100))
	}
	more(&b, e.TransfersTotal, "files")
	return b.String()
}

func more(b *strings.Builder, total uint64, what string) {
	if total > mostOf {
		fmt.Fprintf(b, "          and %d more %s\n", total-mostOf, what)
	}
}

// size writes octets for people.
func size(n uint64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// clean makes text of the network harmless to a terminal, and at most max characters
// long: what would act on it, or turn its direction, is shown as a sign.
func clean(text string, max int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if runes := []rune(text); len(runes) > max {
		return string(runes[:max-1]) + "…"
	}
	return text
}

func pad(text string, to int) string {
	return text + strings.Repeat(" ", max(0, to-utf8.RuneCountInString(text)))
}
