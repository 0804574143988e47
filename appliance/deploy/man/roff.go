// Package man writes manual pages: of every command from its help, and of the
// configuration file from the descriptions of its keys. It writes the macros of man(7).
package man

import (
	"fmt"
	"strings"
	"time"
)

// Source is what the foot of pages names.
type Source struct {
	Version string
	Date    time.Time
}

// Page is a manual page.
type Page struct {
	Name    string // "clearspan-run"
	Section int
	Text    string
}

// File is the name of the page's file, such as "clearspan-run.1".
func (p *Page) File() string { return fmt.Sprintf("%s.%d", p.Name, p.Section) }

// roff collects a page.
type roff struct {
	strings.Builder
	begun bool // a section has a first paragraph
}

// begin writes the title and the section NAME.
func begin(s Source, name string, section int, short string) *roff {
	r := &roff{}
	fmt.Fprintf(r, ".TH %s %d %s \"clearspan %s\" \"clearspan\"\n.nh\n.ad l\n", quote(strings.ToUpper(name)), section, s.Date.UTC().Format(time.DateOnly), s.Version)
	r.heading("NAME")
	fmt.Fprintf(r, "%s \\- %s\n", literal(name), escape(short))
	return r
}

func (r *roff) heading(title string) {
	fmt.Fprintf(r, ".SH %s\n", quote(title))
	r.begun = false
}

// pause parts a paragraph from the one before.
func (r *roff) pause() {
	if r.begun {
		r.WriteString(".PP\n")
	}
	r.begun = true
}

// paragraph writes prose in which code stands in backquotes.
func (r *roff) paragraph(text string) {
	r.pause()
	r.WriteString(prose(text) + "\n")
}

// item writes a term and what it means.
func (r *roff) item(term string, meaning ...string) {
	r.begun = true
	fmt.Fprintf(r, ".TP\n.B %s\n", quote(literal(term)))
	for i, m := range meaning {
		if i > 0 {
			r.WriteString(".br\n")
		}
		r.WriteString(prose(m) + "\n")
	}
}

// lines writes text as it stands.
func (r *roff) lines(text string) {
	r.pause()
	r.WriteString(".nf\n")
	for line := range strings.Lines(text) {
		r.WriteString(protect(literal(strings.TrimRight(line, "\n"))) + "\n")
	}
	r.WriteString(".fi\n")
}

// prose is text with its code in bold.
func prose(text string) string {
	var b strings.Builder
	for i, part := range strings.Split(strings.Join(strings.Fields(text), " "), "`") {
		if i%2 == 1 {
			b.WriteString(`\fB` + literal(part) + `\fP`)
		} else {
			b.WriteString(escape(part))
		}
	}
	return protect(b.String())
}

// escape writes text whose hyphens are hyphens.
func escape(text string) string { return strings.ReplaceAll(text, `\`, `\e`) }

// literal writes text that is pasted: its hyphens are minus signs, and what typesetters
// make nicer stays as it is.
func literal(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
}

// protect keeps a line from being taken for a request.
func protect(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}

// quote makes one argument of a request.
func quote(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\(dq`) + `"` }
