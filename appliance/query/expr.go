package query

import "net/netip"

// Op says how the parts of an [Expr] are joined.
type Op uint8

const (
	All    Op = iota // every one of Sub matches
	Either           // one of Sub matches
	Not              // the only one of Sub does not match
	Term             // the field has one of the values
)

// Expr is a part of a query, for stores that compare rows themselves.
type Expr struct {
	Op     Op
	Sub    []*Expr
	Field  *Field // of a term; nil: a word without a field
	Texts  []Pattern
	Nets   []Net
	Ranges []Range
}

// Pattern is a text in lower case, with any octets between its parts. If it is inside, the
// only part may be anywhere.
type Pattern struct {
	Parts  []string
	Inside bool
}

// Net is an address range. Port 0 stands for any.
type Net struct {
	Prefix netip.Prefix
	Port   uint16
}

// Range is a range of numbers, its ends included.
type Range struct{ From, To int64 }

// Expr returns the query as a tree, nil if it matches everything.
func (q *Query) Expr() *Expr {
	if q == nil || q.root == nil {
		return nil
	}
	return q.language.expr(q.root)
}

func (l *Language) expr(n *node) *Expr {
	e := &Expr{Op: Op(n.op)}
	for _, s := range n.sub {
		e.Sub = append(e.Sub, l.expr(s))
	}
	if n.op != single {
		return e
	}
	if !n.term.anyway {
		for i := range l.fields {
			if l.fields[i].ID == n.term.field {
				e.Field = &l.fields[i]
			}
		}
	}
	for _, p := range n.term.texts {
		e.Texts = append(e.Texts, Pattern{p.parts, p.inside})
	}
	for _, x := range n.term.nets {
		e.Nets = append(e.Nets, Net{x.prefix, x.port})
	}
	for _, s := range n.term.spans {
		e.Ranges = append(e.Ranges, Range{s.from, s.to})
	}
	return e
}
