package inspect

import (
	"bytes"
	"fmt"
	"math/bits"
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

// kind is what finds data about people. Each goes through the text once, from its beginning to
// its end.
type kind uint8

const (
	names kind = iota
	places
	postalCodes
	phones
	mails
	births
	japaneseBirths

	kinds
)

// data are what the kinds find.
var data = [kinds]has{hasName, hasAddress, hasAddress, hasPhone, hasEmail, hasBirth, hasBirth}

// maxData bounds the data of a kind that are looked at for people, and maxKept what a reading
// keeps for the next text.
const (
	maxData = 1_000_000
	maxKept = 64 << 10
)

// about notes that there is data of a kind about a person.
func (r *reading) about(s span, k kind) {
	if len(r.people[k]) < maxData {
		r.people[k] = append(r.people[k], s.from)
	}
}

// person is the row of a text that is looked at.
type person struct {
	span
	has has
}

// personRows calls f with each line that has data about a person, in order.
func (r *reading) personRows(f func(person)) {
	var next [kinds]int
	row := person{span: span{0, -1}}
	for {
		at, which := len(r.text)+1, kinds
		for k := range kinds {
			if list := r.people[k]; next[k] < len(list) && list[next[k]] < at {
				at, which = list[next[k]], k
			}
		}
		if row.has != 0 && (which == kinds || at > row.to || at == row.to && r.cut(at)) {
			f(row)
			row.has = 0
		}
		if which == kinds {
			return
		}
		if row.has == 0 {
			row.span = r.line(span{at, at})
		}
		row.has |= data[which]
		next[which]++
	}
}

// countPeople counts the rows with at least two kinds of data about a person.
func (r *reading) countPeople() {
	for _, s := range r.near[surname] {
		if r.named(s) {
			r.about(s, names)
		}
	}
	count, first := 0, -1
	r.personRows(func(row person) {
		if row.has&hasName == 0 && r.nameColumn(row.from) {
			row.has |= hasName
		}
		if bits.OnesCount8(uint8(row.has)) < 2 {
			return
		}
		if count++; first < 0 {
			first = row.from
		}
	})
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
