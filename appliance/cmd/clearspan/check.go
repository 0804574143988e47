package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance"
	"github.com/clearspan/clearspan/appliance/blockpage"
	"github.com/clearspan/clearspan/appliance/config"
	"github.com/clearspan/clearspan/certs"
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
				err = checkConfig(cfg)
			}
			if err != nil {
				return badConfig(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok (%d intakes, %d rules, %d mirrors)\n",
				file, len(cfg.Intakes), len(cfg.Policy.Rules), len(cfg.Mirrors))
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

// checkConfig looks at what the configuration holds and config does not know.
func checkConfig(cfg *config.Config) error {
	for _, key := range []string{cfg.Authority.Key, cfg.Authority.UntrustedKey} {
		if !certs.IsTokenURI(key) {
			continue
		}
		if err := certs.CheckTokenURI(key); err != nil {
			return err
		}
	}
	if _, err := blockpage.Load(cfg.Block.Page); err != nil {
		return err
	}
	_, err := appliance.NewPolicy(cfg)
	return err
}
