package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/control/client"
	"github.com/clearspan/clearspan/appliance/watch"
)

func sessionShowCommand(at *box, asJSON *bool) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show everything that is known of a session",
		Long: `Show everything that is known of a session, and its audit entry if it has ended. The
identifier is the one in the list of sessions, in logs and in audit entries.`,
		Example: `  clearspan sessions show 0123456789abcdef
  clearspan sessions show 0123456789abcdef --json | jq .entry`,
		Args:              takes("ID"),
		ValidArgsFunction: at.completeSessions(""),
		RunE: func(cmd *cobra.Command, id []string) error {
			return at.ask(cmd, func(ctx context.Context, c *client.Client) error {
				d, err := c.Session(ctx, id[0])
				if err != nil {
					return err
				}
				if *asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(d)
				}
				return showSession(cmd.OutOrStdout(), &d)
			})
		},
	}
}

// showSession prints a session, a line a fact.
func showSession(w io.Writer, d *control.Detail) error {
	fact := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-10s %s\n", name, visible(text))
		}
	}
	r := &d.Row
	fact("session", r.Session)
	fact("what", became(r))
	fact("client", r.Client.String())
	fact("host", r.Host)
	if r.SNI != r.Host {
		fact("sni", r.SNI)
	}
	if r.Origin.IsValid() {
		fact("origin", r.Origin.String())
	}
	fact("upstream", r.Upstream)
	fact("user", r.User)
	fact("intake", r.Intake)
	fact("start", since(r.Start)+", lasted "+inWords(r.Duration))
	if r.Rule != "" {
		fact("decision", r.Action+" by rule "+r.Rule+suffix(", monitored: would ", r.Would)+suffix(", learned: ", r.Learned))
	}
	fact("bypass", r.BypassBy)
	fact("protocol", r.Protocol+suffix(", ALPN ", r.ALPN)+suffix(", STARTTLS ", r.StartTLS))
	fact("verdict", r.Verdict)
	fact("services", string(r.Service))
	fact("events", string(r.Events))
	fact("taught", r.Taught)
	fact("octets", fmt.Sprintf("%s from the client, %s from the origin", grouped(r.Sent), grouped(r.Received)))
	if r.Lost > 0 {
		fact("lost", grouped(r.Lost)+" octets that mirrors did not deliver")
	}
	if len(d.Entry) == 0 {
		if r.State == watch.Ended {
			fact("entry", "not in the current audit file")
		}
		return nil
	}
	var text bytes.Buffer
	if err := json.Indent(&text, d.Entry, "", "  "); err != nil {
		return fmt.Errorf("read audit entry: %w", err)
	}
	for line := range bytes.Lines(text.Bytes()) {
		fmt.Fprintln(w, visible(string(bytes.TrimRight(line, "\n"))))
	}
	return nil
}

func sessionEndCommand(at *box) *cobra.Command {
	return &cobra.Command{
		Use:   "end ID...",
		Short: "Reset open sessions",
		Long: `Reset open sessions: both legs of each end at once. Their audit entries have the
reason "operator". Needs root or the user of the appliance.`,
		Example:           "  clearspan sessions end 0123456789abcdef",
		Args:              takesSome("the ID of a session"),
		ValidArgsFunction: at.completeSessions("state:open"),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return at.ask(cmd, func(ctx context.Context, c *client.Client) error {
				for _, id := range ids {
					if err := c.EndSession(ctx, id); err != nil {
						return err
					}
					fmt.Fprintf(cmd.OutOrStdout(), "session %s was reset\n", id)
				}
				return nil
			})
		},
	}
}
