package docs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBlocks(t *testing.T) {
	page := "Text.\n<!-- test: tshark -->\n```console\n$ a\nb\n```\n\n<!-- test: x file=y.conf -->\n```\nc\n\nd\n```\n<!-- test: lost -->\nText.\n```yaml\ne: 1\n```\n"
	want := []Block{
		{Line: 3, Language: "console", Text: "$ a\nb\n", Test: "tshark"},
		{Line: 9, Text: "c\n\nd\n", Test: "x", File: "y.conf"},
		{Line: 16, Language: "yaml", Text: "e: 1\n"},
	}
	if diff := cmp.Diff(want, Parse("page", page).Blocks); diff != "" {
		t.Error(diff)
	}
}

func TestCommands(t *testing.T) {
	want := []Command{{Line: "a \\\n  b", Output: []string{"c", "..."}}, {Line: "d"}}
	if diff := cmp.Diff(want, Commands("$ a \\\n  b\nc\n...\n$ d\n")); diff != "" {
		t.Error(diff)
	}
}

func TestPrints(t *testing.T) {
	for _, tt := range []struct {
		name string
		want []string
		got  string
		ok   bool
	}{
		{"same", []string{"a", "b"}, "a\nb\n", true},
		{"blanks at an end", []string{"a"}, "a \t\n", true},
		{"missing", []string{"a", "b"}, "a\n", false},
		{"more", []string{"a"}, "a\nb\n", false},
		{"any lines", []string{"a", "...", "d"}, "a\nb\nc\nd\n", true},
		{"no lines", []string{"a", "...", "d"}, "a\nd\n", true},
		{"another end", []string{"a", "...", "d"}, "a\nb\n", false},
	} {
		if got := Prints(tt.want, tt.got); got != tt.ok {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.ok)
		}
	}
}
