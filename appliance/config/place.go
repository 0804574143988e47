package config

import (
	"strconv"
	"strings"
)

// At returns err, found later than by [Load], as [Errors] with the place of a
// value in the file at path. keys lead to the value: keys of tables, and indices of
// lists, which count from 0; a single value that stands for a list of one has the
// index 0. Keys that the file does not have are passed over. It returns err as it
// is if there is no such file, and nil for nil.
func At(path string, err error, keys ...string) error {
	if err == nil || path == "" {
		return err
	}
	data, failed := readFile(path)
	if failed != nil {
		return err
	}
	root, at, failed := parseTree(data)
	if failed == nil {
		at = root.find(keys)
	}
	return Errors{{path, at.line, at.col, strings.Join(strings.Fields(err.Error()), " ")}}
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
