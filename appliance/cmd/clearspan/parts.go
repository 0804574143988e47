package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/control/client"
	"github.com/clearspan/clearspan/appliance/health"
)

// listing is a command that asks a box for a list and shows it. at is nil if the command has
// flags of its own that name the box.
func listing[T any](at *box, cmd *cobra.Command, ask func(*client.Client, context.Context) ([]T, error), show func(io.Writer, []T) error) *cobra.Command {
	var asJSON bool
	cmd.Args = takes()
	if at == nil {
		at = new(box)
		at.flags(cmd)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return at.ask(cmd, func(ctx context.Context, c *client.Client) error {
			list, err := ask(c, ctx)
			if err != nil {
				return err
			}
			if !asJSON {
				return show(cmd.OutOrStdout(), list)
			}
			for _, one := range list {
				if err := json.NewEncoder(cmd.OutOrStdout()).Encode(one); err != nil {
					return err
				}
			}
			return nil
		})
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return cmd
}

func mirrorsCommand() *cobra.Command {
	return listing(nil, &cobra.Command{
		Use:   "mirrors",
		Short: "Show what recorders get from the running appliance",
		Long: `Show the mirrors of the running appliance: where each goes, its state, what it
delivered and lost since the start, and what waits. The causes of a loss are in the
reference of reasons.`,
		Example: `  clearspan mirrors
  clearspan mirrors --json | jq .lost`,
	}, (*client.Client).Mirrors, showMirrors)
}

func showMirrors(w io.Writer, list []control.Mirror) error {
	if len(list) == 0 {
		fmt.Fprintln(w, "no mirror is configured: sessions are inspected and audited only")
		return nil
	}
	t := newTable(w, column{title: "MIRROR", least: 10}, column{title: "KIND"}, column{title: "STATE"}, column{title: "DELIVERED", right: true}, column{title: "LOST", right: true}, column{title: "WAITS", right: true}, column{title: "NOTE", least: 15})
	for _, m := range list {
		note := []string{m.To}
		if m.Readers != nil {
			note = []string{count(*m.Readers, "reader") + " on " + m.To}
		}
		if m.Why != "" {
			note = []string{m.Why}
		}
		t.row(m.Name, m.Kind, m.State.String(), octets(m.Octets), octets(sum(m.Lost)), octets(m.Queued), strings.Join(append(note, most(m.Lost)...), "; "))
	}
	return t.write(w, false)
}

// sum adds up what is counted by reason.
func sum(by map[string]uint64) (n uint64) {
	for _, each := range by {
		n += each
	}
	return n
}

// most says for which reason most octets were lost.
func most(by map[string]uint64) []string {
	if len(by) == 0 {
		return nil
	}
	reason := slices.MaxFunc(slices.Sorted(maps.Keys(by)), func(a, b string) int { return cmp.Compare(by[a], by[b]) })
	return []string{"lost: mostly " + reason}
}

func servicesCommand() *cobra.Command {
	return listing(nil, &cobra.Command{
		Use:   "services",
		Short: "Show the services that sessions go through",
		Long: `Show the services of the running appliance: their servers or interfaces, their state,
what they answered since the start, and how long they took on average.`,
		Example: `  clearspan services
  clearspan services --json | jq .results`,
	}, (*client.Client).Services, showServices)
}

func showServices(w io.Writer, list []control.Service) error {
	if len(list) == 0 {
		fmt.Fprintln(w, "no service is configured")
		return nil
	}
	t := newTable(w, column{title: "SERVICE", least: 10}, column{title: "KIND"}, column{title: "STATE"}, column{title: "MEAN", right: true}, column{title: "RESULTS", least: 20}, column{title: "NOTE", least: 15})
	for _, v := range list {
		var results []string
		for _, name := range slices.Sorted(maps.Keys(v.Results)) {
			results = append(results, fmt.Sprintf("%s %s", grouped(v.Results[name]), name))
		}
		mean := time.Duration(v.Mean * float64(time.Second)).Round(100 * time.Microsecond).String()
		t.row(v.Name, v.Kind, v.State.String(), mean, strings.Join(results, ", "), cmp.Or(v.Why, v.To))
	}
	return t.write(w, false)
}

func alertsCommand() *cobra.Command {
	return listing(nil, &cobra.Command{
		Use:   "alerts",
		Short: "Show what an operator must act on",
		Long: `Show what an operator must act on: since when, why, and what to do. Alerts that were
resolved in the last 24 hours follow.`,
		Example: `  clearspan alerts
  clearspan alerts --json | jq -r 'select(.resolved == null) | .name'`,
	}, (*client.Client).Alerts, func(w io.Writer, list []health.Alert) error { return showAlerts(w, list, time.Now()) })
}

func showAlerts(w io.Writer, list []health.Alert, now time.Time) error {
	open := 0
	for _, a := range list {
		name := a.Name
		if a.Part != "" {
			name += " " + a.Part
		}
		if !a.Resolved.IsZero() {
			fmt.Fprintf(w, "resolved %s ago: %s, which lasted %s\n", inWords(now.Sub(a.Resolved)), visible(name), inWords(a.Resolved.Sub(a.Since)))
			continue
		}
		open++
		fmt.Fprintf(w, "%s: %s, for %s\n", a.Severity, visible(name), inWords(now.Sub(a.Since)))
		if a.Why != "" {
			fmt.Fprintf(w, "  why: %s\n", visible(a.Why))
		}
		if a.Do != "" {
			fmt.Fprintf(w, "  do:  %s\n", visible(a.Do))
		}
	}
	if open == 0 {
		fmt.Fprintln(w, "no alert holds")
	}
	return nil
}
