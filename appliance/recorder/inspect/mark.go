package inspect

import (
	"bytes"
	"strings"
)

// firstPage is how far a mark counts wherever it stands, in octets.
const firstPage = 2000

const (
	firstLines = 5 // of a text: a header
	lastLines  = 3 // a footer
	repeated   = 3 // on so many pages, it is a header or footer wherever it stands
)

// marks judges marks of confidentiality: those on the first page, and those that have a line
// of their own, as headers and footers do.
func (r *reading) marks() {
	var alone []span // in English
	for _, s := range r.near[mark] {
		switch {
		case r.text[s.from] < 0x80 && r.joined(s):
		case !r.alone(s):
			if s.from < firstPage {
				r.found("label", s, r.value(s), 60)
			}
		case r.text[s.from] >= 0x80:
			r.found("label", s, r.value(s), 85)
		default:
			alone = append(alone, s)
		}
	}
	for _, s := range alone {
		edge := s.from < firstPage || few(r.text[s.to:], lastLines)
		if r.internal(s) { // programs and their manuals have such remarks
			edge = few(r.text[:s.from], firstLines)
		}
		score := 60
		if edge || len(alone) >= repeated {
			score = 85
		}
		r.found("label", s, r.value(s), score)
	}
}

// internal reports whether a mark is about internal use.
func (r *reading) internal(s span) bool { return bytes.HasPrefix(r.value(s), []byte("internal")) }

// joined reports whether a word of English is a part of a name, such as --confidential-nodes.
func (r *reading) joined(s span) bool {
	const signs = "-_/\\=.$@"
	if s.from > 0 && strings.IndexByte(signs, r.text[s.from-1]) >= 0 {
		return true
	}
	return s.to+1 < len(r.text) && strings.IndexByte(signs, r.text[s.to]) >= 0 && alphanumeric(r.text[s.to+1])
}

// untagged returns how many octets of a line are no tags of a markup language.
func untagged(line []byte) (n int) {
	for len(line) > 0 {
		from := bytes.IndexByte(line, '<')
		to := bytes.IndexByte(line, '>')
		if from < 0 || to < from {
			return n + len(line)
		}
		n += from
		line = line[to+1:]
	}
	return n
}

// few reports whether a text has less than n ends of lines, not counting empty lines.
func few(text []byte, n int) bool {
	for ; n > 0; n-- {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return true
		}
		text = bytes.TrimLeft(text[i:], " \t\r\n")
	}
	return len(text) == 0
}

// alone reports whether a mark has a line of its own. The words of English marks are words
// of sentences, too: theirs may not be the last line of a paragraph, nor a comment in a
// program.
func (r *reading) alone(s span) bool {
	l := r.line(s)
	text := bytes.TrimSpace(r.text[l.from:l.to])
	if untagged(text) > s.to-s.from+24 {
		return false
	}
	if r.text[s.from] >= 0x80 {
		return true
	}
	for _, comment := range []string{"//", "* ", "-- ", "# "} {
		if bytes.HasPrefix(text, []byte(comment)) && (comment != "# " || r.internal(s)) { // of Markdown, that is a heading
			return false
		}
	}
	before := r.text[:l.from]
	before = before[:max(len(before)-1, 0)] // the end of the line before
	i := bytes.LastIndexByte(before[max(len(before)-maxLine, 0):], '\n')
	return len(bytes.TrimSpace(before[max(len(before)-maxLine, 0)+i+1:])) == 0
}
