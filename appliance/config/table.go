package config

import (
	"fmt"
	"slices"
	"strings"
)

// reader turns the tree of one file into a Config and collects every fault.
type reader struct {
	closed    func(at place, known []string) // is told of each table that was read; nil: nobody is
	file      string
	dir       string // what relative paths are relative to
	errs      Errors
	listeners []listener
	listed    []func(lists []string) // check names of lists, when these are known
	// What one table leaves to the next: there are many.
	lines map[string]int // empty
	spare []string       // nil if an open table has it
}

// fail notes a fault. Messages quote what the file holds with %q, so that they
// stay on one line.
func (r *reader) fail(at place, format string, args ...any) {
	if len(r.errs) < 10*maxErrors {
		r.errs = append(r.errs, Error{r.file, at.line, at.col, fmt.Sprintf(format, args...)})
	}
}

// table reads one YAML table. Every key that is asked for counts as known;
// close reports the others.
type table struct {
	r     *reader
	at    place
	pairs []pair
	known []string // nil once the table is closed
	bad   bool     // not a table: nothing more is worth reporting
}

// table opens n. An absent n is an empty table; another kind of value is
// reported and read as an empty table. name is the key that holds n.
func (r *reader) table(n *node, name string) *table {
	t := &table{r: r, at: top, known: r.spare}
	if r.spare = nil; t.known == nil {
		t.known = make([]string, 0, 32)
	}
	if n == nil {
		return t
	}
	t.at = n.place()
	if n.kind() != dict {
		if n.kind() != null {
			r.fail(n.place(), "%s: want a table of keys and values", name)
			t.bad = true
		}
		return t
	}
	t.pairs = r.once(n.pairs())
	return t
}

// once reports keys that are set again, and returns the others.
func (r *reader) once(pairs []pair) []pair {
	lines := r.lines
	if len(pairs) > 100 { // r.lines stays small: to clear a large map takes long
		lines = make(map[string]int, len(pairs))
	}
	kept := pairs[:0]
	for _, p := range pairs {
		if line, ok := lines[p.key]; ok {
			r.fail(p.place, "key %q is already set on line %d", p.key, line)
			continue
		}
		lines[p.key] = p.line
		kept = append(kept, p)
	}
	clear(lines)
	return kept
}

// list returns the items of the list n; name is the key that holds it.
func (r *reader) list(n *node, name string) []*node {
	if n == nil {
		return nil
	}
	if n.kind() != list {
		r.fail(n.place(), "%s: want a list", name)
		return nil
	}
	return n.items()
}

// pair finds key; nil if it is absent.
func (t *table) pair(key string) *pair {
	t.accept(key)
	for i := range t.pairs {
		if t.pairs[i].key == key {
			return &t.pairs[i]
		}
	}
	return nil
}

// get returns the value of key; nil if it is absent or has none.
func (t *table) get(key string) *node {
	if p := t.pair(key); p != nil && p.value.kind() != null {
		return p.value
	}
	return nil
}

// has reports whether key has a value.
func (t *table) has(key string) bool { return t.get(key) != nil }

// place returns where the value of key stands, or the table if there is none.
func (t *table) place(key string) place {
	if n := t.get(key); n != nil {
		return n.place()
	}
	return t.at
}

// accept makes keys known without reading them.
func (t *table) accept(keys ...string) {
	if t.known != nil {
		t.known = append(t.known, keys...)
	}
}

// foreign refuses known keys that have no meaning here; why completes the
// sentence "KEY does not apply to ...".
func (t *table) foreign(why string, keys ...string) {
	for _, key := range keys {
		if p := t.pair(key); p != nil {
			t.r.fail(p.place, "%s does not apply to %s", key, why)
		}
	}
}

// close reports the keys that nobody asked for. Of a closed table, only those that
// were asked for before may be read.
func (t *table) close() {
	if t.r.closed != nil {
		t.r.closed(t.at, t.known)
	}
	for _, p := range t.pairs {
		if slices.Contains(t.known, p.key) {
			continue
		}
		before, _, colon := strings.Cut(p.key, ":")
		switch near := nearest(p.key, t.known); {
		case colon && slices.Contains(t.known, before):
			t.r.fail(p.place, "unknown key %q: put a space after the colon", p.key)
		case near != "":
			t.r.fail(p.place, "unknown key %q, did you mean %q?", p.key, near)
		default:
			t.r.fail(p.place, "unknown key %q", p.key)
		}
	}
	t.r.spare, t.known = t.known[:0], nil
}

// value parses the scalar at key. Absent gives def; a fault is reported and
// gives def too.
func value[T any](t *table, key string, def T, parse func(string) (T, error)) T {
	n := t.get(key)
	if n == nil {
		return def
	}
	if n.kind() != scalar {
		t.r.fail(n.place(), "%s: want a single value", key)
		return def
	}
	v, err := parse(n.text())
	if err != nil {
		t.r.fail(n.place(), "%s: %v", key, err)
		return def
	}
	return v
}

// required is value for a key that must be present.
func required[T any](t *table, key string, parse func(string) (T, error)) T {
	var zero T
	if !t.has(key) {
		t.missing(key, "")
		return zero
	}
	return value(t, key, zero, parse)
}

// missing reports that key is absent or has no value. why may continue the
// sentence.
func (t *table) missing(key, why string) {
	at := t.at
	if p := t.pair(key); p != nil {
		at = p.place
	}
	if !t.bad {
		t.r.fail(at, "%s is missing%s", key, why)
	}
}

// values parses the list at key, in which a single value stands for a list of
// one. Absent gives def; faulty items are reported and left out. An empty list
// is reported: an operator who writes it may expect everything or nothing.
func values[T any](t *table, key string, def []T, parse func(string) (T, error)) []T {
	n := t.get(key)
	if n == nil {
		return def
	}
	items := n.items()
	switch n.kind() {
	case scalar:
		items = []*node{n}
	case dict:
		t.r.fail(n.place(), "%s: want a list", key)
		return def
	}
	if len(items) == 0 {
		t.r.fail(n.place(), "%s: list is empty", key)
		return def
	}
	out := make([]T, 0, len(items))
	for _, item := range items {
		if item.kind() != scalar {
			t.r.fail(item.place(), "%s: want a list of single values", key)
			continue
		}
		v, err := parse(item.text())
		if err != nil {
			t.r.fail(item.place(), "%s: %v", key, err)
			continue
		}
		out = append(out, v)
	}
	return out
}

// unique reads the key name of t and reports one that is missing, malformed or
// in taken. what says whose name it is.
func unique(t *table, what string, taken map[string]int) string {
	name := required(t, "name", parseName)
	if name == "" {
		return ""
	}
	if line, ok := taken[name]; ok {
		t.r.fail(t.place("name"), "name: %s %q is already defined on line %d", what, name, line)
		return name
	}
	taken[name] = t.place("name").line
	return name
}
