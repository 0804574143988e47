package mail

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEnding(t *testing.T) {
	for _, tt := range []struct {
		name, raw, text string
		ambiguous       bool
	}{
		{"empty", "", "", false},
		{"one line", "a\r\n", "a\r\n", false},
		{"dots", "..\r\n...x\r\n. \r\n..\r\n", ".\r\n..x\r\n \r\n.\r\n", false},
		{"dots within", "a.\r\nb.c\r\n", "a.\r\nb.c\r\n", false},
		{"bare ends elsewhere", "a\nb\rc\r\r\nd\n\n\r\n", "a\nb\rc\r\r\nd\n\n\r\n", false},
		{"LF dot LF", "a\n.\nb\r\n", "", true},
		{"LF dot CRLF", "a\n.\r\nb\r\n", "", true},
		{"CRLF dot LF", "a\r\n.\nb\r\n", "", true},
		{"CRLF dot CR", "a\r\n.\rb\r\n", "", true},
		{"CRLF dot CR CR LF", "a\r\n.\r\r\nb\r\n", "", true},
		{"CR dot CR", "a\r.\rb\r\n", "", true},
		{"CR dot CRLF", "a\r.\r\nb\r\n", "", true},
		{"CR CR LF dot", "a\r\r\n..\r\n", "a\r\r\n.\r\n", false},
		{"LF dot text", "a\n.b\r\n", "a\n.b\r\n", false},
		{"at the start", ".\nb\r\n", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, memory := range []int{0, 1, 2, 3, 5, 1000} {
				for _, one := range []func(io.Reader) io.Reader{iotest.OneByteReader, func(r io.Reader) io.Reader { return r }} {
					c := &content{dotted: true, most: 1000, memory: memory, dir: t.TempDir()}
					in := &input{br: bufio.NewReader(one(strings.NewReader(tt.raw + ".\r\nNEXT")))}
					if err := c.readDotted(in); err != nil {
						t.Fatal(err)
					}
					raw, _ := io.ReadAll(c.raw())
					body, n := c.text()
					text, _ := io.ReadAll(body)
					rest, _ := io.ReadAll(in.br)
					if string(raw) != tt.raw || string(rest) != "NEXT" || c.ambiguous != tt.ambiguous {
						t.Errorf("raw %q, rest %q, ambiguous %v", raw, rest, c.ambiguous)
					}
					if !tt.ambiguous && (string(text) != tt.text || n != int64(len(text))) {
						t.Errorf("text %q of %d octets, announced %d", text, len(text), n)
					}
					c.close()
				}
			}
		})
	}
}

// FuzzContent: what is read is what came, its text has the length that was
// announced, and making it transparent again gives it back.
func FuzzContent(f *testing.F) {
	for _, s := range []string{"", "a\r\n", "..\r\n", "a\n.\r\n", "x\r.\r\ny\r\n", "..\r..\n\r\n...\r\n", "\r\n\r\n.\r\n"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, p []byte, memory int) {
		dir := t.TempDir()
		memory = max(0, min(memory, 1<<16))
		end := []byte("\r\n.\r\n")
		sent := append(bytes.Clone(p), end...)
		c := &content{dotted: true, most: 1 << 20, memory: memory, dir: dir}
		defer c.close()
		in := &input{br: bufio.NewReader(bytes.NewReader(sent))}
		if err := c.readDotted(in); err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(c.raw())
		if err != nil || !bytes.HasPrefix(sent, append(bytes.Clone(raw), ".\r\n"...)) || c.length != int64(len(raw)) {
			t.Fatalf("%q of %q, %v", raw, sent, err)
		}
		if bytes.HasPrefix(sent, []byte(".\r\n")) != (len(raw) == 0) || bytes.Contains(raw, end) {
			t.Fatalf("%q of %q", raw, sent)
		}
		body, n := c.text()
		text, err := io.ReadAll(body)
		if err != nil || n != int64(len(text)) {
			t.Fatalf("text of %d octets, announced %d, %v", len(text), n, err)
		}
		var again bytes.Buffer
		d := dotted{w: &again}
		d.Write(text)
		var back bytes.Buffer
		io.Copy(&back, &undotted{r: bytes.NewReader(again.Bytes())})
		if !bytes.Equal(back.Bytes(), text) || bytes.HasPrefix(again.Bytes(), []byte(".\r\n")) || bytes.Contains(again.Bytes(), end) {
			t.Fatalf("%q made transparent is %q", text, again.Bytes())
		}
	})
}
