// Package explain describes the effect of a policy on a session, given by its
// facts, or on every connection of a capture. It opens no connection and changes
// nothing.
package explain

import (
	"fmt"
	"io"

	"github.com/clearspan/clearspan/decrypt/learn"
	"github.com/clearspan/clearspan/decrypt/policy"
)

// Session writes the rules in turn, each with why it was passed over, then the one
// that decides.
func Session(w io.Writer, table *policy.Table, facts *policy.Facts) {
	steps(w, "  ", table, facts)
	d := table.Decide(facts)
	action := d.Action
	if d.Monitored {
		action = d.Would
	}
	if d.Action == policy.Bump && facts.TLS && (d.Treatment == nil || d.Treatment.Learn != string(learn.Off)) {
		fmt.Fprintln(w, "  learned: an entry may tunnel the session; see clearspan learned list")
	}
	if d.Claim != policy.NoClaim && action == policy.Tunnel {
		unproven := *facts
		unproven.Events = facts.Events.With(policy.TunnelUnproven)
		fmt.Fprintf(w, "  proof: DNS or a certificate must show that the destination has the name, else: %s\n", table.Decide(&unproven).Action)
	}
	fmt.Fprintf(w, "rule %s: %s", d.Rule, action)
	if d.Treatment != nil {
		fmt.Fprintf(w, "; %s", d.Treatment)
	}
	if d.Pending {
		fmt.Fprint(w, "; unless another rule matches the origin's certificate")
	}
	if d.Monitored {
		fmt.Fprintf(w, "; mode monitor: %s instead", d.Action)
	}
	fmt.Fprintln(w)
}

func steps(w io.Writer, indent string, table *policy.Table, facts *policy.Facts) {
	for _, step := range table.Explain(facts) {
		fmt.Fprintf(w, "%s%s\n", indent, step)
	}
}
