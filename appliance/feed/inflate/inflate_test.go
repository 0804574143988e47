package inflate

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/deflate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const client, origin = proto.ClientToOrigin, proto.OriginToClient

// shown is a [Sink] that keeps everything.
type shown struct {
	text [2]bytes.Buffer
	lost [2]uint64
}

func (s *shown) Show(dir proto.Direction, p []byte) { s.text[dir].Write(p) }
func (s *shown) Lost(dir proto.Direction, n uint64) { s.lost[dir] += n }

// said is what one side says at once.
type said struct {
	dir  proto.Direction
	text string
}

// deflater deflates a direction, each piece flushed.
type deflater struct {
	out bytes.Buffer
	w   *flate.Writer
}

func newDeflater() *deflater {
	d := new(deflater)
	d.w, _ = flate.NewWriter(&d.out, flate.BestCompression)
	return d
}

func (d *deflater) deflate(text string) []byte {
	d.out.Reset()
	d.w.Write([]byte(text))
	d.w.Flush()
	return bytes.Clone(d.out.Bytes())
}

var dialogue = []said{
	{origin, "* OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] ready\r\n"},
	{client, "a LOGIN {1}\r\n"}, {origin, "+ go\r\n"}, {client, "u p\r\n"}, {origin, "a OK {5}\r\n"},
	{client, "b APPEND x {22+}\r\nc COMPRESS DEFLATE\r\nz\r\n"}, {origin, "c OK text of somebody\r\nb OK\r\n"},
	{client, "d FETCH 1 BODY[]\r\n"}, {origin, "* 1 FETCH (BODY[] {21}\r\nz OK COMPRESS DEFLATE)\r\n)\r\nd OK\r\n"},
	{client, "z COMPRESS DEFLATE\r\n"}, {origin, "z NO not now\r\n"},
	{client, "e NOOP\r\n"}, {origin, "e OK\r\n"},
	{client, "f compress deflate\r\n"}, {origin, "f OK active\r\n"},
}

var deflated = []said{
	{client, "g FETCH 1 BODY[]\r\n"}, {origin, "* 1 FETCH (BODY[] {9}\r\nthe mail\n)\r\ng OK\r\n"},
	{origin, strings.Repeat("* 2 EXISTS\r\n", 3000)},
	{client, "h LOGOUT\r\n"}, {origin, "* BYE\r\nh OK\r\n"},
}

// TestSession: both directions are shown as they were said, however they come.
func TestSession(t *testing.T) {
	for _, cut := range []int{1, 2, 7, 100, 1 << 20} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			s, got := New(), new(shown)
			defer s.Close()
			var want [2]string
			give := func(dir proto.Direction, p []byte) {
				for len(p) > 0 {
					n := min(cut, len(p))
					s.Data(dir, p[:n], got)
					p = p[n:]
				}
			}
			for _, x := range dialogue {
				if s.Deflated() {
					t.Fatalf("deflated before %q", x.text)
				}
				give(x.dir, []byte(x.text))
				want[x.dir] += x.text
			}
			if !s.Deflated() {
				t.Fatal("not deflated")
			}
			d := [2]*deflater{newDeflater(), newDeflater()}
			for _, x := range deflated {
				give(x.dir, d[x.dir].deflate(x.text))
				if want[x.dir] += x.text; got.text[x.dir].String() != want[x.dir] {
					t.Fatalf("behind %.40q: shown %d octets of %d", x.text, got.text[x.dir].Len(), len(want[x.dir]))
				}
			}
			if got.lost != [2]uint64{} {
				t.Errorf("lost %v", got.lost)
			}
		})
	}
}

// granted returns a session whose ends have turned to DEFLATE, and its sink, empty.
func granted() (*Session, *shown) {
	s := New()
	for _, x := range dialogue {
		s.Data(x.dir, []byte(x.text), new(shown))
	}
	return s, new(shown)
}

// TestTogether: what is deflated may come with the answer to COMPRESS.
func TestTogether(t *testing.T) {
	s, got := New(), new(shown)
	defer s.Close()
	s.Data(origin, []byte("* OK\r\n"), got)
	s.Data(client, []byte("a COMPRESS DEFLATE\r\n"), got)
	s.Data(origin, append([]byte("a OK\r\n"), newDeflater().deflate("* 1 EXISTS\r\n")...), got)
	if text := got.text[origin].String(); text != "* OK\r\na OK\r\n* 1 EXISTS\r\n" {
		t.Errorf("shown %q", text)
	}
}

// TestNotFlushed: what a sender did not flush is shown at its end.
func TestNotFlushed(t *testing.T) {
	s, got := granted()
	defer s.Close()
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.HuffmanOnly)
	w.Write([]byte("x NOOP\r\n"))
	w.Close()
	s.Data(client, b.Bytes()[:b.Len()-1], got)
	s.End(client, got)
	if text := got.text[client].String(); !strings.HasPrefix(text, "x NOOP") || got.lost[client] != 0 {
		t.Errorf("shown %q, lost %d", text, got.lost[client])
	}
}

// TestBroken: what cannot be inflated is counted, and the other direction goes on.
func TestBroken(t *testing.T) {
	s, got := granted()
	defer s.Close()
	s.Data(client, []byte("x NOOP\r\nmore that is not deflated\r\n"), got)
	s.Data(client, []byte("y NOOP\r\n"), got)
	s.Data(origin, newDeflater().deflate("* BYE\r\n"), got)
	if got.lost[client] < 8 || got.text[origin].String() != "* BYE\r\n" || got.lost[origin] != 0 {
		t.Errorf("lost %v, shown %q", got.lost, got.text[origin].String())
	}
}

// TestTooMany: few octets do not become very many.
func TestTooMany(t *testing.T) {
	s, got := granted()
	defer s.Close()
	p := newDeflater().deflate(strings.Repeat("\x00", 64<<20))
	s.Data(client, p, got)
	if n := got.text[client].Len(); n > deflate.Free+deflate.MaxRatio*len(p) || got.lost[client] == 0 {
		t.Errorf("%d octets became %d, lost %d", len(p), n, got.lost[client])
	}
}

// FuzzSession: nothing breaks it, and what is not deflated is shown as it is.
func FuzzSession(f *testing.F) {
	f.Add([]byte("* OK\r\n"), []byte("a COMPRESS DEFLATE\r\n"), []byte("a OK\r\n\x00\x01\x02"), []byte("x"))
	f.Add([]byte("* OK {3}\r\n"), []byte("a X {20+}\r\nb COMPRESS DEFLATE\r\n"), []byte("b OK\r\n"), []byte("b COMPRESS DEFLATE\r\n"))
	f.Fuzz(func(t *testing.T, a, b, c, d []byte) {
		s, got := New(), new(shown)
		defer s.Close()
		var want [2]string
		for _, x := range []said{{origin, string(a)}, {client, string(b)}, {origin, string(c)}, {client, string(d)}} {
			s.Data(x.dir, []byte(x.text), got)
			if want[x.dir] += x.text; !s.Deflated() && got.text[x.dir].String() != want[x.dir] {
				t.Errorf("shown %q, want %q", got.text[x.dir].String(), want[x.dir])
			}
		}
		s.End(client, got)
		s.End(origin, got)
	})
}
