package inspect

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Pattern is an expression of the operator.
type Pattern struct {
	Name  string
	RE    string   // syntax of RE2; the text is folded, see the package
	Near  []string // words, one of which must be near; empty: none need be
	Reach int      // how near, in characters; default 300
	Count int      // different values from which on it is told; with less of them, the score is 50 at most
	Score int      // default 80
}

// pattern is one that is compiled.
type pattern struct {
	name    string
	literal []byte // that each match has; empty: not known
	re      *regexp.Regexp
	near    [][]byte
	reach   int // octets
	count   int
	score   int
}

// weak is the score of a pattern with too few values.
const weak = 50

// maxReach bounds how far words may be, in octets.
const maxReach = 6000

// Check reports what is wrong with a pattern.
func (p *Pattern) Check() error {
	_, err := p.compile()
	return err
}

// compile compiles a pattern.
func (p *Pattern) compile() (pattern, error) {
	re, err := regexp.Compile("(?i:" + p.RE + ")")
	if err != nil {
		return pattern{}, fmt.Errorf("pattern %s: %w", p.Name, err)
	}
	if p.Name == "" || re.MatchString("") {
		return pattern{}, fmt.Errorf("pattern %q has no name, or matches the empty text", p.Name)
	}
	tree, err := syntax.Parse(p.RE, syntax.Perl)
	if err != nil {
		return pattern{}, fmt.Errorf("pattern %s: %w", p.Name, err)
	}
	c := pattern{literal: fold(nil, []byte(literal(tree.Simplify()))), name: p.Name, re: re, score: cmp.Or(p.Score, 80), count: p.Count, reach: reach}
	if p.Reach > 0 {
		c.reach = min(3*p.Reach, maxReach)
	}
	for _, w := range p.Near {
		c.near = append(c.near, fold(nil, []byte(w)))
	}
	return c, nil
}

// literal returns the longest text that each match of an expression has.
func literal(x *syntax.Regexp) (longest string) {
	switch x.Op {
	case syntax.OpLiteral:
		for _, c := range x.Rune {
			if c >= utf8.RuneSelf && unicode.SimpleFold(c) != c { // the text is not folded there
				return ""
			}
		}
		return string(x.Rune)
	case syntax.OpConcat:
		for _, sub := range x.Sub {
			if l := literal(sub); len(l) > len(longest) {
				longest = l
			}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return literal(x.Sub[0])
	case syntax.OpRepeat:
		if x.Min > 0 {
			return literal(x.Sub[0])
		}
	}
	return longest
}

// possible reports whether a text can have a match. Expressions are slow.
func (p *pattern) possible(text []byte) bool {
	has := func(w []byte) bool { return bytes.Contains(text, w) }
	return has(p.literal) && (len(p.near) == 0 || slices.ContainsFunc(p.near, has))
}

// find notes all matches.
func (p *pattern) find(r *reading) {
	if !p.possible(r.text) {
		return
	}
	for at := 0; at < len(r.text); {
		m := p.re.FindIndex(r.text[at:])
		if m == nil {
			break
		}
		s := span{at + m[0], at + m[1]}
		at = s.to
		if p.isNear(r, s) {
			r.found(p.name, s, r.value(s), p.score)
		}
	}
	if t := r.tallies[p.name]; t != nil && t.Count < p.count {
		t.Score = min(t.Score, weak)
	}
}

func (p *pattern) isNear(r *reading, s span) bool {
	around := r.text[max(s.from-p.reach, 0):min(s.to+p.reach, len(r.text))]
	for _, w := range p.near {
		if bytes.Contains(around, w) {
			return true
		}
	}
	return len(p.near) == 0
}
