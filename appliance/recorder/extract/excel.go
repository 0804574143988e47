package extract

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

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
	at     int // column that is written
	next   int // column of the next cell
	kind   string
	value  strings.Builder
	open   bool
}

func (s *sheet) token(token xml.Token) {
	switch t := token.(type) {
	case xml.StartElement:
		switch t.Name.Local {
		case "c":
			c := s.next // a cell need not say where it is
			if r := attribute(t, "r"); r != "" {
				c = column(r)
			}
			if c < maxColumns {
				for ; s.at < c; s.at++ {
					s.out.WriteByte('\t')
				}
				s.next = c + 1
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
			s.at, s.next = 0, 0
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
