package inspect

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/coregx/ahocorasick"
)

// Inspector looks for all that it was made for. It does not change; any number of goroutines
// may use it.
type Inspector struct {
	automaton  *ahocorasick.Automaton
	owners     [][]owner // of each pattern of the automaton
	longest    int       // pattern, in octets
	patterns   []pattern
	registered []*Registry
	seed       maphash.Seed
	pool       sync.Pool // of *reading
}

// owner is what a word belongs to: a class, or a dictionary.
type owner struct {
	class      class
	dictionary string // "": a class
	score      int    // of a dictionary
	bounded    bool   // a word of ASCII: letters next to it make another word
}

// Options are what an operator adds.
type Options struct {
	Dictionaries []Dictionary
	Patterns     []Pattern
	Registered   []*Registry
}

// Dictionary is a list of words, any of which is a finding.
type Dictionary struct {
	Name  string
	Words []string
	Score int // default 80
}

// New returns an inspector.
func New(o Options) (*Inspector, error) {
	x := &Inspector{registered: o.Registered, seed: maphash.MakeSeed()}
	numbers := make(map[string]int)
	b := ahocorasick.NewBuilder()
	add := func(word string, by owner) {
		folded := string(fold(nil, []byte(word)))
		if folded == "" {
			return
		}
		by.bounded = folded[0] < 0x80 && folded[len(folded)-1] < 0x80
		n, there := numbers[folded]
		if !there {
			n = len(x.owners)
			numbers[folded] = n
			x.owners = append(x.owners, nil)
			b.AddPattern([]byte(folded))
			x.longest = max(x.longest, len(folded))
		}
		x.owners[n] = append(x.owners[n], by)
	}
	for c := range classes {
		for _, w := range listed(c) {
			add(w, owner{class: c})
		}
	}
	for _, d := range o.Dictionaries {
		if d.Name == "" || len(d.Words) == 0 {
			return nil, fmt.Errorf("dictionary %q has no name or no words", d.Name)
		}
		for _, w := range d.Words {
			add(w, owner{class: classes, dictionary: d.Name, score: cmp.Or(d.Score, 80)})
		}
	}
	var err error
	if x.automaton, err = b.Build(); err != nil {
		return nil, fmt.Errorf("words: %w", err)
	}
	for _, p := range o.Patterns {
		compiled, err := p.compile()
		if err != nil {
			return nil, err
		}
		x.patterns = append(x.patterns, compiled)
	}
	x.pool.New = func() any { return &reading{} }
	return x, nil
}

// Text inspects a text in UTF-8. The findings are in the order of their first places.
func (x *Inspector) Text(text []byte) []Finding {
	r := x.pool.Get().(*reading)
	defer x.pool.Put(r)
	r.reset(x)
	r.text = fold(r.text[:0], text)
	r.words()
	r.numbers()
	r.addresses()
	r.countPeople()
	r.marks()
	for i := range x.patterns {
		x.patterns[i].find(r)
	}
	for _, g := range x.registered {
		g.find(r)
	}
	return r.findings()
}

// reading is one text.
type reading struct {
	x       *Inspector
	text    []byte // folded
	near    [classes][]span
	last    [classes]int // the word of each that was found last, see behind
	tallies map[string]*tally
	order   []*tally
	rows    rows
	people  [kinds][]int // where data about people begin
	lines   lines
	row     row
}

// span is where something is in the text.
type span struct{ from, to int }

func (r *reading) reset(x *Inspector) {
	r.x = x
	for c := range r.near {
		r.near[c] = r.near[c][:0]
	}
	for k := range r.people {
		if r.people[k] = r.people[k][:0]; cap(r.people[k]) > maxKept {
			r.people[k] = nil
		}
	}
	r.last = [classes]int{}
	r.tallies, r.order = make(map[string]*tally), nil
	r.rows, r.lines, r.row = rows{}, lines{}, row{}
}

// found notes a value of a detector. It borrows the value.
func (r *reading) found(detector string, at span, value []byte, score int) {
	t := r.tallies[detector]
	if t == nil {
		t = &tally{Finding: Finding{Detector: detector, Sample: mask(string(value))}, at: at.from, seen: make(map[uint64]bool)}
		r.tallies[detector] = t
		r.order = append(r.order, t)
	}
	t.Score = max(t.Score, score)
	if at.from < t.at {
		t.at, t.Sample = at.from, mask(string(value))
	}
	if h := maphash.Bytes(r.x.seed, value); len(t.seen) < maxValues && h != t.last {
		t.seen[h] = true
		t.last = h
	}
	t.Count = len(t.seen)
}

// findings returns what was found.
func (r *reading) findings() (list []Finding) {
	slices.SortStableFunc(r.order, func(a, b *tally) int { return cmp.Compare(a.at, b.at) })
	for _, t := range r.order {
		t.Place = r.place(t.at)
		list = append(list, t.Finding)
	}
	return list
}
