package inspect

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"unicode/utf8"
)

// Registry has data that must not leave: cells of tables, and passages of documents. It has
// their hashes only, made with a salt. It is filled before it is used, and does not change
// then.
type Registry struct {
	key       sipKey
	names     []string
	cells     hashes
	passages  hashes
	pairs     bits16 // first and last octets of cells
	shapes    bits16 // of cells, see shape
	documents []document
}

// document is one that is registered.
type document struct {
	name  uint16
	title string
}

const (
	maxCell      = 200 // octets of a cell
	leastCell    = 4   // characters of a cell
	maxCells     = 10_000_000
	maxPassages  = 10_000_000
	maxDocuments = 1<<16 - 1
	maxNames     = 1000
)

var errFull = errors.New("more is registered than there is room for: 10,000,000 cells, 10,000,000 passages, 65,535 documents, 1,000 names")

// NewRegistry returns an empty registry.
func NewRegistry(salt []byte) *Registry {
	sum := sha256.Sum256(salt)
	return &Registry{key: sipKeyOf([16]byte(sum[:16]))}
}

// Names returns the names under which something is registered: they are detectors.
func (g *Registry) Names() []string { return g.names }

// AddName adds a name, whatever comes under it.
func (g *Registry) AddName(name string) error {
	_, err := g.name(name)
	return err
}

// name returns the number of a name.
func (g *Registry) name(name string) (uint16, error) {
	i := slices.Index(g.names, name)
	if i < 0 {
		if i = len(g.names); i >= maxNames {
			return 0, errFull
		}
		g.names = append(g.names, name)
	}
	return uint16(i), nil
}

// AddCell registers the value of a cell. Values of less than 4 characters are passed over:
// they would be found everywhere.
func (g *Registry) AddCell(name, value string) error {
	n := normal(nil, fold(nil, []byte(value)))
	if utf8.RuneCount(n) < leastCell || len(n) > maxCell {
		return nil
	}
	number, err := g.name(name)
	if err != nil || g.cells.n >= maxCells {
		return errors.Join(err, errFull)
	}
	g.cells.put(g.key.sum(n), number)
	g.pairs.set(pair(n))
	g.shapes.set(shape(n))
	return nil
}

// AddDocument registers a text: a passage of 200 characters of it is found. The title is what
// samples show, masked.
func (g *Registry) AddDocument(name, title string, text []byte) error {
	number, err := g.name(name)
	if err != nil || len(g.documents) >= maxDocuments {
		return errors.Join(err, errFull)
	}
	at := uint16(len(g.documents))
	g.documents = append(g.documents, document{number, title})
	g.fingerprints(fold(nil, text), func(h uint64, _ int) {
		if g.passages.n >= maxPassages {
			err = errFull
			return
		}
		g.passages.put(h, at)
	})
	return err
}

// bits16 is a set of small numbers.
type bits16 [1 << 16 / 64]uint64

func (b *bits16) set(n uint16)      { b[n/64] |= 1 << (n % 64) }
func (b *bits16) has(n uint16) bool { return b[n/64]&(1<<(n%64)) != 0 }

func pair(n []byte) uint16 { return uint16(n[0])<<8 | uint16(n[len(n)-1]) }

// skips are the octets that may stand around a value, and are not in it.
var skips = [256]bool{' ': true, '-': true, '"': true, '\'': true, '.': true, '\t': true, '\r': true, '\v': true, '\f': true}

// shape is what can be told of a value quickly: its length, and two of its octets. Few values
// of a text have one of a cell.
func shape(n []byte) uint16 {
	return uint16(len(n))<<10 ^ uint16(n[0])<<5 ^ uint16(n[len(n)-1])
}

// normal appends a folded value to dst without what differs between two writings of it.
func normal(dst, folded []byte) []byte {
	for _, c := range bytes.TrimSpace(folded) {
		switch c {
		case ' ', '-', '"', '\'':
		default:
			dst = append(dst, c)
		}
	}
	return bytes.TrimRight(dst, ".") // the end of a sentence
}

// find notes registered cells and documents.
func (g *Registry) find(r *reading) {
	if g.cells.n > 0 {
		g.findCells(r)
	}
	if g.passages.n > 0 {
		g.findDocuments(r)
	}
}

// leastHits is how many fingerprints of a document make a finding: a passage of 200 characters
// has three.
const leastHits = 2

func (g *Registry) findDocuments(r *reading) {
	hits := make(map[uint16]int)
	first := make(map[uint16]int)
	var order []uint16
	g.fingerprints(r.text, func(h uint64, at int) {
		d, ok := g.passages.get(h)
		if !ok {
			return
		}
		if hits[d]++; hits[d] == 1 {
			first[d] = at
			order = append(order, d)
		}
	})
	for _, d := range order {
		if hits[d] >= leastHits {
			r.found(g.names[g.documents[d].name], span{first[d], first[d]}, []byte(g.documents[d].title), 90)
		}
	}
}

// ends tell where cells, words and tokens end: which of them an octet ends.
const (
	endsCell = 1 << iota
	endsWord
	endsToken
)

var ends = func() (t [256]uint8) {
	for c := range t {
		if c >= 0x80 || !alphanumeric(byte(c)) && bytes.IndexByte([]byte("-_@.+"), byte(c)) < 0 {
			t[c] = endsToken
		}
	}
	t[' '] |= endsWord
	for _, c := range []byte(delimiters + "\r\n") {
		t[c] |= endsWord | endsCell
	}
	return t
}()

// findCells looks at each cell, at each word in it, and at each token of ASCII in that. A cell
// is what is between delimiters and ends of lines.
func (g *Registry) findCells(r *reading) {
	var cell, word, token int
	for at := 0; at <= len(r.text); at++ {
		end := uint8(endsCell | endsWord | endsToken)
		if at < len(r.text) {
			end = ends[r.text[at]]
		}
		if end == 0 {
			continue
		}
		if end&endsToken != 0 {
			if token != word || end&endsWord == 0 {
				g.look(r, span{token, at})
			}
			token = at + 1
		}
		if end&endsWord != 0 {
			if word != cell || end&endsCell == 0 {
				g.look(r, span{word, at})
			}
			word = at + 1
		}
		if end&endsCell != 0 {
			g.look(r, span{cell, at})
			cell = at + 1
		}
	}
}

// look notes what is at s, if it is registered.
func (g *Registry) look(r *reading, s span) {
	if s.to-s.from < leastCell || s.to-s.from > maxCell {
		return
	}
	raw := r.value(s)
	if p := pair(raw); !g.pairs.has(p) && !skips[byte(p>>8)] && !skips[byte(p)] {
		return
	}
	var room [maxCell]byte
	n := normal(room[:0], raw)
	if len(n) < leastCell {
		return
	}
	if !g.shapes.has(shape(n)) {
		return
	}
	if number, ok := g.cells.get(g.key.sum(n)); ok {
		r.found(g.names[number], s, n, 90)
	}
}
