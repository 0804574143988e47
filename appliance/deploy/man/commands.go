package man

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Commands returns a page for each command that help shows.
func Commands(root *cobra.Command, s Source) (list []Page) {
	list = append(list, Page{name(root), 1, command(root, s)})
	for _, c := range available(root) {
		list = append(list, Commands(c, s)...)
	}
	return list
}

// name is that of the command's page.
func name(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func available(c *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(c.Commands()), func(c *cobra.Command) bool { return !c.IsAvailableCommand() && c.Name() != "help" })
}

func command(c *cobra.Command, s Source) string {
	r := begin(s, name(c), 1, c.Short)
	r.heading("SYNOPSIS")
	if c.Runnable() {
		fmt.Fprintf(r, ".B %s\n", quote(literal(c.UseLine())))
	}
	r.heading("DESCRIPTION")
	r.lines(c.Long)
	below := available(c)
	if len(below) > 0 {
		r.heading("COMMANDS")
		for _, b := range below {
			r.item(b.Name(), b.Short+". See "+name(b)+"(1).")
		}
	}
	c.InitDefaultHelpFlag()
	r.flags("OPTIONS", c.LocalFlags())
	r.flags("OPTIONS OF ALL COMMANDS", c.InheritedFlags())
	if c.Example != "" {
		r.heading("EXAMPLES")
		r.lines(strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	r.heading("SEE ALSO")
	r.paragraph(strings.Join(related(c), ", "))
	return r.String()
}

// related are the pages beside that of a command.
func related(c *cobra.Command) (list []string) {
	if c.HasParent() {
		list = append(list, name(c.Parent())+"(1)")
		for _, b := range available(c.Parent()) {
			if b != c && c.Parent().HasParent() {
				list = append(list, name(b)+"(1)")
			}
		}
	}
	for _, b := range available(c) {
		list = append(list, name(b)+"(1)")
	}
	return append(list, "clearspan.yaml(5)")
}

func (r *roff) flags(title string, set *pflag.FlagSet) {
	if !set.HasAvailableFlags() {
		return
	}
	r.heading(title)
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		term := "--" + f.Name
		if f.Shorthand != "" {
			term = "-" + f.Shorthand + ", " + term
		}
		if value != "" {
			term += " " + value
		}
		meaning := []string{strings.ToUpper(usage[:1]) + usage[1:] + "."}
		if d := f.DefValue; !slices.Contains([]string{"", "false", "[]", "0s", "0"}, d) {
			meaning = append(meaning, "Default: `"+d+"`.")
		}
		r.item(term, meaning...)
	})
}
