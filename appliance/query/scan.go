package query

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	termToken tokenKind = iota
	openToken
	closeToken
	andToken
	orToken
	notToken
	endToken
)

// value is one of a term's.
type value struct {
	text   string
	quoted bool // `*` and the like mean themselves
	column int
}

// token is a word of a query.
type token struct {
	kind   tokenKind
	column int
	text   string  // as it stands there; for messages
	field  string  // of a term; "" for a word without a field
	op     string  // of a term with a field
	values []value // of a term
}

func (t token) fault(problem string) *Error { return &Error{Column: t.column, Problem: problem} }

// scanner cuts a query into tokens.
type scanner struct {
	language *Language
	text     string
	at       int // octets
	column   int // characters, from 1
}

func (l *Language) scan(text string) ([]token, error) {
	s := &scanner{language: l, text: text, column: 1}
	var list []token
	for {
		t, err := s.token()
		if err != nil {
			return nil, err
		}
		if list = append(list, t); t.kind == endToken {
			return list, nil
		}
	}
}

// peek returns the next character, 0 at the end.
func (s *scanner) peek() rune {
	if s.at == len(s.text) {
		return 0
	}
	r, _ := utf8.DecodeRuneInString(s.text[s.at:])
	return r
}

func (s *scanner) skip() {
	_, n := utf8.DecodeRuneInString(s.text[s.at:])
	s.at += n
	s.column++
}

func (s *scanner) ended() bool { return s.at == len(s.text) }

// token reads the next token.
func (s *scanner) token() (token, error) {
	for !s.ended() && unicode.IsSpace(s.peek()) {
		s.skip()
	}
	t, from := token{column: s.column}, s.at
	if s.ended() {
		t.kind = endToken
		return t, nil
	}
	switch s.peek() {
	case '(':
		t.kind = openToken
	case ')':
		t.kind = closeToken
	case '-':
		t.kind = notToken
	default:
		err := s.term(&t)
		t.text = s.text[from:s.at]
		return t, err
	}
	s.skip()
	t.text = s.text[from:s.at]
	return t, nil
}

// keywords are words that join terms, unless they are quoted or have a field.
var keywords = map[string]tokenKind{"and": andToken, "or": orToken, "not": notToken}

// term reads a field with operator and values, or a word.
func (s *scanner) term(t *token) error {
	from := s.at
	for !s.ended() && (unicode.IsLetter(s.peek()) || unicode.IsDigit(s.peek()) || s.peek() == '_') {
		s.skip()
	}
	if word := s.text[from:s.at]; word != "" {
		if t.op = operator(s.text[s.at:]); t.op != "" && !s.addressed(word, s.text[s.at:]) {
			t.field = word
			for range t.op {
				s.skip()
			}
			return s.values(t)
		}
		t.op = ""
		if kind, ok := keywords[strings.ToLower(word)]; ok && (s.ended() || ends(s.peek())) {
			t.kind = kind
			return nil
		}
	}
	s.at, s.column = from, t.column
	return s.values(t)
}

// operator returns the operator that text begins with, "" for none.
func operator(text string) string {
	for _, op := range []string{"!=", "<=", ">=", ":", "=", "<", ">"} {
		if strings.HasPrefix(text, op) {
			return op
		}
	}
	return ""
}

// addressed reports whether word and rest begin an IPv6 address, such as fe80::1 or
// 2001:db8::1. No field is called like the group of one.
func (s *scanner) addressed(word, rest string) bool {
	if s.language.Lookup(word) != nil || !strings.HasPrefix(rest, ":") || len(word) > 4 {
		return false
	}
	for _, r := range word {
		if !unicode.Is(unicode.ASCII_Hex_Digit, r) {
			return false
		}
	}
	end := strings.IndexFunc(rest, ends)
	if end < 0 {
		end = len(rest)
	}
	return strings.Count(rest[:end], ":") > 1
}

// ends reports whether a word ends before r.
func ends(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ')' }

// values reads values with commas between them.
func (s *scanner) values(t *token) error {
	for {
		v := value{column: s.column}
		if s.peek() == '"' && !s.ended() {
			v.quoted = true
			if err := s.quoted(&v); err != nil {
				return err
			}
		} else {
			from := s.at
			for !s.ended() && !ends(s.peek()) && s.peek() != ',' && s.peek() != '"' {
				s.skip()
			}
			v.text = s.text[from:s.at]
		}
		if v.text == "" && !v.quoted {
			return &Error{Column: s.column, Problem: `a value is missing, write "" for the empty one`}
		}
		t.values = append(t.values, v)
		if len(t.values) > maxTerms {
			return &Error{Column: v.column, Problem: "too many values"}
		}
		if s.peek() != ',' || s.ended() {
			break
		}
		s.skip()
	}
	if !s.ended() && !ends(s.peek()) {
		return &Error{Column: s.column, Problem: "a blank is missing behind the value"}
	}
	return nil
}

// quoted reads a value in quotes. Within them \" and \\ stand for " and \.
func (s *scanner) quoted(v *value) error {
	var b strings.Builder
	for s.skip(); !s.ended(); s.skip() {
		switch r := s.peek(); r {
		case '"':
			s.skip()
			v.text = b.String()
			return nil
		case '\\':
			if s.skip(); !s.ended() {
				b.WriteRune(s.peek())
			}
		default:
			b.WriteRune(r)
		}
	}
	return &Error{Column: v.column, Problem: "the quote has no end"}
}
