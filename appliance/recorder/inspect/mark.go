package inspect

import "bytes"

// firstPage is how far a mark counts wherever it stands, in octets.
const firstPage = 2000

// marks judges marks of confidentiality: those on the first page, and those that have a line
// of their own, as headers and footers do.
func (r *reading) marks() {
	for _, s := range r.near[mark] {
		switch {
		case r.alone(s):
			r.found("label", s, r.value(s), 85)
		case s.from < firstPage:
			r.found("label", s, r.value(s), 60)
		}
	}
}

// alone reports whether a mark has a line of its own. The words of English marks are words
// of sentences, too: theirs may not be the last line of a paragraph, nor a comment in a
// program.
func (r *reading) alone(s span) bool {
	l := r.line(s)
	text := bytes.TrimSpace(r.text[l.from:l.to])
	if len(text) > s.to-s.from+24 {
		return false
	}
	if r.text[s.from] >= 0x80 {
		return true
	}
	for _, comment := range []string{"//", "* ", "-- "} {
		if bytes.HasPrefix(text, []byte(comment)) {
			return false
		}
	}
	before := r.text[:l.from]
	before = before[:max(len(before)-1, 0)] // the end of the line before
	i := bytes.LastIndexByte(before[max(len(before)-maxLine, 0):], '\n')
	return len(bytes.TrimSpace(before[max(len(before)-maxLine, 0)+i+1:])) == 0
}
