package extract

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// office reads the text of a zip archive that is an office document. It returns false if the
// archive is none.
func (f *found) office(z *zip.Reader) (bool, error) {
	files := make(map[string]*zip.File, len(z.File))
	for _, m := range z.File {
		files[strings.TrimPrefix(m.Name, "/")] = m
	}
	d := &document{found: f, files: files}
	var err error
	switch {
	case files["word/document.xml"] != nil:
		err = d.word()
	case files["xl/workbook.xml"] != nil:
		err = d.excel()
	case files["ppt/presentation.xml"] != nil:
		err = d.powerpoint()
	case files["content.xml"] != nil && files["mimetype"] != nil:
		err = d.openDocument()
	default:
		return false, nil
	}
	d.properties()
	return true, err
}

// document is an office document.
type document struct {
	*found
	files map[string]*zip.File
}

// open returns a part of the document. Its octets count as unpacked.
func (d *document) open(name string) (io.ReadCloser, error) {
	m := d.files[name]
	if m == nil {
		return nil, fmt.Errorf("%s is missing", name)
	}
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{d.counted(r), r}, nil
}

// matching returns the parts whose names have a form, in the order of their numbers.
func (d *document) matching(pattern string) (names []string) {
	for n := range d.files {
		if ok, _ := path.Match(pattern, n); ok {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return names
}

// layout says what elements mean for the text: what is written at their beginnings and ends.
type layout struct {
	text       map[string]bool // elements whose characters are text; nil: all
	start, end map[string]string
}

var (
	wordLayout = layout{
		text:  map[string]bool{"t": true, "delText": true, "instrText": true},
		start: map[string]string{"tab": "\t", "br": "\n", "cr": "\n"},
		end:   map[string]string{"p": "\n", "tc": "\t", "tr": "\n"},
	}
	slideLayout = layout{
		text:  map[string]bool{"t": true},
		start: map[string]string{"br": "\n"},
		end:   map[string]string{"p": "\n", "tc": "\t", "tr": "\n"},
	}
	openLayout = layout{
		start: map[string]string{"tab": "\t", "line-break": "\n", "s": " "},
		end:   map[string]string{"p": "\n", "h": "\n", "table-cell": "\t", "table-row": "\n"},
	}
)

// characters returns the text of a part. Ends of lines within a cell become blanks.
func (d *document) characters(r io.Reader, l layout) ([]byte, error) {
	x := xml.NewDecoder(r)
	x.Strict = false
	var out bytes.Buffer
	open, cell := 0, 0
	for uint64(out.Len()) < d.left.Text {
		token, err := x.RawToken()
		if err == io.EOF {
			return out.Bytes(), nil
		}
		if err != nil {
			return out.Bytes(), err
		}
		switch t := token.(type) {
		case xml.StartElement:
			n := t.Name.Local
			if l.text == nil || l.text[n] {
				open++
			}
			if n == "tc" || n == "table-cell" {
				cell++
			}
			out.WriteString(l.start[n])
		case xml.EndElement:
			n := t.Name.Local
			if l.text == nil || l.text[n] {
				open--
			}
			s := l.end[n]
			if n == "tc" || n == "table-cell" {
				cell--
			} else if cell > 0 && s == "\n" && n != "tr" && n != "table-row" {
				s = " "
			}
			out.WriteString(s)
		case xml.CharData:
			if open > 0 {
				out.Write(t)
			}
		}
	}
	d.h.Note(d.place, Bounded, "")
	return out.Bytes(), nil
}

// part hands out the text of a part.
func (d *document) part(name, place string, l layout) error {
	r, err := d.open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	text, err := d.characters(r, l)
	d.emit(within(d.place, place), text)
	return err
}

func (d *document) word() error {
	err := d.part("word/document.xml", "", wordLayout)
	for _, kind := range []string{"header", "footer", "footnotes", "endnotes", "comments"} {
		for _, n := range d.matching("word/" + kind + "*.xml") {
			if e := d.part(n, kind, wordLayout); err == nil {
				err = e
			}
		}
	}
	return err
}

func (d *document) powerpoint() (err error) {
	for _, kind := range []string{"slide", "notesSlide", "slideMaster"} {
		for i, n := range d.matching("ppt/" + kind + "s/" + kind + "*.xml") {
			if e := d.part(n, fmt.Sprintf("%s %d", kind, i+1), slideLayout); err == nil {
				err = e
			}
		}
	}
	return err
}

func (d *document) openDocument() error {
	err := d.part("content.xml", "", openLayout)
	if d.files["styles.xml"] != nil { // headers and footers
		if e := d.part("styles.xml", "styles", openLayout); err == nil {
			err = e
		}
	}
	return err
}

// properties reads title and keywords, and sensitivity labels.
func (d *document) properties() {
	for _, n := range []string{"docProps/core.xml", "docProps/app.xml", "meta.xml"} {
		if d.files[n] != nil {
			d.part(n, "properties", layout{end: map[string]string{"title": "\n", "subject": "\n", "keywords": "\n", "description": "\n", "category": "\n", "creator": "\n", "Company": "\n"}})
		}
	}
	r, err := d.open("docProps/custom.xml")
	if err != nil {
		return
	}
	defer r.Close()
	x := xml.NewDecoder(r)
	x.Strict = false
	property := ""
	for {
		token, err := x.RawToken()
		if err != nil {
			return
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local == "property" {
				property = attribute(t, "name")
			}
		case xml.CharData:
			if strings.HasPrefix(property, "MSIP_Label_") && strings.HasSuffix(property, "_Name") && len(bytes.TrimSpace(t)) > 0 {
				d.h.Label(d.place, string(t))
			}
		}
	}
}

// attribute returns an attribute by its local name.
func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
