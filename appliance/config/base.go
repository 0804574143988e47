package config

import (
	_ "embed"
	"slices"
	"sync"

	"go.yaml.in/yaml/v4"
)

// BuiltIn is the configuration of a start without a file, as a file.
//
//go:embed builtin.yaml
var BuiltIn []byte

// Example is the annotated file with every key.
//
//go:embed example.yaml
var Example []byte

// Base is what holds for the sections that a file does not name.
type Base string

const (
	// NoBase: they have the defaults of their keys.
	NoBase Base = "none"
	// DefaultBase: they are those of [BuiltIn].
	DefaultBase Base = "default"
)

var builtInTree = sync.OnceValue(func() *node {
	root, _, _ := parseTree(BuiltIn) // tests read it
	return root
})

// base reads which configuration the file starts from, and adds its sections to t.
// Faults in them are those of the key base.
func (r *reader) base(t *table) {
	faults := len(r.errs)
	if base := value(t, "base", NoBase, oneOf(NoBase, DefaultBase)); base == NoBase && len(r.errs) == faults {
		return // after a fault, nothing is missed that a base would have
	}
	at := t.place("base")
	for _, p := range builtInTree().pairs() {
		if t.pair(p.key) == nil {
			t.pairs = append(t.pairs, pair{at, p.key, p.value.moved(at)})
		}
	}
}

// moved returns a copy of n in which everything stands at a place.
func (n *node) moved(at place) *node {
	c := *n
	c.Line, c.Column = at.line, at.col
	c.Content = slices.Clone(n.Content)
	for i, child := range c.Content {
		c.Content[i] = (*yaml.Node)((*node)(child).moved(at))
	}
	return &c
}
