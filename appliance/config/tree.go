package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// maxFile bounds a configuration file, in octets.
	maxFile = 16 << 20
	// maxDepth bounds how deep lists and tables nest in a file. The deepest
	// configuration has five levels.
	maxDepth = 16
	// maxIndent bounds the column at which a line or a list item of the block
	// style starts: indentation nests too.
	maxIndent = 256
)

// kind tells the three shapes of YAML values apart, and no value.
type kind uint8

const (
	null kind = iota
	scalar
	list
	dict
)

// node is one value of a file, free of the YAML library's types.
type node struct {
	place
	kind  kind
	text  string  // scalar, without quotes and escapes
	items []*node // list
	pairs []pair  // dict, in the order of the file, duplicates included
}

// pair is one entry of a table.
type pair struct {
	place // of the key
	key   string
	value *node
}

// parseTree reads one YAML document.
func parseTree(data []byte) (root *node, at place, err error) {
	if len(data) > maxFile {
		return nil, top, fmt.Errorf("file is longer than %d MiB", maxFile>>20)
	}
	if at, ok := validText(data); !ok {
		return nil, at, errors.New("file is not UTF-8 text")
	}
	if len(data) > wholeLimit {
		if root, ok := parsePieces(data, pieceSize); ok {
			return root, top, nil
		}
	}
	return parseWhole(data)
}

// parseWhole reads one YAML document at once. Only plain data passes: anchors,
// aliases, merge keys, tags and complex keys are refused, so that a value always
// stands where it is used and a small file cannot grow. It is the only function that
// calls the YAML library.
func parseWhole(data []byte) (root *node, at place, err error) {
	// The library is not ours, and its input is whatever a file holds.
	defer func() {
		if p := recover(); p != nil {
			root, at, err = nil, top, errors.New("not a YAML document")
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if at, err := plainData(tokens); err != nil {
		return nil, at, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, err := syntaxError(err)
		return nil, at, err
	}
	for i, doc := range file.Docs {
		if i > 0 {
			return nil, placeOf(doc.GetToken()), errors.New("want one document in the file")
		}
		if doc.Body != nil {
			root = convert(doc.Body)
		}
	}
	if root == nil {
		root = &node{place: top}
	}
	return root, top, nil
}

// validText reports whether data is UTF-8 without NUL, else where it is not.
func validText(data []byte) (place, bool) {
	at := top
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == 0 || r == utf8.RuneError && n == 1:
			return at, false
		case r == '\n':
			at = place{at.line + 1, 1}
		default:
			at.col++
		}
		data = data[n:]
	}
	return at, true
}

// plainData refuses what a configuration has no use for, and what would make
// the parser recurse, or look back, without bound: deep nesting and keys of keys.
func plainData(tokens token.Tokens) (place, error) {
	depth, colons, line := 0, 0, 0
	for _, tk := range tokens {
		at := placeOf(tk)
		newLine := at.line > line
		line = at.line
		if newLine && depth == 0 {
			colons = 0
		}
		switch tk.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return at, errors.New("anchors, aliases and merge keys are not supported")
		case token.TagType:
			return at, errors.New("tags are not supported")
		case token.DirectiveType:
			return at, errors.New("directives are not supported")
		case token.MappingKeyType:
			return at, errors.New("complex keys are not supported")
		case token.SequenceStartType, token.MappingStartType:
			depth, colons = depth+1, 0
		case token.SequenceEndType, token.MappingEndType:
			depth, colons = depth-1, 0
		case token.CollectEntryType:
			colons = 0
		case token.MappingValueType:
			if colons++; colons > 1 {
				return at, errors.New("a key has one value: quote a text that holds \": \"")
			}
		}
		indents := depth == 0 && (newLine || tk.Type == token.SequenceEntryType)
		if depth > maxDepth || indents && at.col > maxIndent {
			return at, errors.New("nested too deep")
		}
	}
	return place{}, nil
}

// syntaxError extracts place and message from an error of the library.
func syntaxError(err error) (place, error) {
	at, message := top, err.Error()
	if e, ok := errors.AsType[yaml.Error](err); ok {
		at, message = placeOf(e.GetToken()), e.GetMessage()
	}
	return at, errors.New(strings.Join(strings.Fields(message), " "))
}

func placeOf(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return top
	}
	return place{max(tk.Position.Line, 1), max(tk.Position.Column, 1)}
}

// convert turns the library's syntax tree into ours. What is not plain data has
// been refused before.
func convert(n ast.Node) *node {
	if n == nil {
		return &node{place: top}
	}
	out := &node{place: placeOf(n.GetToken())}
	switch v := n.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		out.kind, out.text = scalar, v.Value
	case *ast.LiteralNode:
		out.kind, out.text = scalar, v.Value.Value
	case *ast.SequenceNode:
		out.kind = list
		for _, item := range v.Values {
			out.items = append(out.items, convert(item))
		}
	case *ast.MappingValueNode:
		out.kind, out.pairs = dict, []pair{convertPair(v)}
		out.place = out.pairs[0].place
	case *ast.MappingNode:
		out.kind = dict
		for _, value := range v.Values {
			out.pairs = append(out.pairs, convertPair(value))
		}
		if !v.IsFlowStyle && len(out.pairs) > 0 {
			out.place = out.pairs[0].place
		}
	default: // numbers, booleans: their text as written
		out.kind, out.text = scalar, n.GetToken().Value
	}
	return out
}

func convertPair(v *ast.MappingValueNode) pair {
	key := v.Key.GetToken()
	return pair{place: placeOf(key), key: string(bytes.TrimSpace([]byte(key.Value))), value: convert(v.Value)}
}
