package inspect

import (
	"bytes"
	"cmp"
	"slices"
)

const (
	maxPlaces = 100_000 // of the words of a class
	reach     = 900     // octets to each side in which a word says what a number is: 300 characters of Japanese
	maxLine   = 64 << 10
)

// block is how many octets are searched for words at once: the library hands out all matches
// as a list. Its leftmost-longest search misses words that others begin with, so the one for
// overlapping matches is used.
const block = 64 << 10

// words finds all words, in the order of their ends.
func (r *reading) words() {
	for done := 0; done < len(r.text); {
		from := max(done-r.x.longest+1, 0)
		to := min(done+block, len(r.text))
		for _, m := range r.x.automaton.FindAllOverlapping(r.text[from:to]) {
			if s := (span{from + m.Start, from + m.End}); s.to > done {
				r.word(m.PatternID, s)
			}
		}
		done = to
	}
}

// word notes a word.
func (r *reading) word(pattern int, s span) {
	for _, o := range r.x.owners[pattern] {
		if o.bounded && !r.apart(s) {
			continue
		}
		if o.dictionary != "" {
			r.found(o.dictionary, s, r.value(s), o.score)
		} else if len(r.near[o.class]) < maxPlaces {
			r.near[o.class] = append(r.near[o.class], s)
		}
	}
}

// apart reports whether no letter or digit of ASCII touches s.
func (r *reading) apart(s span) bool {
	return (s.from == 0 || !alphanumeric(r.text[s.from-1])) && (s.to == len(r.text) || !alphanumeric(r.text[s.to]))
}

func alphanumeric(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' }

// context says how a word of a class relates to what is at s.
type context uint8

const (
	nowhere context = iota
	nearby          // within reach
	heading         // of the column
)

// context returns the closest relation to a word of the classes.
func (r *reading) context(s span, list ...class) context {
	for _, c := range list {
		if r.headed(c, s) {
			return heading
		}
	}
	for _, c := range list {
		if r.within(c, s, reach) && (!r.cellAmid(s) || r.inLine(c, s)) {
			return nearby
		}
	}
	return nowhere
}

// cellAmid reports whether s is a cell of a row amid a table. What stands in other rows says
// nothing of it.
func (r *reading) cellAmid(s span) bool {
	l := r.line(s)
	front, behind := bytes.TrimRight(r.text[l.from:s.from], " \""), bytes.TrimLeft(r.text[s.to:max(l.to, s.to)], " \"\r")
	for kind := range delimiters {
		d := delimiters[kind]
		if r.row.all[kind] > 0 && (len(front) == 0 || front[len(front)-1] == d) && (len(behind) == 0 || behind[0] == d) {
			return r.amid(l.from, d, r.row.all[kind])
		}
	}
	return false
}

// inLine reports whether a word of a class is in the line of s.
func (r *reading) inLine(c class, s span) bool {
	l := r.line(s)
	low := r.behind(c, l.from)
	return low < len(r.near[c]) && r.near[c][low].from < l.to
}

// within reports whether a word of a class is so many octets from s.
func (r *reading) within(c class, s span, octets int) bool {
	list := r.near[c]
	if len(list) == 0 {
		return false
	}
	low := r.behind(c, s.from-octets)
	return low < len(list) && list[low].from <= s.to+octets
}

// steps is how far from the last one a word is looked for, before it is searched for.
const steps = 8

// behind returns the first word of a class that ends at an octet or behind it. Most questions
// go through the text from its beginning to its end.
func (r *reading) behind(c class, at int) int {
	list, low := r.near[c], r.last[c]
	for n := 0; n < steps; n++ {
		switch {
		case low > 0 && list[low-1].to >= at:
			low--
		case low < len(list) && list[low].to < at:
			low++
		default:
			r.last[c] = low
			return low
		}
	}
	low, _ = slices.BinarySearchFunc(list, at, func(w span, at int) int { return cmp.Compare(w.to, at) })
	r.last[c] = low
	return low
}

// lines finds the numbers of lines, in order of their places.
type lines struct{ at, number int }

// place returns where an octet is.
func (r *reading) place(at int) Place {
	if at < r.lines.at {
		r.lines = lines{}
	}
	r.lines.number += bytes.Count(r.text[r.lines.at:at], []byte{'\n'})
	r.lines.at = at
	p := Place{Line: r.lines.number + 1}
	count, _ := r.columns(span{at, at})
	if l := r.line(span{at, at}); count[0]+count[1] > 0 || bytes.IndexByte(r.text[at:max(at, l.to)], '\t') >= 0 {
		p.Column = max(count[0], count[1]) + 1
	}
	return p
}
