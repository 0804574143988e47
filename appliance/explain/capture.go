package explain

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// maxRules bounds the rules in a summary.
const maxRules = 20

// Summary counts connections of a capture.
type Summary struct {
	Frames int            `json:"frames"`
	Flows  int            `json:"connections"`
	Silent int            `json:"silent"` // clients that said nothing
	Fates  map[string]int `json:"fates"`  // what would become of the others
	Rules  map[string]int `json:"rules"`  // which rule decides of the others
}

// Options says how a capture is looked at.
type Options struct {
	Intake string // name of the intake that connections would come in by; may be empty
	Rules  bool   // write every rule that is passed over, too
	JSON   bool   // write a JSON object a connection, see [Connection]
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
		c := Connection{Frame: f.frame, Client: f.client, Origin: f.origin, Protocol: facts.Protocol, Name: cmp.Or(facts.SNI, facts.Host)}
		if more && facts.Protocol == "tls" {
			c.Fate = "undecided"
		} else {
			c.decide(table, facts)
			s.Rules[c.Rule]++
		}
		s.Fates[c.Fate]++
		if o.Rules {
			c.Steps = steps(table, facts)
		}
		if err := c.write(w, o.JSON); err != nil && writing == nil {
			writing = fmt.Errorf("write: %w", err)
		}
		return true
	})
	s.Frames = frames
	return s, cmp.Or(err, writing)
}

// Connection is a connection of a capture, and what would become of it.
type Connection struct {
	Frame    int            `json:"frame"` // the first one
	Client   netip.AddrPort `json:"client"`
	Origin   netip.AddrPort `json:"origin"`
	Protocol string         `json:"protocol,omitempty"`
	Name     string         `json:"name,omitempty"` // server name or host
	Fate     string         `json:"fate"`
	Rule     string         `json:"rule,omitempty"`
	Met      string         `json:"met,omitempty"`     // conditions of the rule
	Pending  string         `json:"pending,omitempty"` // rule that may match the origin's certificate
	Events   []string       `json:"events,omitempty"`
	Steps    []Step         `json:"steps,omitempty"`

	passed int // rules that were passed over
}

// decide asks the table.
func (c *Connection) decide(table *policy.Table, f *policy.Facts) {
	d := table.Decide(f)
	action := d.Action
	if d.Monitored {
		action = d.Would
	}
	c.Fate, c.Rule, c.Events = fate(action, f.TLS), d.Rule, f.Events.Names()
	all := table.Explain(f)
	c.Met, c.passed = all[len(all)-1].Met, len(all)-1
	for _, step := range all {
		if step.Pending {
			c.Pending = step.Rule
			break
		}
	}
}

// write writes the connection, as text or as a JSON object on a line.
func (c *Connection) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(c)
	}
	_, err := fmt.Fprintf(w, "%d  %v > %v  %s  %s\n", c.Frame, c.Client, c.Origin, strings.TrimSpace(cmp.Or(c.Protocol, "unknown")+" "+c.Name), c.text())
	for _, step := range c.Steps {
		fmt.Fprintf(w, "    %s\n", step.text)
	}
	return err
}

// text says what would become of the connection, and why.
func (c *Connection) text() string {
	if c.Rule == "" {
		return "undecided: the hello is not whole"
	}
	line := fmt.Sprintf("%s: rule %s", c.Fate, c.Rule)
	if c.Met != "" {
		line += ", " + c.Met
	} else if c.Rule == policy.Default {
		line += fmt.Sprintf(", %d passed over", c.passed)
	}
	if c.Pending != "" {
		line += "; unless rule " + c.Pending + " matches the origin's certificate"
	}
	if len(c.Events) > 0 {
		line += "; events " + strings.Join(c.Events, ", ")
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
