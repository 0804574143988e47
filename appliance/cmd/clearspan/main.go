// Command clearspan is the appliance and its tools.
package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	// The configuration, a flag or an argument is wrong. `feed check`: the feed is not ready.
	exitConfig = 1
	// The command failed while it ran. `feed check`: the capture or the command line could not be read.
	exitRuntime = 2
	// `reload`: done, but some changes need a restart.
	exitRestart = 3
)

// exitError is an error of a command that ran, with the exit code it asks for.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

// badConfig has err, unless it asks for another exit code, end the program with exitConfig.
func badConfig(err error) error {
	if e, ok := err.(*exitError); ok {
		return e
	}
	return &exitError{exitConfig, err}
}

func main() { os.Exit(execute()) }

// execute runs the command that the command line names, and returns the exit code.
func execute() int {
	cmd, err := newRoot().ExecuteC()
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		say(os.Stderr, err)
		return e.code
	}
	return refuse(os.Stderr, cmd, err)
}

// newRoot returns the command tree.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "clearspan",
		Short: "TLS decryption appliance: cleartext for passive recorders",
		Long: `clearspan sits between clients and the Internet, terminates TLS and encrypts it
again, and shows every decrypted session as ordinary TCP: on a mirror port, in
pcapng files, over TCP or in VXLAN to a recorder.

Exit status: 0 success, 1 bad configuration or command line, 2 failure at run time.

Start at once, without root:   clearspan run
See it work on real traffic:   make demo, in the source tree (needs root)`,
		Example: `  clearspan run
  clearspan check -c /etc/clearspan/clearspan.yaml
  clearspan run -c /etc/clearspan/clearspan.yaml`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("clearspan {{.Version}}\n")
	root.AddCommand(runCommand(), checkCommand(), policyCommand(), caCommand(), wireCommand(), intakeCommand(), reloadCommand(), upgradeCommand(), learnedCommand(), exceptionsCommand(), feedCommand(), recorderCommand(), versionCommand())
	root.AddCommand(statusCommand(), sessionsCommand(), topCommand(), mirrorsCommand(), servicesCommand(), alertsCommand(), supportCommand())
	root.AddCommand(configCommand())
	root.AddCommand(deployCommand())
	root.AddCommand(completionCommand(), roleCommand())
	root.AddCommand(movedCommands()...)
	prepare(root)
	return root
}
