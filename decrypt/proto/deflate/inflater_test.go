package deflate

import (
	"bytes"
	"compress/flate"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deflated returns texts, each flushed, of one stream.
func deflated(texts ...string) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	for _, text := range texts {
		w.Write([]byte(text))
		w.Flush()
	}
	return b.Bytes()
}

// write writes p in pieces, and returns what is made, and what is left.
func write(d *Inflater, size int, p []byte) (text string, left int) {
	var b strings.Builder
	for len(p) > 0 {
		n := min(size, len(p))
		left += d.Write(bytes.Clone(p[:n]), func(q []byte) { b.Write(q) })
		p = p[n:]
	}
	return b.String(), left
}

func TestPieces(t *testing.T) {
	long := strings.Repeat("a text that repeats ", 5000)
	for _, size := range []int{1, 2, 7, 1000, 1 << 20} {
		d := New(false)
		for range 3 {
			if text, left := write(d, size, deflated("first ", long)); text != "first "+long || left != 0 {
				t.Errorf("pieces of %d: %d octets, %d left", size, len(text), left)
			}
			d.Reset()
		}
		d.Close()
	}
}

// Behind a final block, one that restarts goes on.
func TestFinalBlock(t *testing.T) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	w.Write([]byte("one"))
	w.Close()
	in := append(b.Bytes(), deflated("two")...)
	for _, restarts := range []bool{false, true} {
		d := New(restarts)
		text, left := write(d, 1, in)
		if want := map[bool]string{false: "one", true: "onetwo"}[restarts]; text != want || d.Broken() == restarts || restarts == (left > 0) {
			t.Errorf("restarts %v: %q, %d left", restarts, text, left)
		}
		d.Close()
	}
}

func TestBrokenAndTooMany(t *testing.T) {
	d := New(true)
	defer d.Close()
	if _, left := write(d, 100, []byte("more that is not deflated\r\n")); left < 8 || !d.Broken() {
		t.Errorf("%d left", left)
	}
	bomb := New(true)
	defer bomb.Close()
	in := deflated(strings.Repeat("\x00", 64<<20))
	if text, left := write(bomb, 1<<20, in); len(text) > Free+MaxRatio*len(in) || left == 0 {
		t.Errorf("%d octets became %d, %d left", len(in), len(text), left)
	}
}

// What a sender did not flush is handed out at the end.
func TestNotFlushed(t *testing.T) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.HuffmanOnly)
	w.Write([]byte("x NOOP\r\n"))
	w.Close()
	d, got := New(false), ""
	d.Write(b.Bytes()[:b.Len()-1], func(q []byte) { got += string(q) })
	d.End(func(q []byte) { got += string(q) })
	if !strings.HasPrefix(got, "x NOOP") {
		t.Errorf("%q", got)
	}
}

// FuzzInflater: nothing breaks it, and pieces do not matter.
func FuzzInflater(f *testing.F) {
	f.Add(deflated("one", "two"), byte(1), true)
	f.Add(append(deflated("one"), 0xff, 0xff), byte(3), false)
	f.Fuzz(func(t *testing.T, p []byte, size byte, restarts bool) {
		whole, cut := New(restarts), New(restarts)
		defer whole.Close()
		defer cut.Close()
		a, l := write(whole, len(p)+1, p)
		b, m := write(cut, int(size)+1, p)
		if a != b || l != m || whole.Broken() != cut.Broken() {
			t.Errorf("%d octets, %d left; in pieces %d, %d", len(a), l, len(b), m)
		}
	})
}
