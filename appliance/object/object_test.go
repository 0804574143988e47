package object

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	form "mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// kept is an object that a test was given.
type kept struct {
	*Description
	octets []byte
	lost   uint64
	ending Ending
	ended  bool
}

func (k *kept) Write(p []byte) { k.octets = append(k.octets, p...) }
func (k *kept) Hole(n uint64)  { k.lost += n }
func (k *kept) Close(e Ending) { k.ending, k.ended = e, true }

type shelf struct{ objects []*kept }

func (s *shelf) Begin(d *Description) Writer {
	k := &kept{Description: d}
	s.objects = append(s.objects, k)
	return k
}

// read reads a content whose octets come in pieces of up to that many octets; 0: at once.
func read(c Content, octets []byte, pieces int) []*kept {
	s := &shelf{}
	x := New(c, s)
	r := rand.New(rand.NewPCG(1, uint64(pieces)))
	for rest := octets; len(rest) > 0; {
		n := len(rest)
		if pieces > 0 {
			n = min(n, 1+r.IntN(pieces))
		}
		x.Write(bytes.Clone(rest[:n])) // borrowed: nobody may keep it
		rest = rest[n:]
	}
	x.Close(true)
	return s.objects
}

func (k *kept) String() string {
	text := fmt.Sprintf("%s %s %q %s", k.Part, k.Type, k.Name, k.ending)
	if len(k.octets) < 60 {
		return text + fmt.Sprintf(" %q", k.octets)
	}
	return text + fmt.Sprintf(" %d octets", len(k.octets))
}

func encoded(t testing.TB, coding string, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b)
	}
	w.Write(p)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestCodings takes codings off, alone and stacked, in pieces of any size.
func TestCodings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, 200_000)
	for i := range content {
		content[i] = "abcdefgh"[r.IntN(8)]
	}
	gz := encoded(t, "gzip", content)
	for coding, octets := range map[string][]byte{
		"": content, "identity": content, "gzip": gz, "x-gzip": gz, "deflate": encoded(t, "deflate", content), "br": encoded(t, "br", content),
		"zstd": encoded(t, "zstd", content), "gzip, br": encoded(t, "br", gz), "gzip, gzip": encoded(t, "gzip", gz),
		"aws-chunked": []byte(fmt.Sprintf("%x;chunk-signature=ab\r\n%s\r\n0;chunk-signature=cd\r\nx-amz-checksum-crc32:aa\r\n\r\n", len(content), content)),
	} {
		for _, pieces := range []int{0, 1, 1500} {
			got := read(Content{Type: "text/plain", Codings: coding}, octets, pieces)
			if len(got) != 1 || !bytes.Equal(got[0].octets, content) || got[0].ending != Complete || !got[0].ended {
				t.Errorf("%q in pieces of %d: %v", coding, pieces, got)
			}
		}
		if coding == "" || coding == "identity" {
			continue
		}
		got := read(Content{Codings: coding}, octets[:len(octets)/2], 0)
		if len(got) != 1 || got[0].ending == Complete || !bytes.HasPrefix(content, got[0].octets) {
			t.Errorf("%q, half of it: %v", coding, got)
		}
	}
	if got := read(Content{Codings: "gzip"}, []byte("no gzip at all"), 0); len(got) != 1 || got[0].ending != Complete || string(got[0].octets) != "no gzip at all" {
		t.Errorf("no gzip: %v", got)
	}
	bomb := encoded(t, "gzip", make([]byte, 64<<20))
	if got := read(Content{Codings: "gzip"}, bomb, 0); len(got) != 1 || got[0].ending != Broken || len(got[0].octets) > 16<<20 {
		t.Errorf("a bomb: %d octets, %s", len(got[0].octets), got[0].ending)
	}
}

