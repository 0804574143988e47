package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// table is rows of text. Cells are made visible, and cut where a line is too long.
type table struct {
	columns []column
	rows    [][]string
	width   int // of a line; 0: without bound
}

// column is one of a table.
type column struct {
	title string
	right bool // its cells stand at its right edge: numbers
	wide  int  // width that it has at least, so that lines that are shown later stand below
	least int  // width that it keeps where a line is too long; 0: it is not cut
}

// newTable returns a table for w: as wide as a terminal, or without bound. COLUMNS says
// otherwise.
func newTable(w io.Writer, columns ...column) *table {
	t := &table{columns: columns}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		t.width = n
	} else if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			t.width = n
		}
	}
	return t
}

func (t *table) row(cells ...string) {
	for i := range cells {
		cells[i] = visible(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// widths returns how wide the columns are. Those that may be cut give up what a line has
// too much, the last one first.
func (t *table) widths() []int {
	list, sum := make([]int, len(t.columns)), 2*(len(t.columns)-1)
	for i, c := range t.columns {
		list[i] = max(c.wide, utf8.RuneCountInString(c.title))
		for _, r := range t.rows {
			list[i] = max(list[i], utf8.RuneCountInString(r[i]))
		}
		sum += list[i]
	}
	for i := len(list) - 1; i >= 0 && t.width > 0 && sum > t.width; i-- {
		if least := t.columns[i].least; least > 0 && list[i] > least {
			cut := min(sum-t.width, list[i]-least)
			list[i], sum = list[i]-cut, sum-cut
		}
	}
	return list
}

// write writes the table, the titles first unless bare.
func (t *table) write(w io.Writer, bare bool) error {
	widths := t.widths()
	var b strings.Builder
	if !bare {
		titles := make([]string, len(t.columns))
		for i, c := range t.columns {
			titles[i] = c.title
		}
		t.line(&b, titles, widths)
	}
	for _, r := range t.rows {
		t.line(&b, r, widths)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// line adds a line without blanks at its end.
func (t *table) line(b *strings.Builder, cells []string, widths []int) {
	var line strings.Builder
	for i, text := range cells {
		if i > 0 {
			line.WriteString("  ")
		}
		n := utf8.RuneCountInString(text)
		if n > widths[i] {
			text, n = string([]rune(text)[:widths[i]-1])+"…", widths[i]
		}
		pad := strings.Repeat(" ", widths[i]-n)
		if t.columns[i].right {
			line.WriteString(pad + text)
		} else {
			line.WriteString(text + pad)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}
