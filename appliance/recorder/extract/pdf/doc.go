// Package pdf reads the text of PDF documents (ISO 32000). PDFium does it, compiled to
// WebAssembly: a document that breaks it breaks nothing else, and it has neither files nor
// network.
//
// The module is compiled when the first document comes. That takes some seconds of CPU time, and
// 340 MB of memory meanwhile. Documents are read one at a time, each in memory of its own.
package pdf

import "errors"

// ErrLocked says that a document cannot be read without its password.
var ErrLocked = errors.New("the document is encrypted")

// ErrMissing says that this program has no reader of PDF: it is made with the race detector,
// by which the start of the reader would take minutes.
var ErrMissing = errors.New("PDF is not read by a program with the race detector")

// MaxPages bounds the pages of a document that are read.
const MaxPages = 20_000
