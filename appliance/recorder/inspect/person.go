package inspect

import (
	"bytes"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// has are the kinds of data about a person in a row.
type has uint8

const (
	hasName has = 1 << iota
	hasAddress
	hasPhone
	hasEmail
	hasBirth
)

// maxRows bounds the rows that are looked at for people.
const maxRows = 2_000_000

// rowHas notes that the line of s has a kind of data.
func (r *reading) rowHas(s span, h has) {
	line := r.line(s).from
	if r.rows.people == nil {
		r.rows.people = make(map[int]has)
	}
	if _, there := r.rows.people[line]; there || len(r.rows.people) < maxRows {
		r.rows.people[line] |= h
	}
}

// people counts the rows with at least two kinds of data about a person.
func (r *reading) people() {
	for _, s := range r.near[surname] {
		if r.named(s) {
			r.rowHas(s, hasName)
		}
	}
	count, first := 0, -1
	for _, line := range slices.Sorted(maps.Keys(r.rows.people)) {
		h := r.rows.people[line]
		if h&hasName == 0 && r.nameColumn(line) {
			h |= hasName
		}
		if bits.OnesCount8(uint8(h)) >= 2 {
			count++
			if first < 0 {
				first = line
			}
		}
	}
	if count == 0 {
		return
	}
	score := 60
	for n := 1; n <= 1000 && count >= n; n *= 10 {
		score += 10
	}
	t := &tally{Finding: Finding{Detector: "person", Count: count, Score: score, Sample: fmt.Sprintf("%d people", count)}, at: first}
	r.tallies["person"] = t
	r.order = append(r.order, t)
}

// named reports whether a surname has a given name behind it: one to four characters of
// Japanese, and then something else.
func (r *reading) named(s span) bool {
	if s.from > 0 && r.text[s.from-1] >= 0x80 && !bytes.HasSuffix(r.text[:s.from], []byte("：")) {
		return false // it is part of a longer word
	}
	at := s.to
	if at < len(r.text) && r.text[at] == ' ' {
		at++
	}
	n := 0
	for ; at < len(r.text) && n < 6; n++ {
		c, size := utf8.DecodeRune(r.text[at:])
		if !(0x4e00 <= c && c <= 0x9fff || 0x3041 <= c && c <= 0x30fe || c == '々') {
			break
		}
		at += size
	}
	return 1 <= n && n <= 4
}

// nameColumn reports whether the row that begins at an octet has a name in a column of names.
func (r *reading) nameColumn(line int) bool {
	r.headed(nameWord, span{line, line})
	for _, h := range r.rows.heads[nameWord] {
		if h.line >= line {
			continue
		}
		row := r.line(span{line, line})
		if !h.heads(r.row.all) {
			continue
		}
		cell := r.text[row.from:row.to]
		for range h.index {
			cell = cell[bytes.IndexByte(cell, delimiters[h.kind])+1:]
		}
		if i := bytes.IndexByte(cell, delimiters[h.kind]); i >= 0 {
			cell = cell[:i]
		}
		if len(bytes.TrimSpace(cell)) >= 2 {
			return true
		}
	}
	return false
}
