package docs

import "strings"

// In a transcript (```console) a line that begins with "$ " is a command, and what
// follows up to the next one is what it prints; "..." stands for any lines.

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
