package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Messages that more than one fault has.
const (
	noAnchors = `anchors, aliases and merge keys are not supported: quote a text that starts with "&" or "*"`
	noTags    = `tags are not supported: quote a text that starts with "!"`
	tooDeep   = "nested too deep"
	noTabs    = "a tab cannot indent: use spaces"
	oneColon  = `unexpected ":": check the indentation, and quote a text that holds ": "`
)

// faults are those that the YAML library finds, by its words, in words for operators.
var faults = map[string]string{
	tooDeep: tooDeep,
	"mapping values are not allowed in this context":               oneColon,
	"could not find expected ':'":                                  `want ":" after this key`,
	"did not find expected key":                                    "want a key here: check indentation and quotes",
	"did not find expected '-' indicator":                          `want "- " as before the items above: check the indentation`,
	"block sequence entries are not allowed in this context":       `unexpected "- ": start a list on a line of its own`,
	"found character that cannot start any token":                  "no value starts with this character: quote the text",
	"found a tab character that violates indentation":              noTabs,
	"found a tab character where an indentation space is expected": noTabs,
	"did not find expected node content":                           "want a value here",
	"did not find expected <document start>":                       "unexpected text: the value above is complete",
	"found unknown escape character":                               `unknown escape: write "\\" for a backslash, or use single quotes`,
}

// unsupported are messages about what YAML has and a configuration has not, by what the
// library was doing.
var unsupported = map[string]string{
	"while scanning an anchor": noAnchors,
	"while scanning an alias":  noAnchors,
	"while scanning a tag":     noTags,
	"while parsing a node":     noTags,
}

// syntaxError returns place and message of an error of the YAML library. Quotes and
// brackets that are not closed are reported where they open.
func syntaxError(data []byte, err error) (place, error) {
	e, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return top, errors.New("not a YAML document")
	}
	at, start := markPlace(e.Mark), markPlace(e.ContextMark)
	text := after(data, at)
	here := string(text[:min(1, len(text))])
	switch {
	case e.Stage == yaml.ReaderStage:
		return unreadable(data), errors.New("control characters are not allowed: write them as escapes in double quotes")
	case strings.HasPrefix(e.Message, "unknown anchor"):
		return at, errors.New(noAnchors)
	case unsupported[e.ContextMsg] != "":
		return start, errors.New(unsupported[e.ContextMsg])
	case e.ContextMsg == "while scanning a quoted scalar" && strings.HasPrefix(e.Message, "found unexpected"):
		return start, errors.New("text in quotes is not closed")
	case e.ContextMsg == "while parsing a flow sequence":
		return unclosed(start, at, here, "[", "]")
	case e.ContextMsg == "while parsing a flow mapping":
		return unclosed(start, at, here, "{", "}")
	case e.ContextMsg == "while parsing a flow node" && here == "":
		// Where the bracket is, the library tells if a value is the last thing in it.
		if _, err := compose(append(bytes.Clone(data), "\n0"...), 1); err != nil {
			return syntaxError(nil, err)
		}
	case e.ContextMsg == "while scanning a simple key":
		at = start
	case here == "\t":
		return at, errors.New(noTabs)
	}
	if message, ok := faults[e.Message]; ok {
		return at, errors.New(message)
	}
	return at, errors.New(strings.TrimPrefix(e.ContextMsg+": "+e.Message, ": "))
}

// unclosed reports a bracket in which something else than a comma, or its end, comes
// after a value.
func unclosed(start, at place, here, bracket, end string) (place, error) {
	switch {
	case here == "":
		return start, fmt.Errorf("%q is not closed", bracket)
	case at.line > start.line:
		return start, fmt.Errorf(`%q is not closed: want "," or %q on line %d, column %d`, bracket, end, at.line, at.col)
	case here == ":":
		return at, errors.New(oneColon)
	}
	return at, fmt.Errorf(`want "," or %q`, end)
}

func markPlace(m yaml.Mark) place { return place{max(m.Line, 1), max(m.Column, 1)} }

// unreadable returns where data is not UTF-8, or holds a character that YAML forbids
// (YAML 1.2.2, Section 5.1).
func unreadable(data []byte) place {
	at := top
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && n == 1, r < ' ' && !strings.ContainsRune("\t\n\r", r), r == 0xfffe, r == 0xffff:
			return at
		case r == '\n':
			at = place{at.line + 1, 1}
		default:
			at.col++
		}
		data = data[n:]
	}
	return at
}

// after returns what stands at a place and behind it.
func after(data []byte, at place) []byte {
	line := 0
	for text := range bytes.Lines(data) {
		if line++; line == at.line {
			for range at.col - 1 {
				_, n := utf8.DecodeRune(text)
				text = text[n:]
			}
			return text
		}
	}
	return nil
}
