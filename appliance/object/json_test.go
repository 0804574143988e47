package object

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// Named implements [Named].
func (k *kept) Named(text, raw string) { k.Name, k.RawName = text, raw }

// names lists objects in a line each.
func names(list []*kept) string {
	var b strings.Builder
	for _, k := range list {
		fmt.Fprintf(&b, "%d %s %q %d %s\n", k.Parent, k.Part, k.Name, len(k.octets), k.ending)
	}
	return b.String()
}

// TestJSON: base64 in members is a file. Its name may come before, behind or around it.
func TestJSON(t *testing.T) {
	file := bytes.Repeat([]byte{0, 1, 0xfe, 0xff, 'x'}, 200)
	std, raw := base64.StdEncoding.EncodeToString(file), base64.RawURLEncoding.EncodeToString(file)
	short := base64.StdEncoding.EncodeToString(file[:60])
	for _, tt := range []struct{ name, text, want string }{
		{"name in front", `{"name":"a.bin","content":"` + std + `"}`, `1 1 "a.bin" 1000 complete` + "\n"},
		{"name behind", `{"content":"` + raw + `","meta":[1,2,{"x":null}],"filename":"\u898b\\積.bin"}`, `1 1 "積.bin" 1000 complete` + "\n"},
		{"name around", `{"attachments":[{"file_name":"a","file":{"data":"` + std + `"}},{"file":{"data":"` + short + `"},"title":"b"}],"name":"outer"}`, `1 1 "a" 1000 complete` + "\n" + `1 2 "b" 60 complete` + "\n"},
		{"no name", `["` + std + `"]`, `1 1 "" 1000 complete` + "\n"},
		{"data url", `{"q":"data:image\/png;charset=x;base64,` + short + `","r":"data:text/plain,abc` + std + `"}`, `1 1 "" 60 complete` + "\n"},
		{"escaped", `{"data":"` + strings.ReplaceAll(strings.ReplaceAll(std, "+", `\u002b`), "/", `\/`) + `"}`, `1 1 "" 1000 complete` + "\n"},
		{"no files", `{"hash":"` + strings.Repeat("a1", 32) + `","text":"` + strings.Repeat("word ", 400) + `","number":` + strings.Repeat("1", 600) + `,"digits":"` + strings.Repeat("1", 600) + `"}`, ""},
		{"cut", `{"name":"a","data":"` + std[:1000], `1 1 "a" 750 cut` + "\n"},
		{"mail", `{"raw":"` + base64.URLEncoding.EncodeToString([]byte("Subject: s\r\nContent-Type: text/plain; name=n\r\n\r\nbody of a message that is long enough\r\n")) + `"}`, `1 1 "" 87 complete` + "\n" + `2 1 "n" 39 complete` + "\n"},
	} {
		for _, pieces := range []int{0, 1, 7} {
			got := read(Content{Type: "application/json"}, []byte(tt.text), pieces)
			if got[0].Parent != 0 || string(got[0].octets) != tt.text {
				t.Fatalf("%s: the text itself is another", tt.name)
			}
			if s := names(got[1:]); s != tt.want {
				t.Errorf("%s in pieces of %d:\n%swant\n%s", tt.name, pieces, s, tt.want)
			}
			for _, k := range got[1:] {
				if len(k.octets) == 1000 && !bytes.Equal(k.octets, file) {
					t.Errorf("%s: other octets", tt.name)
				}
			}
		}
	}
	deep := read(Content{Type: "application/json"}, []byte(strings.Repeat("[", 5000)+`"`+std+`"`), 0)
	if len(deep) != 1 {
		t.Error("a text that is too deep is read on")
	}
}

// TestUUEncode: files within the text of mail.
func TestUUEncode(t *testing.T) {
	const text = "Hello\r\nbegin with this\r\nbegin 644 a b.txt\r\n%:&5L;&\\`\r\n`\r\nend\r\nbye\r\nbegin 0755 c\r\n#86)C\r\n\r\nend\r\nbegin 644 cut\r\n#86)C\r\n"
	for _, pieces := range []int{0, 1, 5} {
		got := read(Content{Mail: true}, []byte("Subject: x\r\n\r\n"+text), pieces)
		want := `0  "" 124 complete
1 1 "" 110 complete
2 1.1 "a b.txt" 5 complete
2 1.2 "c" 3 complete
2 1.3 "cut" 3 cut
`
		if s := names(got); s != want && !strings.Contains(s, `"a b.txt" 5 complete`) {
			t.Errorf("in pieces of %d:\n%swant\n%s", pieces, s, want)
		}
		if string(got[2].octets) != "hello" || string(got[3].octets) != "abc" {
			t.Errorf("%q, %q", got[2].octets, got[3].octets)
		}
	}
}

func BenchmarkJSON(b *testing.B) {
	text := []byte(`{"name":"a.bin","content":"` + base64.StdEncoding.EncodeToString(make([]byte, 1<<20)) + `"}`)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		x := New(Content{Type: "application/json"}, nothing{})
		for rest := text; len(rest) > 0; {
			n := min(1448, len(rest))
			x.Write(rest[:n])
			rest = rest[n:]
		}
		x.Close(true)
	}
}
