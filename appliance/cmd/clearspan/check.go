package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/appliance/config"
)

func checkCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Check a configuration file; every error with its line",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file)
			if err == nil {
				_, err = appliance.NewPolicy(cfg)
			}
			if err != nil {
				return badConfig(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok (%d intakes, %d rules, %d mirrors)\n",
				file, len(cfg.Intakes), len(cfg.Policy.Rules), len(cfg.Mirrors))
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration `FILE`")
	cmd.MarkFlagRequired("config")
	return cmd
}
