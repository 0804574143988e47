// Package explain describes the effect of a policy on a session, given by its
// facts, or on every connection of a capture. It opens no connection and changes
// nothing.
package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Answer is what becomes of a session, and why.
type Answer struct {
	Rule      string `json:"rule"`
	Action    string `json:"action"`              // what the policy says
	Instead   string `json:"instead,omitempty"`   // what is done, where the mode monitor or a learned entry changes it
	Treatment string `json:"treatment,omitempty"` // what the rule says beside its action, in words
	// Pending tells that another rule may decide when the origin's certificate is known.
	Pending   bool   `json:"pending,omitempty"`
	Monitored bool   `json:"monitored,omitempty"` // mode monitor
	Unproven  string `json:"unproven,omitempty"`  // the action if the destination does not prove to have the name
	Steps     []Step `json:"steps"`               // the rules in turn, up to the one that decides

	// Learned are the entries about the host of the session that count, or might; nil if
	// the policy does not leave the session to what was learned.
	Learned []learn.Match `json:"learned,omitempty"`
	asked   bool
	lacking string // why nothing learned is known
}

// Step is what became of a rule, see [policy.Step].
type Step struct {
	Rule    string `json:"rule"`
	Matched bool   `json:"matched"`
	Action  string `json:"action,omitempty"`
	Met     string `json:"met,omitempty"`
	Why     string `json:"why_not,omitempty"`
	Pending bool   `json:"pending,omitempty"`

	text string
}

// Lessons are what a box has learned.
type Lessons struct {
	Table *learn.Table // nil if it is not known
	Why   string       // why not
}

// Session tells what a table of rules, and what was learned, do to a session.
func Session(table *policy.Table, facts *policy.Facts, learned Lessons) Answer {
	d := table.Decide(facts)
	a := Answer{Rule: d.Rule, Action: d.Action.String(), Pending: d.Pending, Monitored: d.Monitored, Steps: steps(table, facts)}
	action := d.Action
	if d.Monitored {
		action = d.Would
		a.Action, a.Instead = action.String(), d.Action.String()
	}
	if d.Treatment != nil {
		a.Treatment = d.Treatment.String()
	}
	if d.Claim != policy.NoClaim && action == policy.Tunnel {
		unproven := *facts
		unproven.Events = facts.Events.With(policy.TunnelUnproven)
		a.Unproven = table.Decide(&unproven).Action.String()
	}
	if a.asked = d.Action == policy.Bump && facts.TLS && (d.Treatment == nil || d.Treatment.Learn != string(learn.Off)); a.asked {
		a.recall(facts, d.Treatment, learned)
	}
	return a
}

// recall adds what was learned.
func (a *Answer) recall(facts *policy.Facts, tr *policy.Treatment, learned Lessons) {
	if a.lacking = learned.Why; learned.Table == nil {
		return
	}
	a.Learned = learned.Table.Matches(facts, tr)
	for _, m := range a.Learned {
		if m.Tunnels {
			a.Instead = policy.Tunnel.String()
		}
	}
}

// WriteText writes the rules in turn, each with why it was passed over, then the one
// that decides.
func (a *Answer) WriteText(w io.Writer) error {
	for _, s := range a.Steps {
		fmt.Fprintf(w, "  %s\n", s.text)
	}
	a.writeLearned(w)
	if a.Unproven != "" {
		fmt.Fprintf(w, "  proof: DNS or a certificate must show that the destination has the name, else: %s\n", a.Unproven)
	}
	text := fmt.Sprintf("rule %s: %s", a.Rule, a.Action)
	if a.Treatment != "" {
		text += "; " + a.Treatment
	}
	if a.Pending {
		text += "; unless another rule matches the origin's certificate"
	}
	switch {
	case a.Monitored:
		text += "; mode monitor: " + a.Instead + " instead"
	case a.Instead != "":
		text += "; learned: " + a.Instead + " instead"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// writeLearned writes what the learned entries do.
func (a *Answer) writeLearned(w io.Writer) {
	switch {
	case !a.asked:
	case a.lacking != "":
		fmt.Fprintf(w, "  learned: an entry may tunnel the session; see clearspan learned list (%s)\n", a.lacking)
	case len(a.Learned) == 0:
		fmt.Fprintln(w, "  learned: no entry is about this session")
	}
	for _, m := range a.Learned {
		e := &m.Entry
		who, until := "every client", "until "+e.Expires.UTC().Format(time.RFC3339)
		if e.Client.IsValid() {
			who = e.Client.String()
		}
		if e.Kept {
			until = "kept"
		}
		effect := "has the session tunneled"
		if !m.Tunnels {
			effect = "does not count: " + m.Why
		}
		fmt.Fprintf(w, "  learned: entry %s (%s, %s, %s, %s) %s\n", e.ID, e.Lesson, who, e.Host, until, effect)
	}
}

// WriteJSON writes the answer as one JSON object on a line, with more keys that the
// caller gives.
func (a *Answer) WriteJSON(w io.Writer, configuration string, doors []string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Configuration string `json:"configuration"`
		*Answer
		OpenDoors []string `json:"open_doors"`
	}{configuration, a, append([]string{}, doors...)})
}

func steps(table *policy.Table, facts *policy.Facts) (list []Step) {
	for _, s := range table.Explain(facts) {
		one := Step{Rule: s.Rule, Matched: s.Matched, Met: s.Met, Why: s.Why, Pending: s.Pending, text: s.String()}
		if s.Matched {
			one.Action = s.Action.String()
		}
		list = append(list, one)
	}
	return list
}
