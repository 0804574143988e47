package config

import (
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Format returns a configuration file with its keys in the order of the reference, and
// two columns of indentation a level. Comments stay with the key below them, or with the
// line that they end. Tables in braces and values stay as they are written. The file must
// be one that [Parse] accepts. It returns an error if the file cannot be put in order
// without a change of what it says.
func Format(data []byte) (formatted []byte, err error) {
	root, _, err := parseTree(data)
	if err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil { // lines that are not as the tree says: styles that nobody writes
			formatted, err = nil, errStyle
		}
	}()
	text := strings.Split(strings.TrimRight(strings.TrimPrefix(string(data), "\ufeff"), " \t\r\n"), "\n")
	for i := range text {
		text[i] = strings.TrimRight(text[i], " \t\r")
	}
	f := &formatter{lines: text}
	lines := text
	if root.block() {
		lines = f.table(root, "", 0, len(text), 0)
	}
	out := []byte(strings.TrimSpace(strings.Join(once(lines), "\n")) + "\n")
	if !same(data, out) {
		return nil, errStyle
	}
	return out, nil
}

var errStyle = errors.New("the file cannot be put in order line by line: begin each key and each item on a line of its own")

// once drops blank lines that follow one.
func once(lines []string) []string {
	return slices.CompactFunc(slices.Clone(lines), func(a, b string) bool { return a == "" && b == "" })
}

// block reports whether n is a list or table with a line for each entry.
func (n *node) block() bool {
	return (n.kind() == dict || n.kind() == list) && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0
}

// formatter puts the lines of a file in order. Lines count from 0.
type formatter struct{ lines []string }

// entry is a key or an item, with the comments and blank lines above it.
type entry struct {
	order int
	lead  []string
	body  []string
}

// table returns the lines from first to end, which hold the block table n, with indent
// columns before its keys. path is that of the table, see [Keys].
func (f *formatter) table(n *node, path string, first, end, indent int) []string {
	pairs := n.pairs()
	starts := make([]int, len(pairs))
	for i, p := range pairs {
		starts[i] = p.line - 1
	}
	var entries []entry
	tail := f.cut(starts, pairs[0].col-1, first, end, func(i, lead, start, stop int) {
		p := &pairs[i]
		at, order := keyPath(path, p.key)
		e := entry{order: order, lead: indented(f.lines[lead:start], indent)}
		if !p.value.block() || p.value.Line-1 == start {
			e.body = shifted(f.lines[start:stop], indent-(p.col-1))
		} else {
			e.body = append(shifted(f.lines[start:start+1], indent-(p.col-1)), f.value(p.value, at, start+1, stop, indent+2)...)
		}
		entries = append(entries, e)
	})
	return append(joined(entries, first == 0), indented(f.lines[tail:end], indent)...)
}

// value returns the lines of a block table or list.
func (f *formatter) value(n *node, path string, first, end, indent int) []string {
	if n.kind() == dict {
		return f.table(n, path, first, end, indent)
	}
	return f.list(n, path+"[]", first, end, indent)
}

// list returns the lines of the block list n.
func (f *formatter) list(n *node, path string, first, end, indent int) []string {
	items := n.items()
	starts, dash := make([]int, len(items)), n.Column-1
	for i, item := range items {
		starts[i] = item.Line - 1
		for line := starts[i]; line > first && !strings.HasPrefix(cutTo(f.lines[line], dash), "-"); line-- {
			starts[i] = line - 1 // the dash stands above
		}
	}
	var entries []entry
	tail := f.cut(starts, dash, first, end, func(i, lead, start, stop int) {
		entries = append(entries, entry{order: i, lead: indented(f.lines[lead:start], indent), body: f.item(items[i], path, start, stop, dash, indent)})
	})
	return append(joined(entries, false), indented(f.lines[tail:end], indent)...)
}

