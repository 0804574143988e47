package main

import (
	"fmt"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clearspan/clearspan/appliance/config"
)

func reloadCommand() *cobra.Command {
	var file, state string
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running appliance read its configuration again",
		Long: `Have the running appliance read its configuration and its authorities again.

First the configuration is checked, as clearspan check does. If it is bad, the
appliance is not asked, and its running configuration stays. The appliance is found
by its state directory; its log says "reloaded" when it is done.

Exit status: 0 the appliance was asked, 1 bad configuration, 2 no appliance runs.`,
		Example: `  clearspan reload -c /etc/clearspan.yaml
  clearspan reload                                 # of clearspan run without a file`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(file, config.Quick{State: state})
			if err == nil {
				err = checkConfig(file, cfg)
			}
			if err != nil {
				return badConfig(err)
			}
			pid, err := runningProcess(cfg.State)
			if err != nil {
				return err
			}
			if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
				return fmt.Errorf("signal process %d: %w", pid, err)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration `FILE` of the running appliance")
	cmd.Flags().StringVar(&state, "state", "", "its state `DIR`, if it runs without a file")
	return cmd
}
