package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
)

// checkFlags are the flags of check.
type checkFlags struct {
	file               string
	strict, here, json bool
}

func checkCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:        "check -c FILE",
		SuggestFor: []string{"validate", "test", "lint", "verify"},
		Short:      "Check a configuration file; every error with its line",
		Long: `Check a configuration file, and the files that it names: lists, certificates,
roots, revocation lists and the block page. Nothing is started or changed.

Every error is a line FILE:LINE:COL: MESSAGE on standard error. A warning is a line
FILE:LINE:COL: warning: MESSAGE: the file is good, but it may say what nobody meant.
On a terminal, each is followed by the line of the file and a mark below its column.

With --here, this machine is compared with the file, too: addresses that others have,
missing interfaces, missing rights, services that do not answer, full disks. Run it as
the user that starts clearspan.

Exit status: 0 the file is good, 1 it is not, or --strict and there are warnings.`,
		Example: `  clearspan check -c /etc/clearspan/clearspan.yaml
  clearspan check -c /etc/clearspan/clearspan.yaml --here --strict
  clearspan check -c /etc/clearspan/clearspan.yaml --json | jq .errors`,
		DisableFlagsInUseLine: true,
		Args:                  cobra.MatchAll(takes(), requiresConfig),
		RunE:                  func(cmd *cobra.Command, _ []string) error { return f.check(cmd) },
	}
	cmd.Flags().StringVarP(&f.file, "config", "c", "", "configuration `FILE`")
	cmd.Flags().BoolVar(&f.strict, "strict", false, "exit with 1 if there are warnings")
	cmd.Flags().BoolVar(&f.here, "here", false, "compare this machine with the file, too")
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	cmd.MarkFlagRequired("config")
	return cmd
}

// check reads the file and everything that belongs to it, and prints what is wrong.
func (f *checkFlags) check(cmd *cobra.Command) error {
	r := &report{File: f.file}
	cfg, err := config.Load(f.file)
	if err == nil {
		err = checkConfig(f.file, cfg)
	}
	if _, unreadable := errors.AsType[config.Errors](err); err != nil && !unreadable && cfg == nil {
		return badConfig(err) // there is no such file
	}
	r.add(err)
	if err == nil {
		r.warn(warnings(cfg))
	}
	if err == nil && f.here {
		r.look(cmd.Context(), cfg)
	}
	r.finish(cfg, err == nil)
	if !f.json {
		r.writeText(cmd)
	} else if err := r.writeJSON(cmd.OutOrStdout()); err != nil {
		return err
	}
	if !r.OK || f.strict && len(r.Warnings) > 0 {
		return badConfig(errSaid)
	}
	return nil
}
