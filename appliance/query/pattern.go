package query

import (
	"strings"
	"unicode/utf8"
)

// pattern is a text with `*` for any octets.
type pattern struct {
	parts  []string // between the `*`, in lower case
	inside bool     // the text is to be found anywhere
}

func newPattern(v value) pattern {
	text := strings.ToLower(v.text)
	if v.quoted {
		return pattern{parts: []string{text}}
	}
	return pattern{parts: strings.Split(text, "*")}
}

func matchAny(list []pattern, text string) bool {
	for i := range list {
		if list[i].match(text) {
			return true
		}
	}
	return false
}

// match compares without regard to case. It does not allocate, unless text has capital
// letters.
func (p *pattern) match(text string) bool {
	text = strings.ToLower(text)
	switch {
	case p.inside:
		return strings.Contains(text, p.parts[0])
	case len(p.parts) == 1:
		return text == p.parts[0]
	case len(p.parts) == 2 && p.parts[0] == "" && p.parts[1] == "":
		return text != ""
	}
	last := len(p.parts) - 1
	if !strings.HasPrefix(text, p.parts[0]) {
		return false
	}
	text = text[len(p.parts[0]):]
	for _, part := range p.parts[1:last] {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return strings.HasSuffix(text, p.parts[last])
}

// maxNear bounds how many words are offered for one that is not known.
const maxNear = 3

// nearest returns the words that differ least from word: by two edits at most, or none if
// they continue it.
func nearest(word string, words []string) []string {
	word = strings.ToLower(word)
	var list [3][]string
	for _, w := range words {
		d := distance(word, w)
		if len(word) > 1 && strings.HasPrefix(w, word) {
			d = 1
		}
		if d <= 2 && d < max(utf8.RuneCountInString(word), 2) {
			list[d] = append(list[d], w)
		}
	}
	for _, near := range list {
		if len(near) > 0 {
			return near[:min(len(near), maxNear)]
		}
	}
	return nil
}

// distance returns how many letters are to be changed, added, removed, or swapped with
// their neighbour, to make b of a; 3 for that and more.
func distance(a, b string) int {
	if len(a) > len(b)+2 || len(b) > len(a)+2 {
		return 3
	}
	x, y := []rune(a), []rune(b)
	var rows [3][]int
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
	}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := range x {
		before, above, row := rows[i%3], rows[(i+1)%3], rows[(i+2)%3]
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, above[j+1]+1, above[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return min(rows[(len(x)+1)%3][len(y)], 3)
}
