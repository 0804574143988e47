package config

import (
	"strconv"
	"strings"
)

// Locator finds the places of values in one configuration file. It holds the tree of the
// file, and may be used by one goroutine at a time.
type Locator struct {
	path string // "" if there is no file
	root *node  // nil if the file is no YAML
	at   place  // of what is wrong with it then
}

// NewLocator reads the file at path. If it cannot be read, or path is empty, the locator
// knows no place.
func NewLocator(path string) *Locator {
	if path == "" {
		return &Locator{}
	}
	data, err := readFile(path)
	if err != nil {
		return &Locator{}
	}
	root, at, err := parseTree(data)
	if err != nil {
		root = nil
	}
	return &Locator{path, root, at}
}

// Find returns message with the place of a value. keys lead to the value: keys of
// tables, and indices of lists, which count from 0; a single value that stands for a list
// of one has the index 0. Keys that the file does not have are passed over. It returns
// false if there is no such file.
func (l *Locator) Find(message string, keys ...string) (Error, bool) {
	if l.path == "" {
		return Error{}, false
	}
	at := l.at
	if l.root != nil {
		at = l.root.find(keys)
	}
	return Error{l.path, at.line, at.col, strings.Join(strings.Fields(message), " ")}, true
}

// At returns err, found later than by [Load], as [Errors] with the place of a
// value in the file at path, as [Locator.Find] finds it. It returns err as it is if
// there is no such file, and nil for nil.
func At(path string, err error, keys ...string) error {
	if err == nil || path == "" {
		return err
	}
	if e, ok := NewLocator(path).Find(err.Error(), keys...); ok {
		return Errors{e}
	}
	return err
}

// find returns the place that keys lead to.
func (n *node) find(keys []string) place {
	at := n.place()
	for _, key := range keys {
		next := n.child(key)
		if next == nil {
			continue
		}
		if n = next; n.kind() != null {
			at = n.place()
		}
	}
	return at
}

// child returns what key, or an index, leads to; nil if that is nothing.
func (n *node) child(key string) *node {
	switch n.kind() {
	case dict:
		for _, p := range n.pairs() {
			if p.key == key {
				return p.value
			}
		}
	case list:
		items := n.items()
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(items) {
			return items[i]
		}
	}
	return nil
}
