package query

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// Bounds of a query.
const (
	maxText  = 4 << 10 // octets
	maxTerms = 64
	maxDepth = 32 // of groups and negations
)

// Parse reads a query about sessions, as [Language.Parse] does.
func Parse(text string) (*Query, error) { return Sessions.Parse(text) }

// Parse reads a query. The error is an [*Error]. Times without a zone are local ones,
// and times ago count from now. The empty text matches everything.
func (l *Language) Parse(text string) (*Query, error) { return l.parse(text, time.Now()) }

func (l *Language) parse(text string, now time.Time) (*Query, error) {
	if len(text) > maxText {
		return nil, &Error{Column: 1, Problem: fmt.Sprintf("the query has more than %d octets", maxText)}
	}
	if !utf8.ValidString(text) {
		return nil, &Error{Column: 1, Problem: "the query is not UTF-8"}
	}
	tokens, err := l.scan(text)
	if err != nil {
		return nil, err
	}
	p := &parser{language: l, tokens: tokens, now: now}
	q := &Query{text: text, language: l}
	if p.peek().kind == endToken {
		return q, nil
	}
	if q.root, err = p.alternatives(); err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != endToken {
		return nil, t.fault("nothing is open here that ) could close")
	}
	return q, nil
}

// parser reads tokens by recursive descent.
type parser struct {
	language *Language
	tokens   []token // the last one is endToken
	at       int
	terms    int
	depth    int
	now      time.Time
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != endToken {
		p.at++
	}
	return t
}

// alternatives reads what `or` joins.
func (p *parser) alternatives() (*node, error) {
	return p.joined(either, p.sequence, func(t token) bool {
		if t.kind != orToken {
			return false
		}
		p.next()
		return true
	})
}

// sequence reads terms that stand side by side, or are joined by `and`.
func (p *parser) sequence() (*node, error) {
	return p.joined(all, p.unary, func(t token) bool {
		switch t.kind {
		case andToken:
			p.next()
			return true
		case endToken, orToken, closeToken:
			return false
		}
		return true
	})
}

// joined reads parts as long as more says so of the token behind them.
func (p *parser) joined(by op, part func() (*node, error), more func(token) bool) (*node, error) {
	first, err := part()
	if err != nil || !more(p.peek()) {
		return first, err
	}
	n := &node{op: by, sub: []*node{first}}
	for {
		next, err := part()
		if err != nil {
			return nil, err
		}
		n.sub = append(n.sub, next)
		if !more(p.peek()) {
			return n, nil
		}
	}
}

// unary reads a term, a group, or what is negated.
func (p *parser) unary() (*node, error) {
	p.depth++
	defer func() { p.depth-- }()
	t := p.next()
	if p.depth > maxDepth {
		return nil, t.fault(fmt.Sprintf("more than %d groups or negations within each other", maxDepth))
	}
	switch t.kind {
	case notToken:
		n, err := p.unary()
		if err != nil {
			return nil, err
		}
		return &node{op: negation, sub: []*node{n}}, nil
	case openToken:
		n, err := p.alternatives()
		if err != nil {
			return nil, err
		}
		if p.next().kind != closeToken {
			return nil, t.fault("the group has no )")
		}
		return n, nil
	case termToken:
		if p.terms++; p.terms > maxTerms {
			return nil, t.fault(fmt.Sprintf("more than %d terms", maxTerms))
		}
		return p.term(t)
	case endToken:
		return nil, t.fault("a term is missing at the end")
	}
	return nil, t.fault("a term is missing before " + t.text)
}
