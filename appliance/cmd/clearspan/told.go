package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// told says on a terminal that a command has succeeded which prints nothing else. In pipes
// it says nothing, unless verbose is set.
func told(cmd *cobra.Command, verbose bool, format string, args ...any) error {
	if !verbose && !onTerminal(cmd.OutOrStdout()) {
		return nil
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), format+"\n", args...)
	return err
}

// verboseFlag adds the flag of commands that end with told.
func verboseFlag(cmd *cobra.Command, verbose *bool) {
	cmd.Flags().BoolVar(verbose, "verbose", false, "say what was done, also if standard output is no terminal")
}
