package policy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	maxList       = 10_000_000 // names of one list
	maxListLine   = 4096       // octets
	maxListErrors = 20         // faults of one list that are told
)

// List is a category: a set of names, each of which stands for itself and for
// every name below it. An address stands for itself. It is immutable and safe for
// concurrent use; a million names take about 30 MB, without pointers.
type List struct {
	name  string
	names nameTable
	urls  *urlTable // of a list of URLs, which has no names; nil: it is none
	count int       // of URLs
}

// ListError is one fault in the file of a list.
type ListError struct {
	File      string
	Line, Col int // from 1, Col in characters
	Err       error
}

// Error returns "FILE:LINE:COL: what is wrong", on one line.
func (e *ListError) Error() string { return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Col, e.Err) }

// Unwrap returns what is wrong.
func (e *ListError) Unwrap() error { return e.Err }

// ReadList reads a list of one name a line. "#" begins a comment, empty lines are
// passed over; letter case, a trailing dot and names that are there twice do not
// matter, international names are compared in their ASCII form. Every fault is a
// [*ListError] for file, one a line.
func ReadList(name, file string, r io.Reader) (*List, error) {
	l := &List{name: name, names: newNameTable(0)}
	var n hostName
	if err := readEntries(name, file, r, func(entry string) error { return l.add(&n, entry) }); err != nil {
		return nil, err
	}
	l.names.clip()
	return l, nil
}

// readEntries calls add with every entry of a list.
func readEntries(name, file string, r io.Reader, add func(entry string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxListLine), maxListLine)
	var errs []error
	line := 0
	for lines.Scan() && len(errs) < maxListErrors {
		line++
		text := lines.Bytes()
		if line == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // a byte order mark
		}
		text, _, _ = bytes.Cut(text, []byte("#"))
		entry := bytes.TrimSpace(text)
		if len(entry) == 0 {
			continue
		}
		if err := add(string(entry)); err != nil {
			before := text[:bytes.Index(text, entry)]
			errs = append(errs, &ListError{file, line, utf8.RuneCount(before) + 1, err})
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		errs = append(errs, &ListError{file, line + 1, 1, fmt.Errorf("line is longer than %d octets", maxListLine)})
	} else if err != nil {
		errs = append(errs, fmt.Errorf("read list %s: %w", name, err))
	}
	return errors.Join(errs...)
}

func (l *List) add(n *hostName, s string) error {
	switch {
	case len(s) > 1 && s[0] == '*':
		return fmt.Errorf("%q: a name covers all names below it, leave the star out", s)
	case !n.set(s):
		return fmt.Errorf("%q is not a name or address", s)
	case l.names.count >= maxList:
		return errTableFull
	}
	_, err := l.names.add(n.bytes())
	return err
}

// Name returns the name of the list.
func (l *List) Name() string { return l.name }

// Len returns how many names or URLs the list has.
func (l *List) Len() int { return l.names.count + l.count }

// Octets returns how much memory they take.
func (l *List) Octets() int {
	if l.urls != nil {
		return 8 * len(l.urls.slots)
	}
	return l.names.octets()
}

// meets reports whether the list stands for the host, or for the request, of s.
func (l *List) meets(s *subject) bool {
	if l.urls == nil {
		return l.has(&s.sni) || l.has(&s.host)
	}
	r := s.facts.Request
	return r != nil && l.urls.has(s.target(), r.path, r.Doubt)
}

// Has reports whether a name of the list stands for host, in any spelling. It
// allocates nothing unless host is not ASCII.
func (l *List) Has(host string) bool {
	var n hostName
	return n.set(host) && l.has(&n)
}

func (l *List) has(n *hostName) bool {
	b := n.bytes()
	if len(b) == 0 {
		return false
	}
	if l.names.has(b) {
		return true
	}
	if n.address {
		return false
	}
	for i, c := range b {
		if c == '.' && l.names.has(b[i+1:]) {
			return true
		}
	}
	return false
}
