package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Hint is what is known of a file besides its octets.
type Hint struct {
	Name    string
	Type    string // media type
	Charset string
	// Passwords are tried on the members of encrypted zip archives, in this order. The slice is
	// owned by the call.
	Passwords []string
}

// Limits bound the work for one file. The zero value stands for the defaults.
type Limits struct {
	Depth    int    // of archives in each other; default 5
	Members  int    // of all archives; default 10,000
	Unpacked uint64 // octets out of archives; default 1 GiB
	Text     uint64 // octets of text; default 64 MiB
}

// Note is something that is worth knowing of a file, besides its text.
type Note string

const (
	Encrypted Note = "encrypted-container" // it cannot be read without a password
	Bounded   Note = "bounded"             // a limit was reached: not all was read
	Damaged   Note = "damaged"             // not all could be read
	Unread    Note = "unread"              // a form whose text is not read
)

// Handler takes what is found.
type Handler interface {
	// Text takes a piece of text in UTF-8, which it borrows. The place is "" for the file as
	// a whole, or one such as "sheet 名簿", with the names of archives' members in front.
	Text(place string, text []byte)
	// Member begins a file of an archive. What it returns takes the octets, and is closed
	// before another one begins beside it; nil: nobody wants them.
	Member(name string) io.WriteCloser
	// Note tells of the file at a place. The text is a name or a label that belongs to it.
	Note(place string, n Note, text string)
	// Label takes the sensitivity label of an office document.
	Label(place, label string)
}

// File reads a file of that size.
func File(ctx context.Context, r io.ReaderAt, size int64, hint Hint, l Limits, h Handler) error {
	if l.Depth <= 0 {
		l.Depth = 5
	}
	if l.Members <= 0 {
		l.Members = 10_000
	}
	if l.Unpacked == 0 {
		l.Unpacked = 1 << 30
	}
	if l.Text == 0 {
		l.Text = 64 << 20
	}
	x := &extraction{ctx: ctx, left: l, h: h}
	return x.file(io.NewSectionReader(r, 0, size), hint, "", 0)
}

// extraction is the work for one file.
type extraction struct {
	ctx   context.Context
	left  Limits // what may still come
	tries int    // of passwords
	h     Handler
}

// within joins places.
func within(place, inner string) string {
	if place == "" || inner == "" {
		return place + inner
	}
	return place + ", " + inner
}

// Beginning is how many octets tell what a file is.
const Beginning = 4096

// Readable reports whether text may be found in a file with these first octets. They may be
// less than [Beginning].
func Readable(first []byte, hint Hint) bool {
	f := &found{head: first[:min(len(first), Beginning)], hint: hint}
	for _, form := range forms {
		if form.is(f) {
			return true
		}
	}
	return false
}

// file reads a file. A panic of a library is an error of the file.
func (x *extraction) file(r *io.SectionReader, hint Hint, place string, depth int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: the reader failed: %v", place, p)
		}
		if err != nil && x.ctx.Err() == nil {
			x.h.Note(place, Damaged, "")
		}
	}()
	if err := x.ctx.Err(); err != nil {
		return err
	}
	head := make([]byte, Beginning)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	f := &found{extraction: x, r: r, head: head, hint: hint, place: place, depth: depth}
	for _, form := range forms {
		if form.is(f) {
			return form.read(f)
		}
	}
	return nil
}

// found is a file whose form is known.
type found struct {
	*extraction
	r     *io.SectionReader
	head  []byte
	hint  Hint
	place string
	depth int
}

// form is one that files have.
type form struct {
	is   func(*found) bool
	read func(*found) error
}

// begins returns a test for the first octets.
func begins(magic string) func(*found) bool {
	return func(f *found) bool { return bytes.HasPrefix(f.head, []byte(magic)) }
}

// forms are all, those that are certain first.
var forms []form

func init() {
	forms = []form{
		{begins("PK\x03\x04"), (*found).zip},
		{begins("PK\x05\x06"), func(*found) error { return nil }}, // an empty archive
		{begins("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), (*found).compound},
		{begins("7z\xbc\xaf\x27\x1c"), (*found).sevenZip},
		{begins("Rar!\x1a\x07"), (*found).rar},
		{begins("\x1f\x8b"), (*found).gzip},
		{begins("BZh"), (*found).bzip2},
		{begins("\xfd7zXZ\x00"), (*found).xz},
		{begins("\x28\xb5\x2f\xfd"), (*found).zstd},
		{isTar, (*found).tar},
		{begins("{\\rtf"), (*found).rtf},
		{begins("%PDF-"), (*found).pdf},
		{isMail, (*found).mail},
		{isHTML, (*found).html},
		{isText, (*found).text},
	}
}

// unread tells of a file whose form is known, and whose text is not read.
func (f *found) unread() error {
	f.h.Note(f.place, Unread, f.hint.Name)
	return nil
}

// emit hands out text, as far as the limit goes.
func (x *extraction) emit(place string, text []byte) {
	if len(bytes.TrimSpace(text)) == 0 {
		return
	}
	if uint64(len(text)) > x.left.Text {
		text = text[:x.left.Text]
		x.h.Note(place, Bounded, "")
	}
	x.left.Text -= uint64(len(text))
	if len(text) > 0 {
		x.h.Text(place, text)
	}
}

// all returns all octets of the file, as far as text may still come.
func (f *found) all() ([]byte, error) {
	limit := int64(min(f.left.Text, 1<<30))
	if f.r.Size() > limit {
		f.h.Note(f.place, Bounded, "")
	}
	return io.ReadAll(io.NewSectionReader(f.r, 0, min(f.r.Size(), limit)))
}
