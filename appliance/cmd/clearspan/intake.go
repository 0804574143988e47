package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/intake"
)

func intakeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "intake",
		Short: "Intakes for routed traffic of this machine",
		Long: `Intakes for routed traffic of this machine: those of mode tproxy and redirect. With
"down: block", a rule of the kernel stays when the process ends, and drops new
connections to the ports of the intake.`,
		Example: "  clearspan intake remove gateway",
	}
	var verbose bool
	remove := &cobra.Command{
		Use:   "remove NAME",
		Short: "Take away the kernel rules that an intake left",
		Long: `Take away the kernel rules that an intake of mode tproxy or redirect left: those of
"down: block", and those of a process that was killed. Traffic is then routed past
clearspan, undecrypted. Run it in the network namespace of the intake.

End the process that runs the intake first.`,
		Example: "  clearspan intake remove gateway",
		Args:    takes("NAME"),
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := intake.Remove(names[0]); err != nil {
				return intakeError(names[0], err)
			}
			return told(cmd, verbose, "the rules of intake %s are gone: its traffic is routed past clearspan", names[0])
		},
	}
	verboseFlag(remove, &verbose)
	cmd.AddCommand(remove)
	return cmd
}

func intakeError(name string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("there are no rules of an intake %s on this machine", name)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("intake %s: %w (only root may change rules)", name, err)
	}
	return fmt.Errorf("intake %s: %w", name, err)
}
