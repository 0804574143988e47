package config

import (
	"bytes"
)

const (
	// A file is read in pieces from this length on, in octets: the YAML library takes
	// a hundred times of what it reads in memory.
	wholeLimit = 1 << 20
	pieceSize  = 128 << 10
)

// parsePieces is parseWhole for files with many rules, which it reads in pieces of
// about size octets, each of some rules. It reports false for a file that it cannot
// take apart, or in which there is a fault, which parseWhole tells better.
func parsePieces(data []byte, size int) (root *node, ok bool) {
	r, ok := findRules(data)
	if !ok {
		return nil, false
	}
	rest := bytes.Clone(data[:r.start]) // lines stay where they are
	rest = append(rest, bytes.Repeat([]byte("\n"), bytes.Count(data[r.start:r.end], []byte("\n")))...)
	rest = append(rest, data[r.end:]...)
	if root, _, err := parseWhole(rest); err == nil {
		rules := &node{kind: list}
		if !root.replace(rules, "policy", "rules") {
			return nil, false
		}
		line := bytes.Count(data[:r.start], []byte("\n"))
		for at := r.start; at < r.end; {
			end := r.cut(data, at, size)
			piece, _, err := parseWhole(data[at:end])
			if err != nil || piece.kind != list {
				return nil, false
			}
			piece.move(line)
			if len(rules.items) == 0 {
				rules.place = piece.place
			}
			rules.items = append(rules.items, piece.items...)
			line += bytes.Count(data[at:end], []byte("\n"))
			at = end
		}
		return root, true
	}
	return nil, false
}

// replace puts value in the place of nothing at the end of a path of keys, each of
// which is there once.
func (n *node) replace(value *node, path ...string) bool {
	var found *pair
	for i := range n.pairs {
		if n.pairs[i].key == path[0] {
			if found != nil {
				return false
			}
			found = &n.pairs[i]
		}
	}
	switch {
	case found == nil:
		return false
	case len(path) > 1:
		return found.value.replace(value, path[1:]...)
	case found.value.kind != null:
		return false
	}
	found.value = value
	return true
}

// move has n and what it holds stand so many lines further down.
func (n *node) move(lines int) {
	n.line += lines
	for _, item := range n.items {
		item.move(lines)
	}
	for i := range n.pairs {
		n.pairs[i].line += lines
		n.pairs[i].value.move(lines)
	}
}

// region is where the items of policy.rules stand, as whole lines.
type region struct {
	start, end int
	indent     int // of each item's dash
}

// findRules looks for a block sequence under the keys policy and rules of the block
// style. It looks at indentation alone: within an item every line is indented
// deeper than its dash (YAML 1.2.2, Section 8.2.1).
func findRules(data []byte) (r region, ok bool) {
	const (
		outside = iota
		inPolicy
		inRules
		inItems
	)
	state, key := outside, 0 // indent of rules
	for at := 0; at < len(data); {
		next := len(data)
		if end := bytes.IndexByte(data[at:], '\n'); end >= 0 {
			next = at + end + 1
		}
		line := bytes.TrimRight(data[at:next], "\r\n")
		text := bytes.TrimLeft(line, " ")
		indent := len(line) - len(text)
		switch {
		case bytes.IndexByte(line, '\t') >= 0 && len(bytes.TrimLeft(text, "\t")) < len(text):
			return r, false
		case len(text) == 0 || text[0] == '#':
		case state == inItems && indent > r.indent, state == inItems && indent == r.indent && isItem(text):
		case state == inItems:
			r.end = at
			return r, text[0] != '-' // a dash alone: the library takes it for more than it is
		case indent == 0:
			state = outside
			if isKey(text, "policy") {
				state = inPolicy
			}
		case state == inPolicy && isKey(text, "rules"):
			state, key = inRules, indent
		case state == inRules && indent >= key && isItem(text):
			state, r.start, r.indent = inItems, at, indent
		case state == inRules:
			return r, false
		}
		at = next
	}
	r.end = len(data)
	return r, state == inItems
}

// isKey reports whether a line is a key without a value beside it.
func isKey(text []byte, key string) bool {
	rest, ok := bytes.CutPrefix(text, []byte(key+":"))
	rest = bytes.TrimLeft(rest, " ")
	return ok && (len(rest) == 0 || rest[0] == '#' && len(rest) < len(text)-len(key)-1)
}

// isItem reports whether a line begins an item of a block sequence, and the item.
func isItem(text []byte) bool {
	rest, ok := bytes.CutPrefix(text, []byte("- "))
	rest = bytes.TrimLeft(rest, " ")
	return ok && len(rest) > 0 && bytes.IndexByte([]byte("#\t\r\n"), rest[0]) < 0
}

// cut returns where the piece that begins at ends: behind size octets, where the
// next item begins.
func (r region) cut(data []byte, at, size int) int {
	for end := min(at+size, r.end); end < r.end; {
		line := bytes.IndexByte(data[end:r.end], '\n')
		if line < 0 {
			break
		}
		end += line + 1
		begin := data[end:r.end]
		text := bytes.TrimLeft(begin, " ")
		if len(begin)-len(text) == r.indent && isItem(text) {
			return end
		}
	}
	return r.end
}
