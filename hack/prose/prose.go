// Package prose measures what people read in the project's Markdown: how long
// sentences are, and how they begin. It knows enough Markdown for the project's
// own documents: headings, lists, tables, quotes, code, links.
package prose

import (
	"regexp"
	"strings"
)

// Sentence is one sentence of a document.
type Sentence struct {
	Line  int    // where its paragraph, list item or table row begins, from 1
	Words int    // a code span or a link counts as its words
	Text  string // without markup
	Cell  bool   // it stands in a table
}

var (
	codeSpan  = regexp.MustCompile("`[^`]*`")
	image     = regexp.MustCompile(`!\[[^\]]*\]\([^)]*\)`)
	link      = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	reference = regexp.MustCompile(`^\[[^\]]+\]:\s`)
	listItem  = regexp.MustCompile(`^\s*([-*+]|\d+[.)])\s+`)
	tableRule = regexp.MustCompile(`^[\s|:-]+$`)
	comment   = regexp.MustCompile(`(?s)<!--.*?-->`)
	tag       = regexp.MustCompile(`</?[a-zA-Z][^>]*>`)
	// A sentence ends with its mark, a bracket or quote that closes there, and
	// white space before something that can begin the next one.
	ending = regexp.MustCompile(`[.!?]["')\]*_”]*\s+(?:["'(\[*_“]*(?:[A-Z0-9§‹]|clearspan\b))`)
	// These marks end no sentence.
	abbreviation = regexp.MustCompile(`(?:^|\W)(?:e\.g|i\.e|cf|vs|No|Sec|Fig|approx|etc)\.$`)
)

// Sentences takes a Markdown document apart. Headings, code blocks and HTML
// comments are left out.
func Sentences(markdown string) (list []Sentence) {
	// Comments go, their lines stay.
	markdown = comment.ReplaceAllStringFunc(markdown, func(s string) string {
		return strings.Repeat("\n", strings.Count(s, "\n"))
	})
	var (
		paragraph []string
		begin     int
		fence     string
	)
	flush := func() {
		if len(paragraph) > 0 {
			list = append(list, split(strings.Join(paragraph, " "), begin, false)...)
		}
		paragraph = nil
	}
	add := func(line int, s string) {
		if len(paragraph) == 0 {
			begin = line
		}
		paragraph = append(paragraph, strings.TrimSpace(s))
	}
	for i, line := range strings.Split(markdown, "\n") {
		n, trimmed := i+1, strings.TrimSpace(line)
		if fence != "" {
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
			}
			continue
		}
		trimmed = strings.TrimSpace(strings.TrimLeft(trimmed, ">"))
		switch {
		case strings.HasPrefix(trimmed, "```"), strings.HasPrefix(trimmed, "~~~"):
			flush()
			fence = trimmed[:3]
		case trimmed == "", strings.HasPrefix(trimmed, "#"), reference.MatchString(trimmed):
			flush()
		case strings.HasPrefix(trimmed, "|"):
			flush()
			if tableRule.MatchString(trimmed) {
				continue
			}
			for cell := range strings.SplitSeq(strings.ReplaceAll(trimmed, `\|`, "/"), "|") {
				list = append(list, split(cell, n, true)...)
			}
		case listItem.MatchString(line):
			flush()
			add(n, listItem.ReplaceAllString(line, ""))
		default:
			add(n, trimmed)
		}
	}
	flush()
	return list
}

// split cuts plain text into sentences.
func split(text string, line int, cell bool) (list []Sentence) {
	text = codeSpan.ReplaceAllStringFunc(text, func(s string) string {
		// The words of a command count; its marks must not end the sentence.
		// A span may begin a sentence.
		return "‹" + strings.NewReplacer(".", "·", "!", "·", "?", "·").Replace(strings.Trim(s, "`"))
	})
	text = tag.ReplaceAllString(link.ReplaceAllString(image.ReplaceAllString(text, ""), "$1"), "")
	text = strings.Join(strings.Fields(text), " ")
	add := func(s string) {
		s = strings.TrimSpace(strings.ReplaceAll(s, "‹", ""))
		if n := words(s); n > 0 {
			list = append(list, Sentence{line, n, s, cell})
		}
	}
	from, start := 0, 0
	for {
		at := ending.FindStringIndex(text[start:])
		if at == nil {
			break
		}
		mark := start + at[0] + 1
		start = mark
		if abbreviation.MatchString(text[from:mark]) {
			continue
		}
		// Quotes and brackets after the mark belong to the sentence.
		cut := mark + strings.IndexByte(text[mark:], ' ')
		add(text[from:cut])
		from, start = cut, cut
	}
	add(text[from:])
	return list
}

// words counts what has a letter or a digit in it.
func words(s string) (n int) {
	for w := range strings.FieldsSeq(s) {
		if strings.ContainsFunc(w, func(r rune) bool {
			return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 0x7f && r != '·' && r != '–' && r != '—' && r != '→'
		}) {
			n++
		}
	}
	return n
}

// Mean returns the mean number of words in sentences outside tables; 0 without
// one.
func Mean(list []Sentence) float64 {
	var sum, n int
	for _, s := range list {
		if !s.Cell {
			sum += s.Words
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n)
}

// A clause in place of a noun: "What users see is ...", "Who asks is ...".
var clause = regexp.MustCompile(`^["'(*_]*(Who|Whoever|What|Whatever|Whose|None|That which|So)\s`)

// ClauseSubject reports whether a statement begins with a clause where its
// subject should stand. Questions may.
func ClauseSubject(s Sentence) bool {
	return clause.MatchString(s.Text) && !strings.HasSuffix(strings.TrimRight(s.Text, `"'*_)`), "?")
}
