// Package reference writes the reference in appliance/docs/reference from the code, and
// holds the committed pages to it. Each page has a test, here or in the package that
// it describes. The test fails if the page differs from the code. With
// UPDATE_REFERENCE set, as by make docs, it writes the page instead.
package reference

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/prose"
)

const (
	folder   = "appliance/docs/reference"
	variable = "UPDATE_REFERENCE"

	lineWidth = 120 // of paragraphs, in characters
	maxCell   = 40  // words in a cell of a table
	maxWords  = 25  // words in a sentence
)

// Page builds a page in Markdown.
type Page struct{ b strings.Builder }

// NewPage returns a page with a title and paragraphs that introduce it.
func NewPage(title string, paragraphs ...string) *Page {
	p := &Page{}
	fmt.Fprintf(&p.b, "# %s\n\n<!-- Generated from the code by make docs. Do not edit. -->\n", title)
	for _, text := range paragraphs {
		p.Text(text)
	}
	return p
}

// Section begins a section.
func (p *Page) Section(title string) { fmt.Fprintf(&p.b, "\n## %s\n", title) }

// Subsection begins a section of a section.
func (p *Page) Subsection(title string) { fmt.Fprintf(&p.b, "\n### %s\n", title) }

// Text adds a paragraph.
func (p *Page) Text(text string) { fmt.Fprintf(&p.b, "\n%s\n", wrap(text)) }

// List adds a list.
func (p *Page) List(items ...string) {
	p.b.WriteByte('\n')
	for _, item := range items {
		p.b.WriteString("- " + strings.ReplaceAll(wrap(item), "\n", "\n  ") + "\n")
	}
}

// Block adds text that is shown as it is.
func (p *Page) Block(language, text string) {
	fmt.Fprintf(&p.b, "\n```%s\n%s\n```\n", language, strings.TrimRight(text, "\n"))
}

// Table adds a table. Columns without any content are left out.
func (p *Page) Table(header []string, rows [][]string) {
	used := make([]bool, len(header))
	for _, row := range rows {
		for i, cell := range row {
			used[i] = used[i] || cell != ""
		}
	}
	line := func(cells []string) {
		p.b.WriteByte('|')
		for i, cell := range cells {
			if used[i] {
				p.b.WriteString(" " + strings.ReplaceAll(cell, "|", `\|`) + " |")
			}
		}
		p.b.WriteByte('\n')
	}
	p.b.WriteByte('\n')
	line(header)
	rule := make([]string, len(header))
	for i := range rule {
		rule[i] = "---"
	}
	line(rule)
	for _, row := range rows {
		line(row)
	}
}

// Code returns text in the form of code.
func Code(text string) string { return "`" + text + "`" }

// Codes returns words in the form of code, as a list in a sentence: "`a`, `b`".
func Codes[T ~string](words []T) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = Code(string(w))
	}
	return strings.Join(list, ", ")
}

// wrap breaks a paragraph into lines.
func wrap(text string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case width+1+n > lineWidth:
			b.WriteByte('\n')
			width = 0
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += n
	}
	return b.String()
}

// Hold compares a page with the committed one, or writes it. The test fails if they
// differ, and if a sentence or a cell of a table is too long.
func (p *Page) Hold(t *testing.T, name string) {
	t.Helper()
	for _, fault := range faults(p.b.String()) {
		t.Errorf("%s: %s", name, fault)
	}
	HoldFile(t, name, []byte(p.b.String()))
}

// HoldFile is [Page.Hold] for other files of the reference.
func HoldFile(t *testing.T, name string, want []byte) {
	t.Helper()
	file := filepath.Join(Root(), folder, name)
	if os.Getenv(variable) != "" {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run make docs", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s/%s is not what the code says: run make docs\n%s", folder, name,
			cmp.Diff(strings.Split(string(got), "\n"), strings.Split(string(want), "\n")))
	}
}

// Root is the root of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// faults returns what breaks the house style: sentences and cells that are too long.
func faults(page string) (list []string) {
	for _, s := range prose.Sentences(page) {
		if s.Words > maxWords {
			list = append(list, fmt.Sprintf("%d words in %q", s.Words, s.Text))
		}
		if prose.ClauseSubject(s) {
			list = append(list, fmt.Sprintf("begins with a clause: %q", s.Text))
		}
	}
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		for cell := range strings.SplitSeq(strings.ReplaceAll(line, `\|`, " "), "|") {
			if n := len(strings.Fields(cell)); n > maxCell {
				list = append(list, fmt.Sprintf("%d words in a cell: %q", n, cell))
			}
		}
	}
	return list
}

// sentences cuts a text behind full stops, question marks and semicolons.
func sentences(text string) (list []string) {
	start := 0
	runes := []rune(text)
	for i, c := range runes {
		end := i == len(runes)-1
		if end || strings.ContainsRune(".?!", c) && unicode.IsSpace(runes[i+1]) {
			if s := strings.TrimSpace(string(runes[start : i+1])); s != "" {
				list = append(list, s)
			}
			start = i + 1
		}
	}
	return list
}

// The generated part of a page that is written by hand is between these lines.
const (
	partBegins = "<!-- Generated from the code by make docs: %s. -->\n"
	partEnds   = "<!-- End of the generated part. -->\n"
)

// HoldPart is [Page.Hold] for the part of a page that bears a name. The page, a path from
// [Root], is written by hand around it.
func (p *Page) HoldPart(t *testing.T, page, part string) {
	t.Helper()
	want := p.b.String()
	for _, fault := range faults(want) {
		t.Errorf("%s: %s", page, fault)
	}
	file := filepath.Join(Root(), page)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(text), fmt.Sprintf(partBegins, part))
	got, tail, ends := strings.Cut(rest, partEnds)
	switch {
	case !found || !ends:
		t.Fatalf("%s has no part for %s", page, part)
	case got == want:
	case os.Getenv(variable) != "":
		if err := os.WriteFile(file, []byte(head+fmt.Sprintf(partBegins, part)+want+partEnds+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the part of %s for %s is not what the code says: run make docs\n%s", page, part,
			cmp.Diff(strings.Split(got, "\n"), strings.Split(want, "\n")))
	}
}
