package extract

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
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

// column returns the number of a column, from 0: that of "C7" is 2.
func column(reference string) int {
	n := 0
	for _, c := range reference {
		if c < 'A' || c > 'Z' {
			break
		}
		n = n*26 + int(c-'A') + 1
	}
	return n - 1
}

// maxColumns bounds the columns of a row that have their place. Excel has 16,384.
const maxColumns = 16_384

// excel reads sheets: rows with tabs between the cells.
func (d *document) excel() error {
	shared, err := d.sharedStrings()
	names := d.sheetNames()
	for i, n := range d.matching("xl/worksheets/sheet*.xml") {
		place := fmt.Sprintf("sheet %d", i+1)
		if i < len(names) {
			place = "sheet " + names[i]
		}
		if e := d.sheet(n, place, shared); err == nil {
			err = e
		}
	}
	for _, n := range d.matching("xl/comments*.xml") {
		d.part(n, "comments", slideLayout)
	}
	return err
}

// sheetNames returns the names of sheets, in their order.
func (d *document) sheetNames() (names []string) {
	r, err := d.open("xl/workbook.xml")
	if err != nil {
		return nil
	}
	defer r.Close()
	x := xml.NewDecoder(r)
	for len(names) < maxColumns {
		token, err := x.RawToken()
		if err != nil {
			return names
		}
		if t, ok := token.(xml.StartElement); ok && t.Name.Local == "sheet" {
			names = append(names, attribute(t, "name"))
		}
	}
	return names
}

// sharedStrings returns the texts that cells refer to.
func (d *document) sharedStrings() (list []string, err error) {
	if d.files["xl/sharedStrings.xml"] == nil {
		return nil, nil
	}
	r, err := d.open("xl/sharedStrings.xml")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	x := xml.NewDecoder(r)
	x.Strict = false
	var text strings.Builder
	open, phonetic, size := false, false, uint64(0)
	for size < d.left.Text {
		token, err := x.RawToken()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			open = t.Name.Local == "t"
			phonetic = phonetic || t.Name.Local == "rPh"
		case xml.EndElement:
			open = false
			switch t.Name.Local {
			case "rPh":
				phonetic = false
			case "si":
				list = append(list, text.String())
				size += uint64(text.Len())
				text.Reset()
			}
		case xml.CharData:
			if open && !phonetic {
				text.Write(t)
			}
		}
	}
	d.h.Note(d.place, Bounded, "")
	return list, nil
}

// sheet reads one sheet.
func (d *document) sheet(name, place string, shared []string) error {
	r, err := d.open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	x := xml.NewDecoder(r)
	x.Strict = false
	s := &sheet{shared: shared}
	for uint64(s.out.Len()) < d.left.Text {
		token, e := x.RawToken()
		if e != nil {
			if e != io.EOF {
				err = e
			}
			break
		}
		s.token(token)
	}
	d.emit(within(d.place, place), s.out.Bytes())
	return err
}

// sheet is one under way.
type sheet struct {
	shared []string
	out    bytes.Buffer
	at     int // column of the next cell
	kind   string
	value  strings.Builder
	open   bool
}

func (s *sheet) token(token xml.Token) {
	switch t := token.(type) {
	case xml.StartElement:
		switch t.Name.Local {
		case "c":
			if c := column(attribute(t, "r")); c < maxColumns {
				for ; s.at < c; s.at++ {
					s.out.WriteByte('\t')
				}
			}
			s.kind = attribute(t, "t")
			s.value.Reset()
		case "v", "t", "oddHeader", "oddFooter":
			s.open = true
		}
	case xml.EndElement:
		switch t.Name.Local {
		case "v", "t":
			s.open = false
		case "oddHeader", "oddFooter":
			s.open = false
			s.out.WriteString(s.value.String() + "\n")
			s.value.Reset()
		case "c":
			s.cell()
		case "row":
			s.out.WriteByte('\n')
			s.at = 0
		}
	case xml.CharData:
		if s.open && s.value.Len() < 1<<20 {
			s.value.Write(t)
		}
	}
}

// cell writes a cell that is over.
func (s *sheet) cell() {
	text := s.value.String()
	if s.kind == "s" {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		text = ""
		if err == nil && n >= 0 && n < len(s.shared) {
			text = s.shared[n]
		}
	}
	s.out.WriteString(strings.NewReplacer("\n", " ", "\t", " ").Replace(text))
	s.value.Reset()
}