// TestForm reads forms as programs send them, with every piece size.
func TestForm(t *testing.T) {
	file := bytes.Repeat([]byte("\r\n--x\n--bound\r\n-- \r"), 500)
	var b bytes.Buffer
	w := form.NewWriter(&b)
	w.SetBoundary("boundary7")
	w.WriteField("comment", "two\r\nlines")
	h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="upload"; filename="見積書.pdf"`}, "Content-Type": {"application/pdf"}}
	part, err := w.CreatePart(h)
	if err != nil {
		t.Fatal(err)
	}
	part.Write(file)
	w.CreateFormFile("empty", "empty.txt")
	w.Close()
	for _, pieces := range []int{0, 1, 2, 7, 100, 5000} {
		got := read(Content{Type: w.FormDataContentType()}, b.Bytes(), pieces)
		if len(got) != 3 {
			t.Fatalf("in pieces of %d: %v", pieces, got)
		}
		if f := got[0]; f.Field != "comment" || string(f.octets) != "two\r\nlines" || f.Attached {
			t.Errorf("field: %v", f)
		}
		if f := got[1]; f.Name != "見積書.pdf" || f.Field != "upload" || !f.Attached || f.Type != "application/pdf" || !bytes.Equal(f.octets, file) || f.ending != Complete || f.Part != "2" {
			t.Errorf("in pieces of %d: file: %v, %d octets, want %d", pieces, f, len(f.octets), len(file))
		}
		if f := got[2]; f.Name != "empty.txt" || len(f.octets) != 0 || f.ending != Complete {
			t.Errorf("empty: %v", f)
		}
	}
	for name, octets := range map[string]string{
		"no last delimiter": "--b\r\n\r\nabc", "LF only": "--b\n\nabc\n--b--\n", "preamble": "for old readers\r\n--b\r\n\r\nabc\r\n--b--\r\nepilogue",
		"blanks behind the delimiter": "--b  \r\n\r\nabc\r\n--b--", "line ends": "--b\r\n\r\n\r\n\r\r\n\r\n--b--",
	} {
		want := map[string]string{"no last delimiter": "abc cut", "line ends": "\r\n\r\r\n complete"}[name]
		if want == "" {
			want = "abc complete"
		}
		for _, pieces := range []int{0, 1, 3} {
			got := read(Content{Type: `multipart/form-data; boundary="b"`}, []byte(octets), pieces)
			if len(got) != 1 || fmt.Sprintf("%s %s", got[0].octets, got[0].ending) != want {
				t.Errorf("%s, in pieces of %d: %v", name, pieces, got)
			}
		}
	}
}

// TestMail reads a message with attachments and a message within.
func TestMail(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	file := make([]byte, 30_000)
	for i := range file {
		file[i] = byte(r.Uint32())
	}
	lines := strings.Builder{}
	for rest := base64.StdEncoding.EncodeToString(file); rest != ""; {
		n := min(76, len(rest))
		lines.WriteString(rest[:n] + "\r\n")
		rest = rest[n:]
	}
	var quoted bytes.Buffer
	q := quotedprintable.NewWriter(&quoted)
	text := "caf\xe9 = " + strings.Repeat("long ", 40) + "\r\nend \r\n"
	q.Write([]byte(text))
	q.Close()
	inner := "Subject: =?iso-2022-jp?B?GyRCOCtAUT1xGyhC?=\r\nFrom: a@example.test\r\nContent-Type: text/plain\r\n\r\ninner text\r\n"
	message := "Subject: =?UTF-8?B?6KaL56mN5pu4?=\r\nFrom: =?utf-8?Q?J=C3=BCrgen?= <j@example.test>\r\nTo: b@example.test\r\nMessage-ID: <1@example.test>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=\"outer\"\r\n\r\npreamble\r\n" +
		"--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + quoted.String() +
		"\r\n--inner\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--inner--\r\n" +
		"--outer\r\nContent-Type: application/octet-stream; name=\"=?ISO-2022-JP?B?GyRCOCtAUT1xGyhC?=.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines.String() +
		"--outer\r\nContent-Type: message/rfc822\r\n\r\n" + inner + "\r\n--outer--\r\n"
	for _, pieces := range []int{0, 1, 11, 1400} {
		got := read(Content{Mail: true}, []byte(message), pieces)
		if len(got) != 6 {
			t.Fatalf("in pieces of %d: %d objects: %v", pieces, len(got), got)
		}
		if m := got[0]; string(m.octets) != message || m.Header.Subject != "見積書" || m.Header.From != "Jürgen <j@example.test>" || m.Header.MessageID != "<1@example.test>" || m.ending != Complete {
			t.Errorf("message: %v %+v", m, m.Header)
		}
		if p := got[1]; string(p.octets) != text || p.Charset != "iso-8859-1" || p.Part != "1.1" || p.Parent != 1 {
			t.Errorf("text: %v", p)
		}
		if p := got[3]; p.Name != "見積書.bin" || !bytes.Equal(p.octets, file) || p.Part != "2" {
			t.Errorf("in pieces of %d: attachment: %v", pieces, p)
		}
		if p := got[4]; p.Header == nil || p.Header.Subject != "見積書" || string(p.octets) != inner || p.Part != "3" || p.Parent != 1 {
			t.Errorf("message within: %v %+v", p, p.Header)
		}
		if p := got[5]; string(p.octets) != "inner text\r\n" || p.Parent != 5 {
			t.Errorf("its text: %v", p)
		}
	}
	for _, m := range []string{"", "Subject: x", "no header\r\n\r\n", "\r\nbody", "Subject: x\r\n\r\n"} {
		if got := read(Content{Mail: true}, []byte(m), 1); len(got) == 0 || string(got[0].octets) != m {
			t.Errorf("%q: %v", m, got)
		}
	}
}

// TestHoles: what is lost is a hole, or the object is cut.
func TestHoles(t *testing.T) {
	s := &shelf{}
	x := New(Content{Type: "image/png", Name: "dir/a%20b.png"}, s)
	x.Write([]byte("abc"))
	x.Hole(5)
	x.Write([]byte("def"))
	x.Close(true)
	if k := s.objects[0]; k.lost != 5 || string(k.octets) != "abcdef" || k.Name != "a%20b.png" {
		t.Errorf("%v", k)
	}
	s = &shelf{}
	x = New(Content{Type: "multipart/form-data; boundary=b"}, s)
	x.Write([]byte("--b\r\nContent-Disposition: form-data; name=f; filename=one\r\n\r\nabc"))
	x.Hole(7)
	x.Write([]byte("d\r\n--b\r\nContent-Disposition: form-data; name=f; filename=two\r\n\r\nxyz\r\n--b--"))
	x.Close(true)
	if len(s.objects) != 2 || s.objects[0].lost != 7 || string(s.objects[0].octets) != "abcd" || string(s.objects[1].octets) != "xyz" {
		t.Errorf("%v", s.objects)
	}
	s = &shelf{}
	x = New(Content{Codings: "gzip"}, s)
	p := encoded(t, "gzip", bytes.Repeat([]byte("abc"), 1000))
	x.Write(p[:10])
	x.Hole(1)
	x.Write(p[11:])
	x.Close(true)
	if len(s.objects) != 1 || s.objects[0].ending != Cut {
		t.Errorf("%v", s.objects)
	}
}

func FuzzContent(f *testing.F) {
	f.Add("multipart/form-data; boundary=b", "", false, []byte("--b\r\nContent-Disposition: form-data; filename=a\r\n\r\nx\r\n--b--"))
	f.Add("", "gzip", false, encoded(f, "gzip", []byte("abc")))
	f.Add("", "aws-chunked, zstd", false, []byte("3\r\nabc\r\n0\r\n\r\n"))
	f.Add("application/json", "", false, []byte(`{"name":"a","data":"`+strings.Repeat("QUJD", 200)+`"}`))
	f.Add("", "", true, []byte("Subject: a\n\nbegin 644 x\n#86)C\nend\n"))
	f.Add("", "", true, []byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41\r\n--b--"))
	f.Add("application/ms-tnef", "", false, winmail())
	f.Add("application/x-www-form-urlencoded", "", false, []byte("name=%e8%a6%8b.txt&file="+strings.Repeat("QUJD", 200)+"&x&%4"))
	f.Add("", "", true, []byte("Content-Transfer-Encoding: x-uuencode\n\nhello\nbegin 644 x\n#86)C\nend\nbegin 644 y\n#86)C\n"))
	f.Fuzz(func(t *testing.T, kind, codings string, mail bool, p []byte) {
		c := Content{Type: kind, Codings: codings, Mail: mail}
		whole, pieces := read(c, p, 0), read(c, p, 3)
		if len(whole) != len(pieces) {
			t.Fatalf("%d objects at once, %d in pieces", len(whole), len(pieces))
		}
		for i, k := range whole {
			if !k.ended || !pieces[i].ended || k.Number != i+1 {
				t.Errorf("object %d has not ended", i)
			}
			if !bytes.Equal(k.octets, pieces[i].octets) && k.ending != Broken {
				t.Errorf("object %d: %q at once, %q in pieces", i, k.octets, pieces[i].octets)
			}
		}
	})
}

func BenchmarkForm(b *testing.B) {
	file := make([]byte, 1<<20)
	r := rand.New(rand.NewPCG(5, 5))
	for i := range file {
		file[i] = byte(r.Uint32())
	}
	head := []byte("--boundary\r\nContent-Disposition: form-data; filename=a\r\n\r\n")
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		x := New(Content{Type: "multipart/form-data; boundary=boundary"}, nothing{})
		x.Write(head)
		for rest := file; len(rest) > 0; rest = rest[min(1448, len(rest)):] {
			x.Write(rest[:min(1448, len(rest))])
		}
		x.Close(true)
	}
}

func BenchmarkBase64(b *testing.B) {
	line := []byte(strings.Repeat("QUJD", 19) + "\r\n")
	message := bytes.Repeat(line, 20)
	b.SetBytes(int64(len(message)))
	x := New(Content{Mail: true}, nothing{})
	x.Write([]byte("Content-Transfer-Encoding: base64\r\n\r\n"))
	for b.Loop() {
		x.Write(message)
	}
	x.Close(true)
}

type nothing struct{}

func (nothing) Begin(*Description) Writer { return nothing{} }
func (nothing) Write([]byte)              {}
func (nothing) Hole(uint64)               {}
func (nothing) Close(Ending)              {}
