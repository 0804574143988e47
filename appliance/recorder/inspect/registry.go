package inspect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// Registry has data that must not leave: cells of tables, and passages of documents. It has
// their hashes only, made with a salt. It is filled before it is used, and does not change
// then.
type Registry struct {
	salt      []byte
	cells     map[uint64]string // the name of the table
	documents map[uint64]string // the name of the document
}

const (
	maxCell = 200 // octets of a cell
	grain   = 40  // characters of a passage whose hash is one fingerprint
	window  = 50  // passages of which one fingerprint is kept
	least   = 2   // fingerprints of a document that make a finding
)

// NewRegistry returns an empty registry.
func NewRegistry(salt []byte) *Registry {
	return &Registry{salt: salt, cells: make(map[uint64]string), documents: make(map[uint64]string)}
}

// AddCell registers the value of a cell. Values of less than 4 characters are passed over:
// they would be found everywhere.
func (g *Registry) AddCell(table, value string) {
	if n := normal(value); utf8.RuneCountInString(n) >= 4 && len(n) <= maxCell {
		g.cells[g.hash(n)] = table
	}
}

// AddDocument registers a text: a passage of 200 characters of it is found.
func (g *Registry) AddDocument(name string, text []byte) {
	g.fingerprints(fold(nil, text), func(h uint64, _ int) { g.documents[h] = name })
}

// normal takes away what differs between two writings of a value.
func normal(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-', '"', '\'':
			return -1
		}
		return r
	}, strings.TrimSpace(string(fold(nil, []byte(s)))))
}

func (g *Registry) hash(s string) uint64 {
	h := hmac.New(sha256.New, g.salt)
	h.Write([]byte(s))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// find notes registered cells and documents.
func (g *Registry) find(r *reading) {
	if len(g.cells) > 0 {
		g.findCells(r)
	}
	if len(g.documents) == 0 {
		return
	}
	hits := make(map[string]int)
	first := make(map[string]int)
	g.fingerprints(r.text, func(h uint64, at int) {
		if name, ok := g.documents[h]; ok {
			if hits[name]++; hits[name] == 1 {
				first[name] = at
			}
		}
	})
	for name, n := range hits {
		if n >= least {
			r.found(registeredDocument, span{first[name], first[name]}, []byte(name), 90)
		}
	}
}

// findCells looks at each cell, and at each word: what is between delimiters, and ends of
// lines, with blanks among them or not.
func (g *Registry) findCells(r *reading) {
	g.findBetween(r, delimiters+"\n")
	g.findBetween(r, delimiters+"\n ")
}

func (g *Registry) findBetween(r *reading, ends string) {
	from := 0
	for at := 0; at <= len(r.text); at++ {
		if at < len(r.text) && strings.IndexByte(ends, r.text[at]) < 0 {
			continue
		}
		if s := (span{from, at}); at-from <= maxCell && at-from >= 4 {
			if n := normal(string(r.value(s))); utf8.RuneCountInString(n) >= 4 {
				if _, ok := g.cells[g.hash(n)]; ok {
					r.found(registeredData, s, r.value(s), 90)
				}
			}
		}
		from = at + 1
	}
}

// fingerprints calls f with the fingerprints of a text by winnowing (Schleimer and others,
// 2003): of each window of passages, the one with the least hash. White space does not count.
func (g *Registry) fingerprints(text []byte, f func(hash uint64, at int)) {
	const base = 1_000_003
	power := uint64(1)
	for range grain {
		power *= base
	}
	var passage [grain]uint64 // the characters of a passage, as a ring
	var hashes [window]uint64
	var places [window]int
	rolling, n, kept := uint64(0), 0, -1
	seed := g.hash("document")
	for at := 0; at < len(text); {
		c, size := utf8.DecodeRune(text[at:])
		place := at
		at += size
		if c <= ' ' {
			continue
		}
		slot := n % grain
		rolling = rolling*base + uint64(c) - passage[slot]*power
		passage[slot] = uint64(c)
		n++
		if n < grain {
			continue
		}
		i := n - grain
		hashes[i%window], places[i%window] = mix(rolling^seed), place
		if i < window-1 {
			continue
		}
		low := i
		for j := max(i-window+1, 0); j <= i; j++ {
			if hashes[j%window] <= hashes[low%window] {
				low = j
			}
		}
		if low != kept {
			kept = low
			f(hashes[low%window], places[low%window])
		}
	}
}

// mix spreads the bits of a hash.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
