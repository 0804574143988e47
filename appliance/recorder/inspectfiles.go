package recorder

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Inspected is what was found in one file.
type Inspected struct {
	File     string
	Hash     trail.Hash
	Findings []Found
	Limited  bool // not all of it could be read
}

// InspectFiles looks through files for personal and confidential data, and calls f with what
// is in each. The text is read in a process of command, see [extractor.Options]; without one, in
// this process. The error is about files that could not be read; the others count.
func InspectFiles(ctx context.Context, files []string, o inspect.Options, command []string, f func(Inspected) error) error {
	x, err := inspect.New(o)
	if err != nil {
		return err
	}
	d := newTextReader(command)
	defer d.Close()
	var failed error
	for _, file := range files {
		found, err := inspectFile(ctx, x, d, file)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			failed = errors.Join(failed, err)
			continue
		}
		if err := f(found); err != nil {
			return err
		}
	}
	return failed
}

func inspectFile(ctx context.Context, x *inspect.Inspector, d *textReader, file string) (found Inspected, err error) {
	found.File = file
	f, err := os.Open(file)
	if err != nil {
		return found, err
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return found, err
	}
	if !i.Mode().IsRegular() {
		return found, fmt.Errorf("%s is no file", file)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return found, err
	}
	h.Sum(found.Hash[:0])
	e, err := d.examine(ctx, x, f, i.Size(), extract.Hint{Name: filepath.Base(file)})
	found.Findings, found.Limited = e.findings, e.limited || err != nil
	return found, ctx.Err()
}
