package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/exceptions"
)

func exceptionsCommand() *cobra.Command {
	var file, state string
	var asJSON, clear bool
	cmd := &cobra.Command{
		Use:   "exceptions",
		Short: "Show what users asked for on the block page",
		Long: `Show what users asked for on the block page: hosts that a rule or a fault of the
origin keeps from them. The page has a form for that with block.exceptions: true.
Nothing is granted: to let a host through, change the policy, and reload.

The list holds 1,000 requests at most, 20 of one client. --clear empties it after it
was shown.`,
		Example: `  clearspan exceptions -c /etc/clearspan/clearspan.yaml
  clearspan exceptions --json | jq -r .host | sort | uniq -c`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(file, config.Quick{State: state})
			if err != nil {
				return badConfig(err)
			}
			path := filepath.Join(cfg.State, exceptions.FileName)
			now := time.Now()
			all, err := exceptions.List(path)
			if err != nil {
				return err
			}
			if err := showExceptions(cmd.OutOrStdout(), all, asJSON); err != nil || !clear {
				return err
			}
			return exceptions.Clear(path, now)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "config", "c", "", "configuration `FILE` of the appliance")
	f.StringVar(&state, "state", "", "its state `DIR`, if it runs without a file")
	f.BoolVar(&asJSON, "json", false, "one JSON object a line")
	f.BoolVar(&clear, "clear", false, "empty the list after it was shown")
	return cmd
}

func showExceptions(w io.Writer, all []exceptions.Request, asJSON bool) error {
	if asJSON {
		for _, r := range all {
			if err := json.NewEncoder(w).Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "nobody asked for an exception")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TIME\tCLIENT\tHOST\tREFUSED BY\tREASON GIVEN")
	for _, r := range all {
		by := r.Rule
		if r.Cause != "policy" {
			by = r.Cause
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Time.Local().Format(time.DateTime), r.Client, visible(r.Host), visible(by), visible(r.Reason))
	}
	return t.Flush()
}
