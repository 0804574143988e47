package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/control/client"
	"github.com/clearspan/clearspan/appliance/health"
)

func statusCommand() *cobra.Command {
	var at box
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the running appliance is",
		Long: `Show how the running appliance is, on one screen: its state and the reason, sessions,
configuration, authority, memory, and the state of each part since when.

Monitoring programs can go by the exit status.

Exit status: 0 ok, 1 degraded: sessions are served, and something is amiss,
2 down: no sessions are accepted, no appliance runs, or it cannot be asked.`,
		Example: `  clearspan status
  clearspan status -c /etc/clearspan/clearspan.yaml --json | jq -r .state`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if why := at.failed(); why != "" && asJSON {
				s := control.Status{State: health.Down, Parts: []health.Part{{Kind: health.Worker, Name: "main", State: health.Down, Why: why}}}
				return errors.Join(json.NewEncoder(cmd.OutOrStdout()).Encode(s), stateExit(s.State))
			}
			return at.ask(cmd, func(ctx context.Context, c *client.Client) error {
				s, err := c.Status(ctx)
				if err != nil {
					return err
				}
				w := cmd.OutOrStdout()
				if asJSON {
					err = json.NewEncoder(w).Encode(s)
				} else {
					err = showStatus(w, &s, time.Now())
				}
				return errors.Join(err, stateExit(s.State))
			})
		},
	}
	at.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// stateExit returns the error of a state, which has nothing to say.
func stateExit(s health.State) error {
	if s == health.OK {
		return nil
	}
	return &exitError{int(s), errSilent}
}

// errSilent is the error of a command that has said everything.
var errSilent = errors.New("")

// showStatus prints a status, on one screen.
func showStatus(w io.Writer, s *control.Status, now time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "clearspan %s is %s\n", s.Version, stateInWords(s))
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s "+format+"\n", append([]any{name}, args...)...)
	}
	line("running", "%s, process %d", inWords(now.Sub(s.Started)), s.Process)
	for _, w := range s.Workers {
		if len(s.Workers) > 1 {
			line("worker", "%s", workerInWords(&w, now))
		}
	}
	limit := ""
	if s.Sessions.Limit > 0 {
		limit = " of " + grouped(s.Sessions.Limit)
	}
	r := s.Sessions.Recent
	line("sessions", "%s open%s, %s new a second, %s", grouped(s.Sessions.Open), limit, rate(r.Began), bits(r.Sent+r.Received))
	file := s.Config.File
	if file == "" {
		file = "built in"
	}
	line("config", "%s, %s, loaded %s ago", visible(file), count(s.Config.Rules, "rule"), inWords(now.Sub(s.Config.Loaded)))
	if len(s.Config.Waits) > 0 {
		line("", "needs a restart: %s", strings.Join(s.Config.Waits, ", "))
	}
	line("state", "%s", visible(s.Config.State))
	fingerprint := s.Authority.Fingerprint
	if len(fingerprint) > 23 {
		fingerprint = fingerprint[:23] + "..."
	}
	line("authority", "%s, expires in %s", fingerprint, inWords(s.Authority.Expires.Sub(now)))
	line("memory", "%s of %s", octets(s.Memory.Used), octets(s.Memory.Limit))
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return showParts(w, s, now)
}

// workerInWords says how a worker is.
func workerInWords(w *control.Worker, now time.Time) string {
	text := fmt.Sprintf("process %d, %s, %s old, %s", w.Process, visible(w.Phase), inWords(now.Sub(w.Since)), count(w.Sessions, "session"))
	if w.Version != "" {
		text += ", " + visible(w.Version)
	}
	if !w.Until.IsZero() {
		text += ", ends within " + inWords(max(w.Until.Sub(now), 0))
	}
	if w.Missing {
		text += ", does not answer"
	}
	return text
}

// stateInWords says how a box is, and why.
func stateInWords(s *control.Status) string {
	var why []string
	for _, p := range s.Parts {
		if p.State != health.OK && !(p.Kind == health.Worker && p.Why == string(s.Phase)) {
			why = append(why, visible(p.String()))
		}
	}
	text := s.State.String()
	if s.Phase != control.Serving {
		text += ", " + string(s.Phase)
	}
	switch len(why) {
	case 0:
		return text
	case 1:
		return text + ": " + why[0]
	}
	return fmt.Sprintf("%s: %s, and %d more", text, why[0], len(why)-1)
}

// showParts prints the parts of a box.
func showParts(w io.Writer, s *control.Status, now time.Time) error {
	if len(s.Parts) > 0 {
		fmt.Fprintln(w)
	}
	t := newTable(w, column{title: "PART"}, column{title: "NAME", least: 12}, column{title: "STATE"}, column{title: "SINCE", right: true}, column{title: "WHY", least: 20})
	for _, p := range s.Parts {
		t.row(string(p.Kind), p.Name, p.State.String(), age(now.Sub(p.Since)), p.Why)
	}
	if len(s.Parts) > 0 {
		if err := t.write(w, false); err != nil {
			return err
		}
	}
	if s.Alerts > 0 {
		fmt.Fprintf(w, "\n%s: clearspan alerts\n", count(s.Alerts, "alert"))
	}
	return nil
}
