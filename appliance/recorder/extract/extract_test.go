package extract

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"golang.org/x/text/encoding/japanese"
)

// told is what a handler was told.
type told struct {
	lines   []string
	members map[string]int
}

func (t *told) Text(place string, text []byte) {
	t.lines = append(t.lines, fmt.Sprintf("%s: %q", place, text))
}
func (t *told) Note(place string, n Note, text string) {
	t.lines = append(t.lines, fmt.Sprintf("%s: note %s %s", place, n, text))
}
func (t *told) Label(place, label string) {
	t.lines = append(t.lines, fmt.Sprintf("%s: label %s", place, label))
}
func (t *told) Member(name string) io.WriteCloser { return &member{t: t, name: name} }

type member struct {
	t    *told
	name string
	n    int
}

func (m *member) Write(p []byte) (int, error) { m.n += len(p); return len(p), nil }
func (m *member) Close() error                { m.t.members[m.name] = m.n; return nil }

func run(t testing.TB, p []byte, hint Hint, l Limits) *told {
	x := &told{members: make(map[string]int)}
	File(t.Context(), bytes.NewReader(p), int64(len(p)), hint, l, x)
	return x
}

// zipped returns an archive of pairs of name and content.
func zipped(pairs ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		w, _ := z.CreateHeader(&zip.FileHeader{Name: pairs[i], Method: zip.Deflate, NonUTF8: pairs[i] != strings.ToValidUTF8(pairs[i], "")})
		io.WriteString(w, pairs[i+1])
	}
	z.Close()
	return b.Bytes()
}

func packed(t testing.TB, open func(io.Writer) (io.WriteCloser, error), p []byte) []byte {
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(p)
	w.Close()
	return b.Bytes()
}

func gz(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }

func utf16le(s string) []byte {
	var p []byte
	for _, u := range utf16.Encode([]rune(s)) {
		p = append(p, byte(u), byte(u>>8))
	}
	return p
}

// TestForms: text of each form, in each charset, at any depth.
func TestForms(t *testing.T) {
	const text = "氏名,電話\n山田,03-1234-5678\n"
	sjis, _ := japanese.ShiftJIS.NewEncoder().Bytes([]byte(text))
	euc, _ := japanese.EUCJP.NewEncoder().Bytes([]byte(text))
	iso, _ := japanese.ISO2022JP.NewEncoder().Bytes([]byte(text))
	sjisName, _ := japanese.ShiftJIS.NewEncoder().String("名簿.csv")
	plain := fmt.Sprintf(": %q", text)
	var tarred bytes.Buffer
	w := tar.NewWriter(&tarred)
	inner := zipped(sjisName, string(sjis))
	w.WriteHeader(&tar.Header{Name: "dir/a.zip", Size: int64(len(inner)), Mode: 0o600, Typeflag: tar.TypeReg})
	w.Write(inner)
	w.Close()
	for _, tt := range []struct {
		name string
		file []byte
		hint Hint
		want string
	}{
		{"utf-8", []byte(text), Hint{}, plain},
		{"mark", []byte("\ufeff" + text), Hint{}, plain},
		{"shift_jis", sjis, Hint{}, plain},
		{"euc-jp", euc, Hint{}, plain},
		{"iso-2022-jp", iso, Hint{}, plain},
		{"utf-16", append([]byte("\xff\xfe"), utf16le(text)...), Hint{}, plain},
		{"utf-16 without a mark", utf16le("name,phone\n" + strings.Repeat("abc", 9)), Hint{}, `: "name,phone\n` + strings.Repeat("abc", 9) + `"`},
		{"html", []byte("<!DOCTYPE html><style>p{}</style><p>a&amp;b<table><tr><td>x<td>y</table><script>no</script>"), Hint{}, `: "\na&b\n\n\tx\ty"`},
		{"html in shift_jis", append([]byte("<html><meta charset=Shift_JIS>"), sjis...), Hint{}, fmt.Sprintf(": %q", text)},
		{"rtf", []byte(`{\rtf1\ansi\ansicpg932{\fonttbl{\f0 Arial;}}\uc1 \u27663?\u21517?\tab \'8e\'52\'93\'63\par end}`), Hint{}, `: "氏名\t山田\nend"`},
		{"docx", zipped("word/document.xml", `<w:d><w:p><w:r><w:t>one </w:t></w:r><w:r><w:t>two</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:t>a</w:t></w:p></w:tc><w:tc><w:p><w:t>b</w:t></w:p></w:tc></w:tr></w:tbl></w:d>`, "word/header1.xml", "<h><p><t>社外秘</t></p></h>", "docProps/custom.xml", `<p><property name="MSIP_Label_9_Name"><v>Secret</v></property></p>`), Hint{}, ": \"one two\\na \\tb \\t\\n\"\nheader: \"社外秘\\n\"\n: label Secret"},
		{"pptx", zipped("ppt/presentation.xml", "<p/>", "ppt/slides/slide2.xml", "<s><p><t>two</t></p></s>", "ppt/slides/slide1.xml", "<s><p><t>one</t></p></s>"), Hint{}, "slide 1: \"one\\n\"\nslide 2: \"two\\n\""},
		{"xlsx", zipped("xl/workbook.xml", `<w><sheet name="名簿"/></w>`, "xl/sharedStrings.xml", "<s><si><t>x</t></si><si><r><t>y</t></r><r><t>z</t></r><rPh><t>Y</t></rPh></si></s>", "xl/worksheets/sheet1.xml", `<s><row><c r="B1" t="s"><v>1</v></c><c r="D1"><v>5</v></c></row><row><c r="A2" t="inlineStr"><is><t>q</t></is></c></row></s>`), Hint{}, `sheet 名簿: "\tyz\t\t5\nq\n"`},
		{"ods", zipped("mimetype", "application/vnd.oasis.opendocument.spreadsheet", "content.xml", "<o><table-row><table-cell><p>a</p></table-cell><table-cell><p>b</p></table-cell></table-row></o>"), Hint{}, `: "a \tb \t\n"`},
		{"gzip of tar of zip", packed(t, gz, tarred.Bytes()), Hint{Name: "x.tar.gz"}, "x.tar, dir/a.zip, 名簿.csv" + plain},
		{"zstd", packed(t, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }, []byte(text)), Hint{Name: "list.csv.zst"}, "list.csv" + plain},
		{"xz", packed(t, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }, []byte(text)), Hint{}, "content" + plain},
		{"mail", []byte("From: a@b\r\nTo: c@d\r\nSubject: s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nbody\r\n--x\r\nContent-Disposition: attachment; filename=l.csv\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString(sjis) + "\r\n--x--\r\n"), Hint{}, "header: \"s\\na@b\\nc@d\\n\\n\"\npart 1: \"body\"\nl.csv" + plain},
		{"nothing", []byte{0, 1, 2, 3}, Hint{Name: "a.txt", Type: "text/plain"}, ""},
		{"damaged", zipped("a", "b")[:30], Hint{}, ": note damaged "},
	} {
		if got := strings.Join(run(t, tt.file, tt.hint, Limits{}).lines, "\n"); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestLimits: archives that unpack to too much, to too many, and too deep.
func TestLimits(t *testing.T) {
	bomb := zipped("zeros", strings.Repeat("\x00", 50<<20))
	if x := run(t, bomb, Hint{}, Limits{Unpacked: 1 << 20}); x.members["zeros"] != 1<<20 || !strings.Contains(strings.Join(x.lines, "\n"), "note bounded") {
		t.Errorf("%v %q", x.members, x.lines)
	}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprint(i), "text")
	}
	if x := run(t, zipped(many...), Hint{}, Limits{Members: 10}); len(x.members) != 10 {
		t.Errorf("%d members", len(x.members))
	}
	deep := []byte("the text within")
	for range 20 {
		deep = packed(t, gz, deep)
	}
	if x := run(t, deep, Hint{}, Limits{}); len(x.members) != 6 || !strings.Contains(strings.Join(x.lines, "\n"), "note bounded") {
		t.Errorf("%v %q", x.members, x.lines)
	}
	if x := run(t, bytes.Repeat([]byte("word "), 1000), Hint{}, Limits{Text: 100}); len(x.lines) != 2 || len(x.lines[1]) > 200 {
		t.Errorf("%.300q", x.lines)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := File(ctx, bytes.NewReader(bomb), int64(len(bomb)), Hint{}, Limits{}, &told{}); err == nil {
		t.Error("an end of the context changes nothing")
	}
}

