// Command clearspan is the appliance and its tools.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "unknown"

// Exit codes.
const (
	// The configuration, a flag or an argument is wrong. `feed check`: the feed is not ready.
	exitConfig = 1
	// The command failed while it ran.
	exitRuntime = 2
)

// exitError is an error with the exit code it asks for.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func badConfig(err error) error { return &exitError{exitConfig, err} }

func main() {
	if err := newRoot().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		var e *exitError
		if errors.As(err, &e) {
			os.Exit(e.code)
		}
		os.Exit(exitRuntime)
	}
}

// newRoot returns the command tree.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "clearspan",
		Short: "TLS decryption appliance: cleartext for passive recorders",
		Long: `clearspan sits between clients and the Internet, terminates TLS and encrypts it
again, and shows every decrypted session as ordinary TCP: on a mirror port, in
pcapng files, over TCP or in VXLAN to a recorder.

Start at once, without root:   clearspan run
See it work on real traffic:   make demo, in the source tree (needs root)`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("clearspan {{.Version}}\n")
	root.AddCommand(runCommand(), checkCommand(), policyCommand(), caCommand(), wireCommand(), reloadCommand(), learnedCommand(), feedCommand(), versionCommand())
	root.AddCommand(movedCommands()...)
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), "clearspan", version) },
	}
}
