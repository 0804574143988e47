package query

import (
	"fmt"
	"net/netip"
	"strings"
)

// Row is what a query is compared with. A field that a row has no value for is "", 0 or
// the zero address.
type Row interface {
	// Text returns a field of kind [Text] or [Words].
	Text(ID) string
	// Number returns a field of another kind: ports and octets as they are, durations in
	// nanoseconds, times in nanoseconds since 1970.
	Number(ID) int64
	// Address returns a field of kind [Address] with its port.
	Address(ID) netip.AddrPort
}

// Query is a question that was read. It does not change; any number of goroutines may
// use it. The nil Query matches everything.
type Query struct {
	text     string
	language *Language
	root     *node // nil: everything
}

// Match reports whether row is what the query asks for. It does not allocate.
func (q *Query) Match(row Row) bool { return q == nil || q.root == nil || q.root.match(row) }

// String returns the text that was read.
func (q *Query) String() string {
	if q == nil {
		return ""
	}
	return q.text
}

// Error says where a query cannot be read, and what was probably meant.
type Error struct {
	Column  int      // of the first character that is wrong, from 1
	Problem string   // in words
	Near    []string // what may have been meant, the nearest first
}

func (e *Error) Error() string {
	text := fmt.Sprintf("column %d: %s", e.Column, e.Problem)
	if len(e.Near) > 0 {
		text += ": " + strings.Join(e.Near, ", ") + "?"
	}
	return text
}

// op joins the nodes of a query.
type op uint8

const (
	all op = iota // every one of sub matches
	either
	negation // of the only one
	single   // the term
)

// node is a part of a query.
type node struct {
	op   op
	sub  []*node
	term term
}

func (n *node) match(row Row) bool {
	switch n.op {
	case all:
		for _, s := range n.sub {
			if !s.match(row) {
				return false
			}
		}
		return true
	case either:
		for _, s := range n.sub {
			if s.match(row) {
				return true
			}
		}
		return false
	case negation:
		return !n.sub[0].match(row)
	}
	return n.term.match(row)
}
