package imap

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTold(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string
	}{
		{"one part", `(UID 7 RFC822.SIZE 4711 BODY ("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "7BIT" 12 1))`, "4711\n1 TEXT/PLAIN CHARSET=UTF-8 7BIT 12"},
		{"alternatives and a file", `(FLAGS (\Seen) BODYSTRUCTURE ((("text" "plain" NIL NIL NIL "7bit" 1 1 NIL NIL NIL NIL)("text" "html" NIL NIL NIL "7bit" 2 1 NIL ("inline" NIL) NIL NIL) "alternative" ("boundary" "x") NIL NIL NIL)` +
			`("application" "pdf" ("name" "a \"b\" (c).pdf" "x" NIL) "<id>" "what" "base64" 1000 "md5" ("attachment" ("filename" "d.pdf" "size" "3")) NIL NIL) "mixed" ("boundary" "y") NIL NIL NIL) BODY[HEADER.FIELDS (A B)] "" UID 3)`,
			"0\n MULTIPART/mixed boundary=y  0\n1 MULTIPART/alternative boundary=x  0\n1.1 text/plain 7bit 1\n1.2 text/html 7bit 2 inline\n2 application/pdf name=a \"b\" (c).pdf x= base64 1000 attachment filename=d.pdf size=3"},
		{"a message in a message", `(BODYSTRUCTURE (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1)("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 300 ("date" "subject" NIL NIL NIL NIL NIL NIL NIL NIL) (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 3 1)("IMAGE" "PNG" NIL NIL NIL "BASE64" 4) "MIXED") 9 NIL ("attachment" ("filename" "f.eml"))) "MIXED"))`,
			"0\n MULTIPART/MIXED  0\n1 TEXT/PLAIN 7BIT 1\n2 MESSAGE/RFC822 7BIT 300 attachment filename=f.eml\n2 MULTIPART/MIXED  0\n2.1 TEXT/PLAIN 7BIT 3\n2.2 IMAGE/PNG BASE64 4"},
		{"a plain message in a message", `(BODYSTRUCTURE ("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 300 ("date") ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 3 1) 9))`, "0\n1 MESSAGE/RFC822 7BIT 300\n1.1 TEXT/PLAIN 7BIT 3"},
		{"nothing", `(`, "0"},
		{"parentheses", `))))(BODY ((((`, "0"},
	} {
		told := ParseTold([]byte(tt.text))
		got := fmt.Sprint(told.Size)
		for _, p := range told.Parts {
			got += fmt.Sprintf("\n%s %s/%s%s %s %d", p.Section, p.Type, p.Subtype, joined(p.Parameters), p.Encoding, p.Octets)
			if p.Disposition != nil {
				got += " " + string(p.Disposition) + joined(p.DispositionParameters)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestPlace(t *testing.T) {
	for item, want := range map[string]string{
		"BODY[]": "1 ", "RFC822": "1 ", "BINARY[]": "1 ", "BODY[TEXT]<0>": "2 TEXT", "RFC822.TEXT": "2 TEXT", "BODY[2]": "3 2", "BODY[2.10]<7>": "3 2.10", "BINARY[1]": "3 1", "BODY[2.MIME]": "4 2",
		"BODY[HEADER]": "5 ", "RFC822.HEADER": "5 ", "BODY[HEADER.FIELDS (A B)]": "6 ", "BODY[2.HEADER]": "0 ", "BODY[HEADER.FIELDS.NOT (A)]": "0 ", "BODY[2.TEXT]": "0 ", "FLAGS": "0 ", "BODY[MIME]": "0 ",
	} {
		var f Fetch
		f.Line([]byte("("+item+" {1}\r\n"), nil)
		i, _ := f.Literal()
		if place, section := i.Place(); fmt.Sprintf("%d %s", place, section) != want {
			t.Errorf("%s: %d %q, want %s", item, place, section, want)
		}
	}
}

func joined(pairs [][2][]byte) string {
	var b strings.Builder
	for _, p := range pairs {
		fmt.Fprintf(&b, " %s=%s", p[0], p[1])
	}
	return b.String()
}

// FuzzTold: nothing breaks it, and what it returns is bounded.
func FuzzTold(f *testing.F) {
	f.Add([]byte(`(UID 7 BODYSTRUCTURE (("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "7BIT" 12 1) "MIXED"))`))
	f.Add([]byte(`(BODY ("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 300 () ("TEXT" "PLAIN" NIL) 9))`))
	f.Add([]byte(strings.Repeat("(", 1000)))
	f.Fuzz(func(t *testing.T, text []byte) {
		if told := ParseTold(text); len(told.Parts) > maxParts+1 {
			t.Errorf("%d parts", len(told.Parts))
		}
	})
}
