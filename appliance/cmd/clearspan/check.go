package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/certs"
)

func checkCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Check a configuration file; every error with its line",
		Long: `Check a configuration file, and the files that it names: lists, certificates,
roots, revocation lists and the block page. Nothing is started or changed.

Every error is a line FILE:LINE:COL: MESSAGE on standard error.

Exit status: 0 the file is good, 1 it is not.`,
		Example:               "  clearspan check -c /etc/clearspan.yaml",
		DisableFlagsInUseLine: true,
		Args:                  cobra.MatchAll(takes(), requiresConfig),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file)
			if err == nil {
				err = checkConfig(file, cfg)
			}
			if err != nil {
				return badConfig(err)
			}
			if _, skipped, _ := certs.LoadRoots(cfg.Origin.Roots); len(skipped) > 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", errors.Join(skipped...))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok (%s, %s, %s)\n", file,
				count(len(cfg.Intakes), "intake"), count(len(cfg.Policy.Rules), "rule"), count(len(cfg.Mirrors), "mirror"))
			for _, door := range cfg.OpenDoors() {
				fmt.Fprintln(cmd.OutOrStdout(), "open door:", door)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration `FILE`")
	cmd.MarkFlagRequired("config")
	return cmd
}

// count returns a number of things, such as "1 rule" and "2 rules".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