// TestEncrypted: an archive that wants a password is told, with the names in it.
func TestEncrypted(t *testing.T) {
	p := zipped("secret.txt", "text")
	p[6] |= 1 // the flag in the local header, and in the directory
	if i := bytes.Index(p, []byte("PK\x01\x02")); i > 0 {
		p[i+8] |= 1
	}
	if got := strings.Join(run(t, p, Hint{}, Limits{}).lines, "\n"); got != "secret.txt: note encrypted-container secret.txt" {
		t.Error(got)
	}
}

// FuzzFile: no file makes a reader fail, or exceed its limits.
func FuzzFile(f *testing.F) {
	f.Add(zipped("word/document.xml", "<w:t>a</w:t>"))
	f.Add(zipped("xl/workbook.xml", "<sheet/>", "xl/worksheets/sheet1.xml", `<c r="ZZZZ9"><v>1</v></c>`, "xl/sharedStrings.xml", "<si/>"))
	f.Add(packed(f, gz, []byte("text")))
	f.Add([]byte(`{\rtf1 \u-1? \'8 \bin5 12}`))
	f.Add([]byte("From: a\nTo: b\nSubject: c\n\nbegin 644 x\n"))
	f.Add([]byte("7z\xbc\xaf\x27\x1c\x00\x04"))
	f.Add([]byte("Rar!\x1a\x07\x01\x00"))
	f.Add([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
	for _, p := range locked(f) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		x := &told{members: make(map[string]int)}
		if err := File(t.Context(), bytes.NewReader(p), int64(len(p)), Hint{Passwords: []string{"other", "Secret-2026"}}, Limits{Unpacked: 4 << 20, Text: 1 << 20, Members: 50}, x); err != nil && strings.Contains(err.Error(), "the reader failed") {
			t.Log(err)
		}
		total := 0
		for _, n := range x.members {
			total += n
		}
		if total > 4<<20 {
			t.Errorf("%d octets are unpacked", total)
		}
	})
}
