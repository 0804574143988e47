package inspect

import "strings"

// Finding is data of one kind in a text.
type Finding struct {
	Detector string
	Count    int    // of different values; of people for "person"
	Score    int    // of the surest of them, up to 100
	Sample   string // the first value, masked
	Place    Place  // of the first value
}

// builtin are the detectors that need no options.
var builtin = []string{
	"my-number", "licence", "passport", "residence-card", "bank-account", "insurance", "pension", "card", "person", "label",
	"phone", "e-mail", "address", "postal-code", "birth-date",
}

// Detectors returns the names of all that is looked for.
func (o Options) Detectors() []string {
	list := append([]string(nil), builtin...)
	for _, d := range o.Dictionaries {
		list = append(list, d.Name)
	}
	for _, p := range o.Patterns {
		list = append(list, p.Name)
	}
	for _, g := range o.Registered {
		list = append(list, g.Names()...)
	}
	return list
}

// Place is where something is in a text.
type Place struct {
	Line   int // from 1
	Column int // of a table, from 1; 0: it is in none
}

// Told is the score from which on a finding is worth telling. Others are kept.
const Told = 70

// maxValues bounds the different values of a detector.
const maxValues = 100_000

// tally is a finding that is under way.
type tally struct {
	Finding
	at   int // of the first value, in octets
	seen map[uint64]bool
	last uint64 // of those
}

// mask hides a value: the first four letters or digits stay, and the last two, but never more
// than a half of them. A separator stays what it is.
func mask(value string) string {
	runes := []rune(value)
	shown := 0
	for _, r := range runes {
		if !separates(r) {
			shown++
		}
	}
	head, tail := min(4, shown/3), min(2, shown/6)
	var b strings.Builder
	seen := 0
	for _, r := range runes {
		if separates(r) {
			b.WriteRune(r)
			continue
		}
		seen++
		if seen <= head || seen > shown-tail {
			b.WriteRune(r)
		} else {
			b.WriteByte('*')
		}
	}
	return b.String()
}

func separates(r rune) bool { return strings.ContainsRune("-. @/()", r) }
