package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clearspan/clearspan/hack/reference"
)

// exitCodes returns the exit codes with their comments, in order.
func exitCodes(t *testing.T) (rows [][]string) {
	rows = [][]string{{reference.Code("0"), "The command succeeded."}}
	for _, c := range reference.Parse(t, "appliance/cmd/clearspan").Numbers(t, "exit(Config|Runtime|Restart)") {
		rows = append(rows, []string{reference.Code(c.Text), c.Meaning})
	}
	return rows
}

// flags returns a row for each flag that is not hidden.
func flags(set *pflag.FlagSet) (rows [][]string) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if value != "" {
			name += " " + value
		}
		def := f.DefValue
		if def == "false" || def == "[]" || def == "0s" || def == "0" {
			def = ""
		}
		if def != "" {
			def = reference.Code(def)
		}
		rows = append(rows, []string{reference.Code(name), def, usage})
	})
	return rows
}

// command adds a command and those below it.
func command(p *reference.Page, c *cobra.Command) {
	if !c.IsAvailableCommand() {
		return
	}
	p.Section(c.CommandPath())
	p.Text(strings.TrimSuffix(c.Short, ".") + ".")
	if c.Runnable() {
		p.Block("", c.UseLine())
	}
	if c.Long != "" { // as a terminal shows it
		p.Block("text", c.Long)
	}
	below := slices.DeleteFunc(slices.Clone(c.Commands()), func(c *cobra.Command) bool { return !c.IsAvailableCommand() })
	if len(below) > 0 {
		var items []string
		for _, b := range below {
			items = append(items, fmt.Sprintf("[%s](#%s)", b.CommandPath(), strings.ReplaceAll(b.CommandPath(), " ", "-")))
		}
		p.List(items...)
	}
	if rows := slices.Concat(flags(c.LocalFlags()), flags(c.InheritedFlags())); len(rows) > 0 {
		p.Table([]string{"flag", "default", "meaning"}, rows)
	}
	if c.Example != "" {
		p.Text("Examples:")
		p.Block("sh", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	for _, b := range below {
		command(p, b)
	}
}

func TestReferenceOfCommands(t *testing.T) {
	root := newRoot()
	p := reference.NewPage("Commands",
		"clearspan is one program with several commands. `clearspan COMMAND --help` prints the text of this page.")
	var items []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			items = append(items, fmt.Sprintf("[%s](#%s): %s", c.CommandPath(), strings.ReplaceAll(c.CommandPath(), " ", "-"), strings.TrimSuffix(c.Short, ".")+"."))
		}
	}
	p.List(items...)
	p.Section("Exit codes")
	p.Table([]string{"code", "meaning"}, exitCodes(t))
	for _, c := range root.Commands() {
		command(p, c)
	}
	p.Hold(t, "commands.md")
}
