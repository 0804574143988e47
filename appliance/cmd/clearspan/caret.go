package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"

	"github.com/clearspan/clearspan/appliance/config"
)

// faultWriter writes faults of files as lines FILE:LINE:COL: MESSAGE. On a terminal, the
// line of the file follows, and a mark below the column.
type faultWriter struct {
	w     io.Writer
	marks bool
	lines map[string][]string // of files, as far as they were needed
}

func newFaultWriter(w io.Writer) *faultWriter {
	return &faultWriter{w: w, marks: onTerminal(w), lines: make(map[string][]string)}
}

// onTerminal reports whether a person reads what is written to w.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// write writes a fault; kind stands before its message.
func (w *faultWriter) write(f fault, kind string) {
	if f.Line == 0 {
		fmt.Fprintf(w.w, "%s%s\n", kind, f.Message)
		return
	}
	fmt.Fprintf(w.w, "%s:%d:%d: %s%s\n", f.File, f.Line, f.Column, kind, f.Message)
	if w.marks {
		w.mark(f)
	}
}

// width is how much of a line is shown.
const width = 100

// mark writes the line of a fault, and a mark below the column.
func (w *faultWriter) mark(f fault) {
	line, ok := w.line(f.File, f.Line)
	if !ok {
		return
	}
	shown := make([]rune, 0, width)
	for _, c := range line {
		if c == '\t' || !unicode.IsPrint(c) {
			c = ' '
		}
		shown = append(shown, c)
	}
	column := min(f.Column, len(shown)+1) - 1
	from := max(0, column-width/2)
	shown = shown[from:min(len(shown), from+width)]
	number := fmt.Sprint(f.Line)
	fmt.Fprintf(w.w, "  %s | %s\n  %s | %s^\n", number, string(shown), strings.Repeat(" ", len(number)), strings.Repeat(" ", column-from))
}

// line returns a line of a file, which is read once.
func (w *faultWriter) line(file string, number int) (string, bool) {
	lines, known := w.lines[file]
	if !known {
		if f, err := os.Open(file); err == nil {
			defer f.Close()
			s := bufio.NewScanner(io.LimitReader(f, 16<<20))
			s.Buffer(nil, 16<<20)
			for s.Scan() {
				lines = append(lines, s.Text())
			}
		}
		w.lines[file] = lines
	}
	if number > len(lines) {
		return "", false
	}
	return lines[number-1], true
}

// say writes an error of a command on a terminal with marks, elsewhere as it is.
func say(w io.Writer, err error) {
	if err.Error() == "" {
		return
	}
	if _, placed := errors.AsType[config.Errors](err); !placed || !onTerminal(w) {
		fmt.Fprintln(w, err)
		return
	}
	r := &report{}
	r.add(err)
	faults := newFaultWriter(w)
	for _, f := range r.Errors {
		faults.write(f, "")
	}
}
