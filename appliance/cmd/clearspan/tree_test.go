package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// commandsOf lists the commands of the tree, cobra's own included, but those that
// moved away (moved.go).
func commandsOf(t *testing.T) (list []*cobra.Command) {
	t.Helper()
	walk(newRoot(), func(cmd *cobra.Command) {
		if !cmd.Hidden {
			list = append(list, cmd)
		}
	})
	if len(list) < 25 {
		t.Fatalf("found %d commands", len(list))
	}
	return list
}

// TestTexts: every command says what it does, and shows it. Its texts fit into 100
// columns; its flags have a text.
func TestTexts(t *testing.T) {
	for _, cmd := range commandsOf(t) {
		path := cmd.CommandPath()
		for what, text := range map[string]string{"Short": cmd.Short, "Long": cmd.Long, "Example": cmd.Example} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s has no %s", path, what)
			}
			if strings.Contains(text, "failed to") || strings.Contains(text, "\t") || strings.HasSuffix(text, "\n") {
				t.Errorf("%s: a \"failed to\", a tab or an empty last line in its %s", path, what)
			}
			for line := range strings.Lines(text) {
				if what == "Long" && len(line) > 100 {
					t.Errorf("%s: a line of %d octets in its Long: %s", path, len(line), line)
				}
			}
		}
		if strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: its Short is no sentence: %s", path, cmd.Short)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no text", path, f.Name)
			}
			if kind, _ := pflag.UnquoteUsage(f); kind != "duration" && f.Value.Type() != "bool" && kind == f.Value.Type() {
				t.Errorf("%s --%s: name its value in backquotes, %q says little", path, f.Name, kind)
			}
		})
	}
}

// inText is a command line in an example.
var inText = regexp.MustCompile(`\bclearspan( [^|&>()\n]*|$)`)

// TestExamples: the command lines of examples are understood.
func TestExamples(t *testing.T) {
	for _, cmd := range commandsOf(t) {
		found := 0
		for line := range strings.Lines(cmd.Example) {
			line, _, _ = strings.Cut(strings.ReplaceAll(line, `"Example CA"`, "Example-CA"), " # ")
			for _, m := range inText.FindAllStringSubmatch(line, -1) {
				found++
				root := newRoot()
				at, args, err := root.Find(strings.Fields(m[1]))
				if err == nil {
					err = at.ParseFlags(args)
				}
				if err == nil {
					err = at.ValidateArgs(at.Flags().Args())
				}
				if err != nil {
					t.Errorf("%s: example %q: %v", cmd.CommandPath(), strings.TrimSpace(line), err)
				}
			}
		}
		if found == 0 {
			t.Errorf("%s: no command line in its example", cmd.CommandPath())
		}
	}
}

// TestEveryCommandHasAScript: a script runs every command, holds its help, and has
// it refuse something.
func TestEveryCommandHasAScript(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(scripts, "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		script, _, _ := strings.Cut(string(text), "\n-- ")
		lines = append(lines, strings.Split(script, "\n")...)
	}
	// has looks for a line that matches, and is followed by one that does.
	has := func(pattern, follower string) bool {
		line, next := regexp.MustCompile(pattern), regexp.MustCompile(follower)
		for i := range lines[1:] {
			if line.MatchString(lines[i]) && next.MatchString(lines[i+1]) {
				return true
			}
		}
		return false
	}
	for _, cmd := range commandsOf(t) {
		path := regexp.QuoteMeta(cmd.CommandPath())
		if strings.HasSuffix(path, " trust") {
			path = `"\$\(/bin/cat program\)" ca trust` // its script has no PATH
		}
		if !has(path+` --help'?$`, `^cmp stdout \w+\.golden$`) {
			t.Errorf("no script compares what %s --help prints", cmd.CommandPath())
		}
		if !has(`^exits [12] .*`+path+`( |'|$)`, "") {
			t.Errorf("no script has %s end with an exit code other than 0", cmd.CommandPath())
		}
		if !has(`^(exec|exits 2) .*`+path+`( [^-]| -[^-]| --[^h]|'|$)`, "") {
			t.Errorf("no script runs %s", cmd.CommandPath())
		}
	}
}
