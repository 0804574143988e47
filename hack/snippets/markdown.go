// Package snippets holds the examples in appliance/docs to what they say: the
// tests run the commands and read the configurations that the pages show.
//
// A comment in front of a block names the recorder, or other program, that the
// tests run it with, and the file that it belongs into if it is no transcript:
//
//	<!-- test: suricata file=clearspan-suricata.yaml -->
//
// In a transcript (```console) a line that begins with "$ " is a command, and what
// follows up to the next one is what it prints; "..." stands for any lines. A
// command without such lines may print anything.
package snippets

import (
	"regexp"
	"strings"
)

// Block is a code block of a page.
type Block struct {
	Line     int    // of its first line of code, from 1
	Language string // behind the fence
	Text     string
	Test     string // name in the comment before it; "": none
	File     string // file in that comment; "": none
}

var marker = regexp.MustCompile(`^<!-- test: ([a-z0-9-]+)(?: file=([A-Za-z0-9._-]+))? -->$`)

// Blocks returns the code blocks of a Markdown page.
func Blocks(markdown string) (list []Block) {
	var open *Block
	var text []string
	var test, file string
	for i, line := range strings.Split(markdown, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case open != nil && trimmed == "```":
			open.Text = strings.Join(text, "\n") + "\n"
			list = append(list, *open)
			open, text = nil, nil
		case open != nil:
			text = append(text, line)
		case strings.HasPrefix(trimmed, "```"):
			open = &Block{Line: i + 2, Language: strings.TrimPrefix(trimmed, "```"), Test: test, File: file}
			test, file = "", ""
		default:
			test, file = "", ""
			if m := marker.FindStringSubmatch(trimmed); m != nil {
				test, file = m[1], m[2]
			}
		}
	}
	return list
}

// Command is a command of a transcript and what it prints.
type Command struct {
	Line   string
	Output []string
}

// Commands takes a transcript apart. Commands go on in the next line behind a
// backslash.
func Commands(transcript string) (list []Command) {
	more := false
	for line := range strings.SplitSeq(strings.TrimSuffix(transcript, "\n"), "\n") {
		command, begins := strings.CutPrefix(line, "$ ")
		switch {
		case more:
			last := &list[len(list)-1]
			last.Line += "\n" + line
			more = strings.HasSuffix(line, `\`)
		case begins:
			list = append(list, Command{Line: command})
			more = strings.HasSuffix(line, `\`)
		case len(list) > 0:
			last := &list[len(list)-1]
			last.Output = append(last.Output, line)
		}
	}
	return list
}

// Prints reports whether output is what a transcript shows: the same lines, apart
// from blanks at their ends, and any lines in place of "...".
func Prints(want []string, output string) bool {
	return matches(trimmed(want), trimmed(strings.Split(strings.TrimRight(output, "\n"), "\n")))
}

func trimmed(lines []string) (out []string) {
	for _, l := range lines {
		out = append(out, strings.TrimRight(l, " \t"))
	}
	return out
}

func matches(want, got []string) bool {
	switch {
	case len(want) == 0:
		return len(got) == 0
	case want[0] == "...":
		for i := range len(got) + 1 {
			if matches(want[1:], got[i:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && want[0] == got[0] && matches(want[1:], got[1:])
}
