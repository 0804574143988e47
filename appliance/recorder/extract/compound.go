package extract

import (
	"bytes"
	"io"
	"unicode/utf8"

	"github.com/richardlehane/mscfb"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// compound reads the older office formats and saved messages of Outlook: the strings in the
// streams of a compound file [MS-CFB]. The formats themselves are not read.
func (f *found) compound() error {
	d, err := mscfb.New(f.r)
	if err != nil {
		return err
	}
	for {
		s, err := d.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if s.Name == "EncryptedPackage" {
			f.h.Note(f.place, Encrypted, "")
		}
		if s.Size == 0 || f.left.Members == 0 {
			continue
		}
		f.left.Members--
		p, err := io.ReadAll(f.counted(io.LimitReader(s, maxMember)))
		if err != nil {
			return f.bounded(err)
		}
		f.emit(within(f.place, name.Base(s.Name)), wideStrings(p))
		f.emit(within(f.place, name.Base(s.Name)), narrowStrings(p))
	}
}

// leastString is how many characters a string has at least.
const leastString = 4

// wideStrings returns the runs of UTF-16 that are likely text: letters, digits, signs of
// ASCII, kana and kanji.
func wideStrings(p []byte) []byte {
	var out, run bytes.Buffer
	n := 0
	flush := func() {
		if n >= leastString {
			out.Write(run.Bytes())
			out.WriteByte('\n')
		}
		run.Reset()
		n = 0
	}
	for i := 0; i+1 < len(p); i += 2 {
		c := rune(p[i]) | rune(p[i+1])<<8
		switch {
		case c == '\r' || c == '\n' || c == 7: // 7 ends a cell of Word
			flush()
		case c == '\t' || ' ' <= c && c < 0x7f || 0x3000 <= c && c <= 0x30ff || 0x4e00 <= c && c <= 0x9fff || 0xff00 <= c && c <= 0xff9f:
			run.WriteRune(c)
			n++
		default:
			flush()
		}
	}
	flush()
	return out.Bytes()
}

// narrowStrings returns the runs of other text: of ASCII, UTF-8 or Shift_JIS.
func narrowStrings(p []byte) []byte {
	var out bytes.Buffer
	for len(p) > 0 {
		n := 0
		for n < len(p) && (p[n] >= ' ' && p[n] != 0x7f || p[n] == '\t') {
			n++
		}
		if n >= 2*leastString {
			if text := name.Decode("", p[:n]); utf8.ValidString(text) {
				out.WriteString(text)
				out.WriteByte('\n')
			}
		}
		p = p[min(n+1, len(p)):]
	}
	return out.Bytes()
}
