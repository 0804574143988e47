package recorder

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/extractor"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
)

// textReader reads the text of files: in a process of its own, if there is a command for it.
// A nil one reads them in this process.
type textReader struct {
	options extractor.Options
	fixed   bool // no other process can be started

	mu sync.Mutex
	x  *extractor.Extractor // nil: none was needed yet
}

// newTextReader returns one that starts the process when the first file comes; nil without a
// command.
func newTextReader(command []string) *textReader {
	if len(command) == 0 {
		return nil
	}
	return &textReader{options: extractor.Options{Command: command}}
}

// startTextReader returns one whose process is there before this one is confined.
func startTextReader(command []string, user string) (d *textReader, err error) {
	if d = newTextReader(command); d != nil {
		d.options.User, d.fixed = user, true
		d.x, err = extractor.Start(d.options)
	}
	return d, err
}

// open returns the process.
func (d *textReader) open() (x *extractor.Extractor, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.x == nil {
		if d.fixed {
			return nil, extractor.ErrGone
		}
		d.x, err = extractor.Start(d.options)
	}
	return d.x, err
}

// drop gives a process up that is gone, so that another one is started.
func (d *textReader) drop(x *extractor.Extractor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.x == x {
		d.x = nil
		x.Close()
	}
}

// Close ends the process.
func (d *textReader) Close() error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.x == nil {
		return nil
	}
	x := d.x
	d.x, d.fixed = nil, true
	return x.Close()
}

// taker takes what is found in a file, in this process or from another one.
type taker interface {
	extract.Handler
	extractor.Handler
}

// tries bounds how often a file is read whose reader ends. The file need not be the cause.
const tries = 2

// read has a file read. begin returns who takes what is found: a reader that ends is followed
// by another one, which begins anew. Errors of package extractor say that not all was read.
func (d *textReader) read(ctx context.Context, r io.ReaderAt, size int64, hint extract.Hint, begin func() taker) error {
	if d == nil {
		return extract.File(ctx, r, size, hint, extract.Limits{}, begin())
	}
	for try := 1; ; try++ {
		h := begin()
		x, err := d.open()
		if err != nil {
			return err
		}
		err = x.File(ctx, r, size, hint, h)
		gone := errors.Is(err, extractor.ErrGone)
		if gone {
			d.drop(x)
		}
		if try == tries || !gone && !errors.Is(err, extractor.ErrEnded) {
			return err
		}
	}
}

// examine looks through a file.
func (d *textReader) examine(ctx context.Context, x *inspect.Inspector, r io.ReaderAt, size int64, hint extract.Hint) (*examination, error) {
	var e *examination
	err := d.read(ctx, r, size, hint, func() taker {
		e = &examination{inspector: x, byName: make(map[string]int)}
		return e
	})
	if unread(err) {
		e.limited, e.unread = true, err
	}
	return e, err
}

// unread reports whether an error is one of the process, not of the file.
func unread(err error) bool {
	return errors.Is(err, extractor.ErrEnded) || errors.Is(err, extractor.ErrDeadline) || errors.Is(err, extractor.ErrGone)
}
