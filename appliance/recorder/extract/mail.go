package extract

import (
	"bytes"
	"io"
	"strings"

	"github.com/clearspan/clearspan/appliance/object"
)

// isMail reports whether the file is a mail message: by its type, or by the fields that it
// begins with.
func isMail(f *found) bool {
	if f.hint.Type == "message/rfc822" {
		return true
	}
	fields := 0
	for line := range bytes.Lines(f.head) {
		key, _, ok := bytes.Cut(line, []byte(":"))
		switch strings.ToLower(string(key)) {
		case "from", "to", "subject", "date", "message-id", "received", "mime-version", "return-path", "delivered-to", "content-type":
			fields++
		}
		if !ok && line[0] != ' ' && line[0] != '\t' {
			break
		}
	}
	return fields >= 3
}

// mail reads a message: its header, and each part as a file of its own.
func (f *found) mail() error {
	p, err := f.all()
	if err != nil {
		return err
	}
	s := &letter{found: f}
	m := object.New(object.Content{Mail: true}, s)
	m.Write(p)
	m.Close(true)
	return f.bounded(s.err)
}

// letter takes the objects of a message.
type letter struct {
	*found
	err error
}

// Begin implements [object.Sink].
func (l *letter) Begin(d *object.Description) object.Writer {
	if h := d.Header; h != nil {
		l.emit(within(l.place, "header"), []byte(h.Subject+"\n"+h.From+"\n"+h.To+"\n"+h.CC+"\n"))
		return nil
	}
	return &letterPart{letter: l, d: *d}
}

// letterPart is one part.
type letterPart struct {
	*letter
	d    object.Description
	kept bytes.Buffer
}

func (p *letterPart) Write(b []byte) { (&limited{&p.kept}).Write(b) }
func (p *letterPart) Hole(uint64)    {}

func (p *letterPart) Close(object.Ending) {
	if p.err != nil {
		return
	}
	if p.depth+1 > p.left.Depth {
		p.h.Note(p.place, Bounded, p.d.Name)
		return
	}
	place := "part " + p.d.Part
	if p.d.Part == "" {
		place = "text"
	}
	if p.d.Name != "" {
		place = p.d.Name
		if out := p.h.Member(within(p.place, place)); out != nil {
			_, err := out.Write(p.kept.Bytes())
			if e := out.Close(); err == nil {
				err = e
			}
			p.err = err
		}
	}
	b := p.kept.Bytes()
	p.file(io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))), Hint{Name: p.d.Name, Type: p.d.Type, Charset: p.d.Charset, Passwords: p.hint.Passwords}, within(p.place, place), p.depth+1)
}
