package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

const (
	// maxFile bounds a configuration file, in octets.
	maxFile = 16 << 20
	// maxDepth bounds how deep lists and tables nest in a file, in the block style
	// and again in the flow style. The deepest configuration has five levels.
	maxDepth = 16
)

// kind tells the three shapes of YAML values apart, and no value.
type kind uint8

const (
	null kind = iota
	scalar
	list
	dict
)

// node is one value of a file: the YAML library's, behind methods of ours. A copy would
// take half as much memory again.
type node yaml.Node

// place returns where n stands.
func (n *node) place() place { return place{max(n.Line, 1), max(n.Column, 1)} }

func (n *node) kind() kind {
	switch {
	case n.Kind == yaml.SequenceNode:
		return list
	case n.Kind == yaml.MappingNode:
		return dict
	case n.Tag == nullTag:
		return null
	}
	return scalar
}

// text returns a scalar without quotes and escapes.
func (n *node) text() string { return n.Value }

// items returns those of a list.
func (n *node) items() []*node {
	items := make([]*node, len(n.Content))
	for i, item := range n.Content {
		items[i] = (*node)(item)
	}
	return items
}

// pairs returns those of a table in the order of the file, duplicates included.
func (n *node) pairs() []pair {
	pairs := make([]pair, len(n.Content)/2)
	for i := range pairs {
		key, value := (*node)(n.Content[2*i]), (*node)(n.Content[2*i+1])
		pairs[i] = pair{key.place(), key.Value, value}
	}
	return pairs
}

// pair is one entry of a table.
type pair struct {
	place // of the key
	key   string
	value *node
}

// parseTree reads one YAML document. Only plain data passes: anchors, aliases, merge
// keys, tags, directives and complex keys are refused, so that a value always stands
// where it is used and a small file cannot grow.
func parseTree(data []byte) (root *node, at place, err error) {
	if len(data) > maxFile {
		return nil, top, fmt.Errorf("file is longer than %d MiB", maxFile>>20)
	}
	if !utf8.Valid(data) {
		return nil, unreadable(data), errors.New("file is not UTF-8 text")
	}
	if at, ok := directive(data); ok {
		return nil, at, errors.New("directives are not supported")
	}
	// The library is not ours, and its input is whatever a file holds.
	defer func() {
		if p := recover(); p != nil {
			root, at, err = nil, top, errors.New("not a YAML document")
		}
	}()
	documents, err := compose(data, 2)
	if err != nil {
		at, err := syntaxError(data, err)
		return nil, at, err
	}
	switch len(documents) {
	case 0:
		return &node{Kind: yaml.ScalarNode, Tag: nullTag}, top, nil
	case 2:
		return nil, (*node)(documents[1]).place(), errors.New("want one document in the file")
	}
	root = (*node)(documents[0].Content[0])
	if at, err := root.plain(); err != nil {
		return nil, at, err
	}
	return root, top, nil
}

// compose has the YAML library read up to n documents.
func compose(data []byte, n int) (documents []*yaml.Node, err error) {
	limits := loaderlimits.New(loaderlimits.DepthFunc(func(depth int, _ *yaml.DepthContext) error {
		if depth > maxDepth {
			return errors.New(tooDeep)
		}
		return nil
	}))
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(limits))
	if err != nil {
		return nil, err
	}
	for range n {
		var document yaml.Node
		if err := loader.Load(&document); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		documents = append(documents, &document)
	}
	return documents, nil
}

// directive reports whether a file begins with a YAML directive, and where.
func directive(data []byte) (at place, ok bool) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	for line := range bytes.Lines(data) {
		at = place{at.line + 1, 1}
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] != '#' {
			return at, line[0] == '%'
		}
	}
	return at, false
}

// Tags that the library gives to values without one.
const (
	nullTag  = "!!null"
	mergeTag = "!!merge"
)

// plain refuses what a configuration has no use for, and returns where it is.
func (n *node) plain() (place, error) {
	switch {
	case n.Anchor != "" || n.Kind == yaml.AliasNode:
		return n.place(), errors.New(noAnchors)
	case n.Style&yaml.TaggedStyle != 0 || n.Tag == "!":
		return n.place(), errors.New(noTags)
	}
	for i, child := range n.Content {
		c := (*node)(child)
		if n.kind() == dict && i%2 == 0 {
			switch {
			case c.Tag == mergeTag:
				return c.place(), errors.New(noAnchors)
			case c.kind() == list || c.kind() == dict:
				return c.place(), errors.New("complex keys are not supported")
			}
		}
		if at, err := c.plain(); err != nil {
			return at, err
		}
	}
	return place{}, nil
}
