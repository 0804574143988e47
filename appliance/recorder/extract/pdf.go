package extract

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/clearspan/clearspan/appliance/recorder/extract/pdf"
)

// pdf reads a PDF document page by page, and the files that are attached to it. One without text
// has pictures of it, at best: it counts as not read.
func (f *found) pdf() error {
	d, err := pdf.Open(f.r, f.r.Size(), f.hint.Passwords)
	switch {
	case errors.Is(err, pdf.ErrLocked):
		f.h.Note(f.place, Encrypted, f.hint.Name)
		return nil
	case errors.Is(err, pdf.ErrMissing):
		return f.unread()
	}
	if err != nil {
		return err
	}
	attached, read, err := f.document(d)
	d.Close() // before others are opened
	if err != nil {
		return err
	}
	if !read && len(attached) == 0 {
		return f.unread()
	}
	for _, a := range attached {
		if err := f.member(a.name, func() (io.Reader, error) { return bytes.NewReader(a.octets), nil }); err != nil {
			return f.bounded(err)
		}
	}
	return nil
}

// attachment is a file in a document.
type attachment struct {
	name   string
	octets []byte
}

// maxAttached bounds the octets of attachments of one document that wait.
const maxAttached = 64 << 20

// document hands out the text of a document, and returns what is attached.
func (f *found) document(d *pdf.Document) (attached []attachment, read bool, err error) {
	if d.Pages() > pdf.MaxPages {
		f.h.Note(f.place, Bounded, "")
	}
	for page := range min(d.Pages(), pdf.MaxPages) {
		if err := f.ctx.Err(); err != nil {
			return nil, read, err
		}
		text, err := d.Text(page)
		if err != nil {
			return nil, read, err
		}
		read = read || len(text) > 0
		f.emit(within(f.place, fmt.Sprintf("page %d", page+1)), []byte(text))
	}
	left := maxAttached
	err = d.Attachments(f.ctx, func(name string, octets []byte) bool {
		if left -= len(octets); left < 0 {
			f.h.Note(f.place, Bounded, name)
			return false
		}
		attached = append(attached, attachment{name, bytes.Clone(octets)})
		return true
	})
	return attached, read, err
}
