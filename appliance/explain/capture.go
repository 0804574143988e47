package explain

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// maxRules bounds the rules in a summary.
const maxRules = 20

// Summary counts connections of a capture.
type Summary struct {
	Frames, Flows int
	Silent        int            // clients that said nothing
	Fates         map[string]int // what would become of the others
	Rules         map[string]int // which rule decides of the others
}

// Options says how a capture is looked at.
type Options struct {
	Intake string // name of the intake that connections would come in by; may be empty
	Rules  bool   // write every rule that is passed over, too
}

// Capture reads a capture, pcap or pcapng, and writes for each TCP connection
// whether it would be decrypted, by which rule, and what of it the rule asks for.
// Time is that of the capture. A STARTTLS dialogue is told as the plain session
// that it begins as. At most 65,536 connections are followed at a time, and 128 KiB
// of a client.
func Capture(w io.Writer, table *policy.Table, r io.Reader, o Options) (Summary, error) {
	s := Summary{Fates: make(map[string]int), Rules: make(map[string]int)}
	var writing error
	frames, err := read(r, func(f *flow, last bool) bool {
		in := &decrypt.Incoming{Intake: o.Intake, Client: f.client, Origin: f.origin}
		facts, more := decrypt.Facts(in, f.flight)
		if more && !last && len(f.flight) < maxFlight {
			return false
		}
		s.Flows++
		if len(f.flight) == 0 {
			s.Silent++
			return true
		}
		facts.Time = f.start
		line := "undecided: the hello is not whole"
		if more && facts.Protocol == "tls" {
			s.Fates["undecided"]++
		} else {
			line = s.count(table, facts)
		}
		if _, err := fmt.Fprintf(w, "%d  %v > %v  %s  %s\n", f.frame, f.client, f.origin, name(facts), line); err != nil && writing == nil {
			writing = fmt.Errorf("write: %w", err)
		}
		if o.Rules {
			steps(w, "    ", table, facts)
		}
		return true
	})
	s.Frames = frames
	return s, cmp.Or(err, writing)
}

// name says what a connection is, as far as it told.
func name(f *policy.Facts) string {
	words := []string{f.Protocol}
	if f.Protocol == "" {
		words[0] = "unknown"
	}
	switch {
	case f.SNI != "":
		words = append(words, f.SNI)
	case f.Host != "":
		words = append(words, f.Host)
	}
	return strings.Join(words, " ")
}

// count decides, notes it and says it.
func (s *Summary) count(table *policy.Table, f *policy.Facts) string {
	d := table.Decide(f)
	action := d.Action
	if d.Monitored {
		action = d.Would
	}
	fate := fate(action, f.TLS)
	s.Fates[fate]++
	s.Rules[d.Rule]++
	all := table.Explain(f)
	line := fmt.Sprintf("%s: rule %s", fate, d.Rule)
	if met := all[len(all)-1].Met; met != "" {
		line += ", " + met
	} else if d.Rule == policy.Default {
		line += fmt.Sprintf(", %d passed over", len(all)-1)
	}
	for _, step := range all {
		if step.Pending {
			line += "; unless rule " + step.Rule + " matches the origin's certificate"
			break
		}
	}
	if events := f.Events.Names(); len(events) > 0 {
		line += "; events " + strings.Join(events, ", ")
	}
	return line
}

// fate names what becomes of a session.
func fate(a policy.Action, tls bool) string {
	switch {
	case a == policy.Terminate:
		return "terminated"
	case a == policy.Bump && tls:
		return "decrypted"
	case a == policy.Bump:
		return "plain"
	case a == policy.TunnelCheck && tls:
		return "tunneled if the name belongs to the origin"
	}
	return "tunneled"
}

// WriteText writes the summary.
func (s Summary) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s", count(s.Frames, "frame"), count(s.Flows, "connection"))
	if s.Silent > 0 {
		fmt.Fprintf(w, "; in %d the client sent nothing", s.Silent)
	}
	fmt.Fprintln(w)
	for _, fate := range sorted(s.Fates) {
		fmt.Fprintf(w, "  %7d %s\n", s.Fates[fate], fate)
	}
	rules := sorted(s.Rules)
	for _, rule := range rules[:min(len(rules), maxRules)] {
		fmt.Fprintf(w, "  %7d by rule %s\n", s.Rules[rule], rule)
	}
	var err error
	if more := len(rules) - maxRules; more > 0 {
		_, err = fmt.Fprintf(w, "          and %d more rules\n", more)
	}
	return err
}

// count returns a number of things, such as "1 frame" and "2 frames".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// sorted returns the words with the highest counts first.
func sorted(counts map[string]int) []string {
	words := make([]string, 0, len(counts))
	for word := range counts {
		words = append(words, word)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	return words
}
