package config

import (
	"fmt"
	"slices"
	"strings"
)

// maxErrors bounds the errors that one file yields.
const maxErrors = 100

// Error is one fault in a configuration file.
type Error struct {
	File    string
	Line    int // from 1
	Col     int // from 1, in characters
	Message string
}

// Error returns "FILE:LINE:COL: message", on one line.
func (e Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Message)
}

// Errors are all faults found in a file, ordered by place, at most 100.
type Errors []Error

// Error returns one fault a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// place is where a value or key stands; both numbers count from 1.
type place struct{ line, col int }

// top is where faults of the file as a whole are reported.
var top = place{1, 1}

func (p place) compare(q place) int {
	if p.line != q.line {
		return p.line - q.line
	}
	return p.col - q.col
}

// sorted returns e in the order of the file. Faults at one place keep the order
// in which they were found.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b Error) int {
		return place{a.Line, a.Col}.compare(place{b.Line, b.Col})
	})
	if len(e) > maxErrors {
		e = e[:maxErrors]
	}
	return e
}
