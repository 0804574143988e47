package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// exitMoved is the exit code of a command that is a program of its own now.
const exitMoved = 1

// movedCommands are hidden. They stay for one release, and say where each command
// went, whatever its flags.
func movedCommands() []*cobra.Command {
	var list []*cobra.Command
	for _, moved := range []struct{ name, to string }{
		{"demo", "in the source tree, run make demo or make demo-wire"},
		{"bench", "in the source tree, run make bench, or make build-bench and bin/clearspan-bench"},
	} {
		list = append(list, &cobra.Command{
			Use:                moved.name,
			Short:              "Moved: " + moved.to,
			Hidden:             true,
			DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return &exitError{exitMoved, fmt.Errorf("clearspan %s is a program of its own now: %s", moved.name, moved.to)}
			},
		})
	}
	return list
}
