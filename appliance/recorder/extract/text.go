package extract

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// isText reports whether the beginning has no octets that text never has.
func isText(f *found) bool {
	if len(f.head) == 0 {
		return false
	}
	if bytes.HasPrefix(f.head, []byte("\xff\xfe")) || bytes.HasPrefix(f.head, []byte("\xfe\xff")) {
		return true
	}
	odd := 0
	for _, c := range f.head {
		switch {
		case c == 0:
			return wide(f.head) != nil
		case c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b, c == 0x7f:
			odd++
		}
	}
	return odd*100 <= len(f.head)
}

// text reads plain text.
func (f *found) text() error {
	p, err := f.all()
	if err != nil {
		return err
	}
	f.emit(f.place, unescaped(decoded(f.hint.Charset, p)))
	return nil
}

// decoded returns text in UTF-8: by its mark, by the charset that is declared, or as the
// octets tell.
func decoded(charset string, p []byte) []byte {
	switch {
	case bytes.HasPrefix(p, []byte("\xef\xbb\xbf")):
		return bytes.ToValidUTF8(p[3:], []byte("\ufffd"))
	case bytes.HasPrefix(p, []byte("\xff\xfe")):
		return fromUTF16(p[2:], binary.LittleEndian)
	case bytes.HasPrefix(p, []byte("\xfe\xff")):
		return fromUTF16(p[2:], binary.BigEndian)
	case bytes.IndexByte(p, 0x1b) < 0 && bytes.IndexByte(p, 0) < 0 && utf8.Valid(p):
		return p
	}
	if head := p[:min(len(p), Beginning)]; bytes.IndexByte(head, 0) >= 0 {
		if order := wide(head); order != nil {
			return fromUTF16(p, order)
		}
	}
	return []byte(name.Decode(charset, p))
}

func fromUTF16(p []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(p)/2)
	for i := range units {
		units[i] = order.Uint16(p[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// isHTML reports whether the file is HTML, by its type or its first element.
func isHTML(f *found) bool {
	if !isText(f) {
		return false
	}
	if strings.Contains(f.hint.Type, "html") {
		return true
	}
	head := strings.ToLower(string(bytes.TrimSpace(f.head[:min(len(f.head), 1024)])))
	return strings.HasPrefix(head, "<!doctype html") || strings.HasPrefix(head, "<html") || strings.HasPrefix(head, "<head") || strings.HasPrefix(head, "<body")
}

// html reads the text of a page. Elements that begin a line do so in the text.
func (f *found) html() error {
	p, err := f.all()
	if err != nil {
		return err
	}
	charset := f.hint.Charset
	if charset == "" {
		charset = declared(p)
	}
	z := html.NewTokenizer(bytes.NewReader(decoded(charset, p)))
	var out bytes.Buffer
	skip := ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			f.emit(f.place, out.Bytes())
			return nil
		case html.TextToken:
			if skip == "" {
				out.Write(bytes.ReplaceAll(z.Text(), []byte("\u00a0"), []byte(" ")))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			tag, _ := z.TagName()
			switch string(tag) {
			case "script", "style":
				skip = string(tag)
			case "td", "th":
				out.WriteByte('\t')
			case "br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "title", "table", "section":
				out.WriteByte('\n')
			}
		case html.EndTagToken:
			if tag, _ := z.TagName(); string(tag) == skip {
				skip = ""
			}
		}
	}
}

// declared returns the charset that a page names in its first KiB.
func declared(p []byte) string {
	_, rest, ok := strings.Cut(strings.ToLower(string(p[:min(len(p), 1024)])), "charset=")
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, `"'`)
	if end := strings.IndexAny(rest, "\"' />;"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

// rtf reads the text of Rich Text Format, as far as groups do not hide it.
func (f *found) rtf() error {
	p, err := f.all()
	if err != nil {
		return err
	}
	f.emit(f.place, rtfText(p))
	return nil
}
