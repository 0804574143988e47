package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageExit is the annotation of a command whose exit code exitConfig says
// something else: a command line of its that cannot be understood ends with
// exitRuntime.
const usageExit = "exit code 2 for its command line"

// usageTemplate is cobra's, without a second usage line for commands of commands.
const usageTemplate = `Usage:
  {{.UseLine}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Available Commands:{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Global Flags:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

"{{.CommandPath}} COMMAND --help" tells more about a command.{{end}}
`

// refuse says what is wrong with the command line of cmd and how it is used. It
// returns the exit code.
func refuse(w io.Writer, cmd *cobra.Command, err error) int {
	fmt.Fprintf(w, "%s: %v%s\nUsage: %s\nHelp:  %s --help\n", cmd.CommandPath(), err, meantFlag(cmd, err), cmd.UseLine(), cmd.CommandPath())
	if _, ok := cmd.Annotations[usageExit]; ok {
		return exitRuntime
	}
	return exitConfig
}

// meantFlag asks whether a flag was meant that is near an unknown one.
func meantFlag(cmd *cobra.Command, err error) string {
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return ""
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return meant("--"+name, names)
}

// prepare completes a finished tree: every error of a command that ran is an
// *exitError, every other one is about the command line. Commands of commands
// refuse unknown ones.
func prepare(root *cobra.Command) {
	root.SetUsageTemplate(usageTemplate)
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			prepareHelp(root, cmd)
		}
	}
	walk(root, func(cmd *cobra.Command) {
		if !cmd.HasAvailableFlags() && !cmd.HasAvailableInheritedFlags() {
			cmd.DisableFlagsInUseLine = true
		}
		if cmd.HasSubCommands() && cmd.RunE == nil {
			cmd.Use += " COMMAND"
			cmd.DisableFlagsInUseLine = true
			cmd.Args = knownCommand
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
		run := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			if _, ok := errors.AsType[*exitError](err); err == nil || ok {
				return err
			}
			return &exitError{exitRuntime, err}
		}
	})
}

// walk calls f for cmd and every command below it.
func walk(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, c := range cmd.Commands() {
		walk(c, f)
	}
}

// prepareHelp has cobra's help command refuse what is no command.
func prepareHelp(root, help *cobra.Command) {
	help.Use = "help [COMMAND...]"
	help.Short = "Show the help of a command"
	help.Long = `Show the help of a command, as its flag --help does.`
	help.Example = "  clearspan help ca rotate"
	help.Run = nil
	help.Args = func(_ *cobra.Command, args []string) error {
		at, rest, err := root.Find(args)
		if err != nil {
			return err
		}
		return knownCommand(at, rest)
	}
	help.RunE = func(_ *cobra.Command, args []string) error {
		cmd, _, err := root.Find(args)
		if err != nil {
			return err
		}
		cmd.InitDefaultHelpFlag()
		cmd.InitDefaultVersionFlag()
		return cmd.Help()
	}
}

// knownCommand refuses arguments: those of a command of commands are the names of
// commands that it does not have.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q, did you mean %q?", args[0], near[0])
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// takes accepts exactly the arguments of these names.
func takes(names ...string) cobra.PositionalArgs {
	return takesUpTo(len(names), names...)
}

// takesUpTo accepts arguments of these names, of which the first required must be
// there.
func takesUpTo(required int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > len(names) && isConfig(cmd, args[len(names)]):
			return fmt.Errorf("unexpected argument %q, did you mean \"-c %[1]s\"?", args[len(names)])
		case len(args) < required:
			return fmt.Errorf("requires %s", strings.Join(names[len(args):required], " "))
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// isConfig reports whether an argument is a file that was meant for -c.
func isConfig(cmd *cobra.Command, arg string) bool {
	ext := filepath.Ext(arg)
	return cmd.Flags().Lookup("config") != nil && !cmd.Flags().Changed("config") && (ext == ".yaml" || ext == ".yml")
}

// takesSome accepts one argument or more; what says which.
func takesSome(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("requires at least 1 argument: %s", what)
		}
		return nil
	}
}

// requiresConfig refuses a command line without -c.
func requiresConfig(cmd *cobra.Command, _ []string) error {
	if !cmd.Flags().Changed("config") {
		return errors.New("requires -c FILE, the configuration file")
	}
	return nil
}

// excludes refuses the flag first beside any of the others.
func excludes(first string, others ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed(first) {
			return nil
		}
		i := slices.IndexFunc(others, cmd.Flags().Changed)
		if i >= 0 {
			return fmt.Errorf("--%s and --%s exclude each other", first, others[i])
		}
		return nil
	}
}