// item returns the lines of an item, whose dash stands in column dash.
func (f *formatter) item(n *node, path string, start, stop, dash, indent int) []string {
	if !n.block() || n.kind() == list {
		return shifted(f.lines[start:stop], indent-dash)
	}
	// The table is put in order as if the dash were a blank.
	inner := &formatter{lines: slices.Clone(f.lines)}
	text := inner.lines[start]
	inner.lines[start] = strings.TrimRight(text[:dash]+" "+text[dash+1:], " ")
	lines := inner.table(n, path, start, stop, indent+2)
	first := slices.IndexFunc(lines, func(l string) bool { return l != "" && !strings.HasPrefix(strings.TrimSpace(l), "#") })
	out := shifted(lines[:first], -2) // comments above the first key stand above the dash
	lines[first] = strings.Repeat(" ", indent) + "- " + strings.TrimSpace(lines[first])
	return slices.DeleteFunc(append(out, lines[first:]...), func(l string) bool { return l == "" })
}

// cut finds where entries begin that start in these lines: with the comments above them
// that are not deeper than column. Such comments behind the last entry belong to none:
// cut returns where they begin.
func (f *formatter) cut(starts []int, column, first, end int, each func(i, lead, start, stop int)) (tail int) {
	lead := func(line, above int) int {
		for line > above && f.loose(line-1, column) {
			line--
		}
		return line
	}
	leads := []int{first}
	for i, start := range starts[1:] {
		leads = append(leads, lead(start, starts[i]+1))
	}
	tail = lead(end, starts[len(starts)-1]+1)
	leads = append(leads, tail)
	for i, start := range starts {
		each(i, leads[i], start, leads[i+1])
	}
	return tail
}

// loose reports whether a line is blank, or a comment that is not deeper than column.
func (f *formatter) loose(line, column int) bool {
	text := strings.TrimLeft(f.lines[line], " \t")
	return text == "" || text[0] == '#' && len(f.lines[line])-len(text) <= column
}

// joined returns the lines of entries in their order. The first comment of a file that a
// blank line ends stays at the top.
func joined(entries []entry, top bool) (lines []string) {
	if blank := slices.Index(entries[0].lead, ""); top && blank > 0 {
		lines, entries[0].lead = entries[0].lead[:blank+1], entries[0].lead[blank+1:]
	}
	spaced := top && len(entries) > 1 && slices.ContainsFunc(entries[1:], func(e entry) bool { return slices.Contains(e.lead, "") })
	before := entries[0].order
	slices.SortStableFunc(entries, func(a, b entry) int { return a.order - b.order })
	for i, e := range entries {
		if i > 0 && spaced && e.order == before && !slices.Contains(e.lead, "") {
			lines = append(lines, "") // it stood first
		}
		lines = append(append(lines, e.lead...), e.body...)
	}
	return lines
}

// indented returns comments with that indentation.
func indented(lines []string, indent int) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		if l = strings.TrimLeft(l, " \t"); l != "" {
			out[i] = strings.Repeat(" ", indent) + l
		}
	}
	return out
}

// shifted returns lines that are moved by some columns, at most to the left margin.
func shifted(lines []string, by int) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		switch blanks := len(l) - len(strings.TrimLeft(l, " ")); {
		case l == "":
		case by >= 0:
			out[i] = strings.Repeat(" ", by) + l
		default:
			out[i] = l[min(-by, blanks):]
		}
	}
	return out
}

// cutTo returns the line from a column on.
func cutTo(line string, column int) string { return line[min(column, len(line)):] }

// keyPath returns the path of a key in a table, and its place in the reference; a name of
// the operator's choice stays where it is.
func keyPath(table, key string) (path string, order int) {
	for i, k := range Keys() {
		if k.Table() != table {
			continue
		}
		if k.Name() == key {
			return k.Path, i
		}
		if k.Name() == "NAME" || k.Name() == "PORT" {
			return k.Path, i
		}
	}
	return table + "." + key, 0
}
