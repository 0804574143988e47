package config

import (
	"bytes"
	"slices"
	"strings"
)

// same reports whether two files say the same, with the same comments.
func same(a, b []byte) bool {
	x, _, err := parseTree(a)
	y, _, failed := parseTree(b)
	return err == nil && failed == nil && equal(x, y) && slices.Equal(comments(a), comments(b))
}

// equal compares values; the order of keys does not matter.
func equal(x, y *node) bool {
	if x.kind() != y.kind() || x.Value != y.Value || len(x.Content) != len(y.Content) {
		return false
	}
	if x.kind() == dict {
		return !slices.ContainsFunc(x.pairs(), func(p pair) bool {
			other := y.child(p.key)
			return other == nil || !equal(p.value, other)
		})
	}
	return slices.EqualFunc(x.items(), y.items(), equal)
}

// comments returns what stands behind comment signs, sorted. A sign within a text counts,
// too: it is in both files.
func comments(data []byte) (list []string) {
	for line := range bytes.Lines(data) {
		if _, text, ok := strings.Cut(string(line), "#"); ok {
			list = append(list, strings.TrimSpace(text))
		}
	}
	slices.Sort(list)
	return list
}
