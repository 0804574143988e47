package recorder

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"

	"github.com/clearspan/clearspan/appliance/recorder/extract"
	"github.com/clearspan/clearspan/appliance/recorder/inspect"
	"github.com/clearspan/clearspan/hack/tempo"
)

var charsets = map[string]encoding.Encoding{
	"utf-8": encoding.Nop, "shift_jis": japanese.ShiftJIS, "euc-jp": japanese.EUCJP, "iso-2022-jp": japanese.ISO2022JP,
	"utf-16": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), "utf-16be": unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	"utf-16 without a mark": unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
}

func parts(pairs ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w, _ := z.Create(pairs[i])
		io.WriteString(w, pairs[i+1])
	}
	z.Close()
	return b.Bytes()
}

// forms are files with a text. Those that take a charset are called with each.
var forms = map[string]struct {
	charset bool
	file    func(text, charset string) []byte
}{
	"txt":  {true, func(text, _ string) []byte { return []byte(text) }},
	"crlf": {true, func(text, _ string) []byte { return []byte(text) }},
	"gz": {true, func(text, _ string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		io.WriteString(w, text)
		w.Close()
		return b.Bytes()
	}},
	"zip": {true, func(text, _ string) []byte { return parts("a/list.txt", text) }},
	"eml": {true, func(text, charset string) []byte {
		return []byte("From: a@example.jp\r\nTo: b@example.jp\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=" + charset + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString([]byte(text)) + "\r\n")
	}},
	"html": {false, func(text, _ string) []byte {
		return []byte("<!DOCTYPE html><meta charset=utf-8><p>" + strings.ReplaceAll(html.EscapeString(text), "\n", "<br>"))
	}},
	"html entities": {false, func(text, _ string) []byte {
		var b strings.Builder
		for _, c := range text {
			if c == '\n' {
				b.WriteString("<br>")
				continue
			}
			fmt.Fprintf(&b, "&#%d;", c)
		}
		return []byte("<!DOCTYPE html><p>" + b.String())
	}},
	"json escapes": {false, func(text, _ string) []byte {
		var b strings.Builder
		for _, c := range strings.TrimSpace(text) {
			if c < 0x80 && c != '\n' {
				b.WriteRune(c)
				continue
			}
			fmt.Fprintf(&b, `\u%04x`, c)
		}
		return []byte(`{"text": "` + b.String() + `"}`)
	}},
	"xml entities": {false, func(text, _ string) []byte {
		var b strings.Builder
		for _, c := range text {
			if c < 0x80 {
				b.WriteRune(c)
				continue
			}
			fmt.Fprintf(&b, "&#x%x;", c)
		}
		return []byte(`<?xml version="1.0"?><r><t>` + b.String() + `</t></r>`)
	}},
	"docx": {false, func(text, _ string) []byte {
		return parts("word/document.xml", "<w:d><w:p><w:r><w:t>"+strings.ReplaceAll(html.EscapeString(strings.TrimSpace(text)), "\n", "</w:t></w:r></w:p><w:p><w:r><w:t>")+"</w:t></w:r></w:p></w:d>")
	}},
	"xlsx": {false, func(text, _ string) []byte {
		var b strings.Builder
		for row := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
			b.WriteString("<row>")
			for cell := range strings.SplitSeq(row, ",") {
				b.WriteString(`<c t="inlineStr"><is><t>` + html.EscapeString(cell) + "</t></is></c>")
			}
			b.WriteString("</row>")
		}
		return parts("xl/workbook.xml", `<w><sheet name="s"/></w>`, "xl/worksheets/sheet1.xml", "<s>"+b.String()+"</s>")
	}},
	"pptx": {false, func(text, _ string) []byte {
		return parts("ppt/presentation.xml", "<p/>", "ppt/slides/slide1.xml", "<s><p><t>"+strings.ReplaceAll(html.EscapeString(strings.TrimSpace(text)), "\n", "</t></p><p><t>")+"</t></p></s>")
	}},
	"odt": {false, func(text, _ string) []byte {
		return parts("mimetype", "application/vnd.oasis.opendocument.text", "content.xml", "<o><p>"+strings.ReplaceAll(html.EscapeString(strings.TrimSpace(text)), "\n", "</p><p>")+"</p></o>")
	}},
	"rtf": {false, func(text, _ string) []byte {
		var b strings.Builder
		for _, c := range text {
			if c == '\n' {
				b.WriteString(`\par `)
				continue
			}
			fmt.Fprintf(&b, `\u%d?`, int16(c))
		}
		return []byte(`{\rtf1\ansi\uc1 ` + b.String() + "}")
	}},
}

// TestCorpus: each kind of data is told, in each form and charset. A thorough run has more than
// 2,000 documents.
func TestCorpus(t *testing.T) {
	x, err := inspect.New(inspect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	told, all := 0, 0
	one := func(detector, what string, file []byte) {
		all++
		e, _ := (*textReader)(nil).examine(t.Context(), x, bytes.NewReader(file), int64(len(file)), extract.Hint{})
		for _, f := range e.findings {
			if f.Detector == detector && f.Score >= inspect.Told {
				told++
				return
			}
		}
		t.Logf("%s in %s is not told: %+v", detector, what, e.findings)
	}
	for _, l := range labelled(tempo.Of(1, 5)) {
		for form, f := range forms {
			if !f.charset {
				one(l.detector, form, f.file(l.text, ""))
				continue
			}
			for charset, c := range charsets {
				text := l.text
				if form == "crlf" {
					text = strings.ReplaceAll(text, "\n", "\r\n")
				}
				s, err := c.NewEncoder().String(text)
				if err != nil {
					t.Fatal(err)
				}
				one(l.detector, form+" in "+charset, f.file(s, strings.TrimSuffix(charset, " without a mark")))
			}
		}
	}
	t.Logf("%d of %d are told", told, all)
	if told*100 < all*99 {
		t.Errorf("%d of %d are told", told, all)
	}
}
