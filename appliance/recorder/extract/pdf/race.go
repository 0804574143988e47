//go:build race

package pdf

import (
	"context"
	"io"
)

// Document is one that is open: here, none is.
type Document struct{}

// Open returns [ErrMissing].
func Open(io.ReaderAt, int64, []string) (*Document, error) { return nil, ErrMissing }

// Pages returns how many pages there are.
func (*Document) Pages() int { return 0 }

// Text returns the text of a page, which count from 0.
func (*Document) Text(int) (string, error) { return "", ErrMissing }

// Attachments calls f with the files that are in the document, until it returns false.
func (*Document) Attachments(context.Context, func(name string, octets []byte) bool) error {
	return ErrMissing
}

// Close gives the document up.
func (*Document) Close() {}
