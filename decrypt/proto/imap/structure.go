package imap

import (
	"strconv"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Structure is what BODYSTRUCTURE or BODY tells of a part of a message (RFC 9051, Section
// 7.5.2). Its texts are as they came, without quotes.
type Structure struct {
	Section               string // "1", "2.1" ...; "" for a whole that has parts
	Type, Subtype         []byte // "TEXT", "PLAIN"; the type of a whole is "MULTIPART"
	Parameters            [][2][]byte
	ID, Description       []byte
	Encoding              []byte
	Octets                uint64 // in that encoding
	Disposition           []byte
	DispositionParameters [][2][]byte
}

// Told is what a FETCH response tells of a message beside its contents.
type Told struct {
	Size  uint64      // RFC822.SIZE; 0 if it is not told
	Parts []Structure // in order
}

const (
	maxNodes  = 20_000 // words and lists of a response
	maxNested = 64     // lists within each other
	maxParts  = 1000
)

// ParseTold reads the list of a FETCH response, from its parenthesis on. Literals must have
// become quoted strings. What cannot be read is left out.
func ParseTold(text []byte) (t Told) {
	s := scanner{text: text}
	list := s.node(0).list
	for i := 0; i+1 < len(list); i += 2 {
		value := list[i+1]
		switch name := list[i].text; {
		case line.Is(name, "RFC822.SIZE"):
			t.Size = number(value)
		case line.Is(name, "BODYSTRUCTURE"), line.Is(name, "BODY") && value.list != nil:
			t.Parts = t.Parts[:0]
			t.walk(value, "", 0)
		}
	}
	return t
}

// node is a word or a list.
type node struct {
	text []byte
	list []node // not nil for a list
}

// at returns the n-th node of a list; an empty one if there are less.
func (n node) at(i int) node {
	if i < len(n.list) {
		return n.list[i]
	}
	return node{}
}

func number(n node) uint64 {
	v, _ := strconv.ParseUint(string(n.text), 10, 63)
	return v
}

// word returns the text of a node, nil for NIL and for lists.
func (n node) word() []byte {
	if line.Is(n.text, "NIL") {
		return nil
	}
	return n.text
}

// pairs returns a list of names and values.
func (n node) pairs() (list [][2][]byte) {
	for i := 0; i+1 < len(n.list); i += 2 {
		list = append(list, [2][]byte{n.list[i].word(), n.list[i+1].word()})
	}
	return list
}

// scanner makes nodes of a text.
type scanner struct {
	text  []byte
	at    int
	nodes int
}

// node reads the next one.
func (s *scanner) node(depth int) node {
	s.blanks()
	s.nodes++
	if s.at >= len(s.text) || s.nodes > maxNodes {
		s.at = len(s.text)
		return node{}
	}
	switch s.text[s.at] {
	case '(':
		s.at++
		return s.list(depth)
	case '"':
		from := s.at
		end := quotedEnd(s.text, from+1)
		if end < 0 {
			end = len(s.text) - 1
		}
		s.at = end + 1
		return node{text: Unquote(s.text[from:s.at])}
	}
	return node{text: s.atom()}
}

func (s *scanner) blanks() {
	for s.at < len(s.text) && (s.text[s.at] <= ' ') {
		s.at++
	}
}

// list reads a list behind its parenthesis.
func (s *scanner) list(depth int) node {
	list := []node{}
	for depth < maxNested {
		s.blanks()
		if s.at >= len(s.text) {
			break
		}
		if s.text[s.at] == ')' {
			s.at++
			break
		}
		list = append(list, s.node(depth+1))
	}
	return node{list: list}
}

// atom reads a word. Within brackets it may have blanks and parentheses.
func (s *scanner) atom() []byte {
	from, bracket := s.at, false
	for ; s.at < len(s.text); s.at++ {
		c := s.text[s.at]
		if bracket {
			bracket = c != ']'
			continue
		}
		if c <= ' ' || c == '(' || c == ')' || c == '"' {
			break
		}
		bracket = c == '['
	}
	if s.at == from {
		s.at++ // a parenthesis that nothing opened
	}
	return s.text[from:s.at]
}

// walk reads the structure of a section.
func (t *Told) walk(n node, section string, depth int) {
	if len(t.Parts) >= maxParts || depth > maxNested || len(n.list) == 0 {
		return
	}
	if n.list[0].list == nil {
		t.single(n, section, depth)
		return
	}
	i := 0
	for ; i < len(n.list) && n.list[i].list != nil; i++ {
	}
	t.Parts = append(t.Parts, Structure{
		Section: section, Type: []byte("MULTIPART"), Subtype: n.at(i).word(), Parameters: n.at(i + 1).pairs(),
		Disposition: n.at(i + 2).at(0).word(), DispositionParameters: n.at(i + 2).at(1).pairs(),
	})
	for j, child := range n.list[:i] {
		t.walk(child, below(section, j+1), depth+1)
	}
}

// below returns the section of the n-th part of one.
func below(section string, n int) string {
	if section == "" {
		return strconv.Itoa(n)
	}
	return section + "." + strconv.Itoa(n)
}

// single reads the structure of a part that has no parts of its own, but perhaps a message.
func (t *Told) single(n node, section string, depth int) {
	if section == "" {
		section = "1"
	}
	p := Structure{
		Section: section, Type: n.at(0).word(), Subtype: n.at(1).word(), Parameters: n.at(2).pairs(),
		ID: n.at(3).word(), Description: n.at(4).word(), Encoding: n.at(5).word(), Octets: number(n.at(6)),
	}
	extension := 7 // the MD5; the disposition is behind it
	message := line.Is(p.Type, "MESSAGE") && (line.Is(p.Subtype, "RFC822") || line.Is(p.Subtype, "GLOBAL")) && n.at(8).list != nil
	switch {
	case message:
		extension = 10
	case line.Is(p.Type, "TEXT"):
		extension = 8
	}
	disposition := n.at(extension + 1)
	p.Disposition, p.DispositionParameters = disposition.at(0).word(), disposition.at(1).pairs()
	t.Parts = append(t.Parts, p)
	if !message {
		return
	}
	inner := n.at(8)
	if len(inner.list) > 0 && inner.list[0].list == nil {
		section = below(section, 1)
	}
	t.walk(inner, section, depth+1)
}
