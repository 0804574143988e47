package smtp

import (
	"bufio"
	"bytes"
	"io"
	"net/textproto"
	"strings"
	"testing"
)

// read reads content in pieces of size octets. It returns the content and what is left.
func read(t testing.TB, c *Content, p []byte, size int) (text, rest []byte, over bool) {
	for len(p) > 0 {
		piece := p[:min(size, len(p))]
		for len(piece) > 0 {
			part, n, over := c.Next(piece)
			if n <= 0 || n > len(piece) {
				t.Fatalf("%d of %d octets", n, len(piece))
			}
			text, p, piece = append(text, part...), p[n:], piece[n:]
			if over {
				return text, p, true
			}
		}
	}
	return text, nil, false
}

func TestContent(t *testing.T) {
	for _, tt := range []struct {
		name, sent, text string
		ambiguous        bool
	}{
		{"empty", "", "", false},
		{"one line", "a\r\n", "a\r\n", false},
		{"dots", "..\r\n...x\r\n. \r\n..\r\n.x\r\n", ".\r\n..x\r\n \r\n.\r\nx\r\n", false},
		{"dots within", "a.\r\nb.c\r\n", "a.\r\nb.c\r\n", false},
		{"bare ends elsewhere", "a\nb\rc\r\r\nd\n\n\r\n", "a\nb\rc\r\r\nd\n\n\r\n", false},
		{"LF dot LF", "a\n.\nb\r\n", "a\n.\nb\r\n", true},
		{"LF dot CRLF", "a\n.\r\nb\r\n", "a\n.\r\nb\r\n", true},
		{"CRLF dot LF", "a\r\n.\nb\r\n", "a\r\n\nb\r\n", true},
		{"CRLF dot CR", "a\r\n.\rb\r\n", "a\r\n\rb\r\n", true},
		{"CRLF dot CR CR LF", "a\r\n.\r\r\nb\r\n", "a\r\n\r\r\nb\r\n", true},
		{"CRLF dot CR dot CRLF", "a\r\n.\r.\r\n", "a\r\n\r.\r\n", true},
		{"CR dot CR", "a\r.\rb\r\n", "a\r.\rb\r\n", true},
		{"CR dot CRLF", "a\r.\r\nb\r\n", "a\r.\r\nb\r\n", true},
		{"CR CR LF dot", "a\r\r\n..\r\n", "a\r\r\n.\r\n", false},
		{"LF dot text", "a\n.b\r\n", "a\n.b\r\n", false},
		{"at the start", ".\nb\r\n", "\nb\r\n", true},
		{"LF dot CR CR LF", "a\n.\r\r\nb\r\n", "a\n.\r\r\nb\r\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 5, 1000} {
				var c Content
				text, rest, over := read(t, &c, []byte(tt.sent+".\r\nNEXT"), size)
				if string(text) != tt.text || string(rest) != "NEXT" || !over || c.Ambiguous != tt.ambiguous {
					t.Errorf("pieces of %d: %q, rest %q, over %v, ambiguous %v", size, text, rest, over, c.Ambiguous)
				}
			}
		})
	}
}

func TestLone(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, ".": false, ".\n": true, "a\n.\n": true, "a\n.\r\n": true, "a\r\n.\n": true, "a\r\n.\r\r\n": true, "a\n.\r\r\r\n": true, "a\n.\n.\n": true,
		"a\n.\nb": false, "a\n.\n\n": false, "a\n..\n": false, "a\r.\n": false, "a\r.\r\r\n": false, "a\n.\rb\n": false, "a.\n": false, "a\n.\r.\n": false,
	} {
		for _, size := range []int{1, 2, 1000} {
			var c Content
			read(t, &c, []byte(text), size)
			if c.Lone() != want {
				t.Errorf("%q in pieces of %d: %v", text, size, c.Lone())
			}
		}
	}
}

// ending reads content octet by octet, as RFC 5321 tells it: another reader for
// comparison.
func ending(p []byte) (text []byte, n int, ambiguous bool) {
	line := 0 // where it begins
	for i, b := range p {
		if b != '\n' || i == line || p[i-1] != '\r' {
			continue
		}
		content := p[line : i+1]
		if string(content) == ".\r\n" {
			return text, i + 1, ambiguous
		}
		var before byte = '\n' // of CRLF
		for at, c := range content {
			if c == '.' && (at == 0 || before == '\r' || before == '\n') {
				after := content[at+1:]
				ambiguous = ambiguous || after[0] == '\n' || after[0] == '\r' && (at > 0 || after[1] != '\n')
			}
			before = c
		}
		text = append(text, bytes.TrimPrefix(content, []byte("."))...)
		line = i + 1
	}
	return append(text, bytes.TrimPrefix(p[line:], []byte("."))...), -1, ambiguous
}

// FuzzContent compares with a reader that goes octet by octet, in pieces of any size,
// with net/textproto where that reads the same lines, and with the way back.
func FuzzContent(f *testing.F) {
	for _, s := range []string{"", "a\r\n", "..\r\n", "a\n.\r\n", "x\r.\r\ny\r\n", "..\r..\n\r\n...\r\n", "\r\n\r\n.\r\n", ".\r.\r.\r\n.\n.\r\n"} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, p []byte, size uint8) {
		sent := append(bytes.Clone(p), "\r\n.\r\nNEXT"...)
		var c Content
		text, rest, over := read(t, &c, sent, 1+int(size))
		want, n, ambiguous := ending(sent)
		if !over || !bytes.Equal(text, want) || len(sent)-len(rest) != n || c.Ambiguous != ambiguous {
			t.Fatalf("%q: %q, rest %q, ambiguous %v, want %q, %q, %v", sent, text, rest, c.Ambiguous, want, sent[max(0, n):], ambiguous)
		}
		var dots Dots
		var again []byte
		for rest := text; len(rest) > 0; {
			n := min(1+int(size), len(rest))
			again, rest = dots.Append(again, rest[:n]), rest[n:]
		}
		if dots.Within() != (len(text) > 0 && !bytes.HasSuffix(text, []byte("\r\n"))) {
			t.Fatalf("%q ends within a line: %v", text, dots.Within())
		}
		var back Content
		if got, rest, over := read(t, &back, append(again, ".\r\nNEXT"...), 1+int(size)); len(text) > 0 && (!over || !bytes.Equal(got, text) || string(rest) != "NEXT") {
			t.Fatalf("%q with dots is %q, read again %q", text, again, got)
		}
		if raw := bytes.ReplaceAll(sent[:n], []byte("\r\n"), nil); bytes.ContainsAny(raw, "\r\n") {
			return // net/textproto knows no bare CR and LF
		}
		dotted, err := io.ReadAll(textproto.NewReader(bufio.NewReader(bytes.NewReader(sent))).DotReader())
		if err != nil || string(dotted) != strings.ReplaceAll(string(text), "\r\n", "\n") {
			t.Fatalf("net/textproto reads %q, %v; want %q", dotted, err, text)
		}
	})
}

func BenchmarkContent(b *testing.B) {
	p := bytes.Repeat([]byte("A line of text, as people write it. It has dots.\r\n..\r\n"), 1000)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		var c Content
		for rest := p; len(rest) > 0; {
			_, n, _ := c.Next(rest)
			rest = rest[n:]
		}
	}
}
