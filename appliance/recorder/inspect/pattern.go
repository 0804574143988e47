package inspect

import (
	"bytes"
	"fmt"
	"regexp"
)

// Pattern is an expression of the operator.
type Pattern struct {
	Name  string
	RE    string   // syntax of RE2; the text is folded, see the package
	Near  []string // words, one of which must be within 300 characters; empty: none need be
	Score int      // default 80
}

// pattern is one that is compiled.
type pattern struct {
	name  string
	re    *regexp.Regexp
	near  [][]byte
	score int
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
	c := pattern{name: p.Name, re: re, score: p.Score}
	if c.score == 0 {
		c.score = 80
	}
	for _, w := range p.Near {
		c.near = append(c.near, fold(nil, []byte(w)))
	}
	return c, nil
}

// find notes all matches.
func (p *pattern) find(r *reading) {
	for at := 0; at < len(r.text); {
		m := p.re.FindIndex(r.text[at:])
		if m == nil {
			return
		}
		s := span{at + m[0], at + m[1]}
		at = s.to
		if p.isNear(r, s) {
			r.found(p.name, s, r.value(s), p.score)
		}
	}
}

func (p *pattern) isNear(r *reading, s span) bool {
	around := r.text[max(s.from-reach, 0):min(s.to+reach, len(r.text))]
	for _, w := range p.near {
		if bytes.Contains(around, w) {
			return true
		}
	}
	return len(p.near) == 0
}
