package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/control/client"
	"github.com/clearspan/clearspan/appliance/query"
	"github.com/clearspan/clearspan/appliance/watch"
)

func sessionsCommand() *cobra.Command {
	var at box
	var follow, asJSON bool
	var limit int
	cmd := &cobra.Command{
		Use:   "sessions [QUERY...]",
		Short: "Show open sessions and the last ones that ended",
		Long: `Show open sessions and the last ones that ended, the latest last. The appliance keeps
the last 100,000.

A query narrows the list: terms of a field, an operator and a value, all of which must
match. "or", brackets and a "-" in front of a term are understood. A word without a
field looks into names and addresses. A query that begins with "-" stands behind "--".
Fields:
` + fieldNames() + `
-f shows sessions as they happen: each when its octets begin to be relayed, and when it
has ended.`,
		Example: `  clearspan sessions
  clearspan sessions -f host:*.example.com
  clearspan sessions 'client:10.1.0.0/16 octets>1MB -action:tunnel after:1h'
  clearspan sessions --json outcome:failed | jq -r .reason`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: at.completeQuery(),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked := strings.Join(args, " ")
			if _, err := query.Parse(asked); err != nil {
				return badConfig(fmt.Errorf("query: %w", err))
			}
			show := &rowWriter{w: cmd.OutOrStdout(), asJSON: asJSON}
			return at.ask(cmd, func(ctx context.Context, c *client.Client) error {
				if follow {
					return followSessions(ctx, c, show, cmd.ErrOrStderr(), asked)
				}
				return listSessions(ctx, c, show, cmd.ErrOrStderr(), asked, limit)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "show sessions as they happen, until interrupted")
	f.IntVar(&limit, "limit", 20, "show at most `N` sessions")
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	at.flags(cmd)
	cmd.AddCommand(sessionShowCommand(&at, &asJSON), sessionEndCommand(&at))
	return cmd
}

// fieldNames lists the fields of queries, in lines.
func fieldNames() string {
	var b strings.Builder
	line := " "
	for _, f := range query.Fields {
		if len(line)+len(f.Name) > 84 {
			b.WriteString(line + "\n")
			line = " "
		}
		line += " " + f.Name
	}
	return b.String() + line + "\n"
}

// listSessions shows the sessions that match, the latest last.
func listSessions(ctx context.Context, c *client.Client, show *rowWriter, warn io.Writer, asked string, limit int) error {
	if limit < 1 {
		return badConfig(fmt.Errorf("--limit: want 1 or more"))
	}
	var rows []watch.Row
	var missing []int
	var at watch.Cursor
	for {
		list, err := c.Sessions(ctx, asked, min(limit-len(rows), watch.MaxList), at)
		if err != nil {
			return err
		}
		rows, missing = append(rows, list.Sessions...), append(missing, list.Missing...)
		if at = list.Next; at == "" || len(rows) >= limit {
			break
		}
	}
	slices.Reverse(rows)
	slices.Sort(missing)
	for _, pid := range slices.Compact(missing) {
		fmt.Fprintf(warn, "process %d does not answer: its sessions are not shown\n", pid)
	}
	if len(rows) > 0 || show.asJSON {
		if err := show.write(rows...); err != nil {
			return err
		}
	}
	if len(rows) == 0 && !show.asJSON {
		fmt.Fprintln(warn, "no session matches")
	}
	if at != "" && !show.asJSON {
		fmt.Fprintln(warn, "there are more, see --limit")
	}
	return nil
}

// followSessions shows sessions as they happen.
func followSessions(ctx context.Context, c *client.Client, show *rowWriter, warn io.Writer, asked string) error {
	s, err := c.Follow(ctx, asked)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := show.write(); err != nil { // the titles say that the stream has begun
		return err
	}
	for {
		e, err := s.Next()
		if err == io.EOF {
			return fmt.Errorf("the appliance has ended the stream")
		}
		if err != nil {
			return err
		}
		if e.Missed > 0 {
			fmt.Fprintf(warn, "%s not shown: this terminal is too slow\n", count(int(e.Missed), "session"))
			continue
		}
		if err := show.write(*e.Row); err != nil {
			return err
		}
	}
}

// rowWriter shows sessions, a line each.
type rowWriter struct {
	w      io.Writer
	asJSON bool
	titled bool
}

func (s *rowWriter) write(rows ...watch.Row) error {
	if s.asJSON {
		for i := range rows {
			if err := json.NewEncoder(s.w).Encode(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	}
	t := newTable(s.w, column{title: "SESSION", wide: 16}, column{title: "START", wide: 5}, column{title: "CLIENT", wide: 9, least: 9},
		column{title: "HOST", wide: 16, least: 16}, column{title: "OCTETS", wide: 8, right: true}, column{title: "WHAT", least: 16})
	now := time.Now()
	for i := range rows {
		r := &rows[i]
		t.row(r.Session, clock(r.Start, now), r.Client.Addr().String(), hostOf(r), octets(r.Octets()), became(r))
	}
	bare := s.titled
	s.titled = true
	return t.write(s.w, bare)
}

// hostOf returns the name of a session's host, or else its address.
func hostOf(r *watch.Row) string {
	if r.Host != "" {
		return r.Host
	}
	if r.Origin.IsValid() {
		return r.Origin.String()
	}
	return "-"
}

// became says in words what a session is, or what became of it.
func became(r *watch.Row) string {
	if r.State == watch.Open {
		return "open " + age(r.Duration) + suffix(": ", cmp.Or(openWords[r.Stage], r.Action))
	}
	text := cmp.Or(outcomeWords[r.Outcome], r.Outcome)
	if r.Protocol != "" && r.Outcome == "bumped" {
		text += " " + r.Protocol
	}
	text += suffix(": ", r.Reason)
	if r.Refusal != "" {
		text += " (client says " + r.Refusal + ")"
	}
	if r.Verdict != "" && r.Verdict != "ok" {
		text += " (certificate: " + r.Verdict + ")"
	}
	return text
}

// suffix returns text behind something, if there is text.
func suffix(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// openWords say what happens in a stage. Most of its life a session is relayed: its action
// says more then.
var openWords = map[string]string{
	"peek": "waits for the client", "decide": "is decided on", "check": "is checked", "dial": "dials the origin",
	"handshake": "makes handshakes", "dialogue": "is followed in clear", "refuse": "is refused",
}

// outcomeWords say how a session was carried.
var outcomeWords = map[string]string{
	"failed": "failed", "bumped": "decrypted", "tunneled": "tunneled", "plain": "plain", "terminated": "refused",
}

// clock returns the time of a moment of the last day, the date of an earlier one.
func clock(t, now time.Time) string {
	if now.Sub(t) < 24*time.Hour {
		return t.Local().Format("15:04")
	}
	return t.Local().Format("01-02")
}

// since returns a time of a session with its date.
func since(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
