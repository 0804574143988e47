package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/appliance/control"
	"github.com/clearspan/clearspan/appliance/control/client"
)

func reloadCommand() *cobra.Command {
	var at box
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running appliance read its configuration again",
		Long: `Have the running appliance read its configuration and its authorities again, and
wait until that is done. Prints the keys whose new values are in force, and those whose
new values need a restart.

First the configuration is checked, as clearspan check does. If it is bad, the
appliance is not asked, and its running configuration stays. The appliance is found
by its state directory.

Exit status: 0 done, 1 bad configuration, 2 no appliance runs or it cannot be asked,
3 done, but some changes need a restart.`,
		Example: `  clearspan reload -c /etc/clearspan/clearspan.yaml
  clearspan reload                                 # of clearspan run without a file`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if at.file != "" {
				cfg, err := config.Load(at.file)
				if err == nil {
					err = checkConfig(at.file, cfg)
				}
				if err != nil {
					return badConfig(err)
				}
			}
			return at.ask(cmd, func(ctx context.Context, c *client.Client) error {
				done, err := c.Reload(ctx)
				if p, ok := errors.AsType[*control.Problem](err); ok && p.Type == control.TypeConfiguration {
					return badConfig(fmt.Errorf("the running configuration stays: %w", err))
				}
				if err != nil {
					return err
				}
				if at.file != "" && done.File != "" && !samePath(at.file, done.File) {
					fmt.Fprintf(cmd.ErrOrStderr(), "the appliance runs with another file, which it has read: %s\n", done.File)
				}
				return tellReload(cmd.OutOrStdout(), done, asJSON)
			})
		},
	}
	at.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// tellReload prints what a reload did.
func tellReload(w io.Writer, done control.Reloaded, asJSON bool) error {
	switch {
	case asJSON:
		if err := json.NewEncoder(w).Encode(done); err != nil {
			return err
		}
	case len(done.Changed) > 0:
		fmt.Fprintf(w, "in force: %s\n", strings.Join(done.Changed, ", "))
	default:
		fmt.Fprintln(w, "no key has changed that can change without a restart; lists, pages and authorities were read again")
	}
	if !asJSON && done.Worker != 0 {
		fmt.Fprintf(w, "process %d serves new sessions; those that are open go on\n", done.Worker)
	}
	if len(done.Restart) > 0 {
		return &exitError{exitRestart, fmt.Errorf("needs a restart: %s", strings.Join(done.Restart, ", "))}
	}
	return nil
}
