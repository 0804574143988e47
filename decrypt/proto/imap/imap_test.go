package imap

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// play feeds a Watch and writes down what it finds. Lines of the script begin with "C: "
// or "S: " and end in CRLF, or with "c: " and "s: " without an end. ¶ is CRLF, too.
func play(size int, script string) []string {
	w := NewWatch[int]()
	var b book
	for part := range strings.SplitSeq(script, "\n") {
		text := strings.ReplaceAll(part[3:], "¶", "\r\n")
		if part[0] < 'a' {
			text += "\r\n"
		}
		dir := proto.ClientToOrigin
		if part[0]|0x20 == 's' {
			dir = proto.OriginToClient
		}
		for p := []byte(text); len(p) > 0; {
			n := min(size, len(p))
			b.feed(w, dir, p[:n])
			p = p[n:]
		}
	}
	return b.lines
}

// book writes down events. Octets of literals stand together.
type book struct {
	lines   []string
	literal [2]strings.Builder
	n       int
}

func (b *book) add(format string, args ...any) {
	b.lines = append(b.lines, fmt.Sprintf(format, args...))
}

func (b *book) feed(w *Watch[int], dir proto.Direction, p []byte) {
	for len(p) > 0 {
		n := 0
		if dir == proto.ClientToOrigin {
			n = b.client(w, p)
		} else {
			n = b.server(w, p)
		}
		p = p[n:]
	}
}

func (b *book) client(w *Watch[int], p []byte) int {
	s, n, ok := w.Client(p)
	if !ok {
		b.add("lost")
	}
	text := strings.TrimRight(string(s.Line), "\r\n")
	switch {
	case s.What == Octets:
		b.literal[0].Write(s.Octets)
	case s.Line == nil:
	case s.What == First:
		b.n++
		w.Note = b.n + 1
		b.add("%s %v %s", s.Command.Tag, s.Command.Verb, s.Command.Argument)
	case s.What == Reply:
		b.add("reply %s", text)
	default:
		b.add("rest %s", text)
	}
	if s.What == Octets && s.End {
		b.add("> %q", b.literal[0].String())
		b.literal[0].Reset()
	}
	return n
}

func (b *book) server(w *Watch[int], p []byte) int {
	h, n := w.Server(p)
	if h.IsFirst && h.Answer.To != None {
		b.add("%v %v", h.Answer.To, h.Answer.Status)
	}
	if h.Announced {
		b.add("%d %s[%s] %d", h.Number, h.Item.Name, h.Item.Section, h.Item.Contents())
		if h.Item.Partial {
			b.add("from %d", h.Item.Offset)
		}
	}
	if h.Fetched {
		b.literal[1].Write(h.Octets)
		if h.End {
			b.add("< %q", b.literal[1].String())
			b.literal[1].Reset()
		}
	}
	return n
}

func TestWatch(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"login", "S: * OK hello {5}\nC: a LOGIN bob secret\nS: a OK [CAPABILITY IMAP4rev1] in {3}\nC: b NOOP\nS: b OK", "a LOGIN bob secret|LOGIN OK|b other |other OK"},
		{"literals", "C: a LOGIN {3}\nS: + go {9}\nc: bob\nC:  {8+}\nc: a LOGOUT\nC: \nS: a NO", `a LOGIN {3}|> "bob"|rest  {8+}|> "a LOGOUT"|rest |LOGIN NO`},
		{"literal refused", "C: a APPEND x {9}\nS: a NO big\nC: b NOOP\nS: b OK", "a APPEND x {9}|APPEND NO|b other |other OK"},
		{"literal of nothing", "C: a LOGIN {0}\nS: +\nC:  x\nS: a NO", "a LOGIN {0}|rest  x|LOGIN NO"},
		{"SASL", "C: a AUTHENTICATE PLAIN\nS: +\nC: b NOOP\nS: a OK\nC: c NOOP", "a AUTHENTICATE PLAIN|reply b NOOP|AUTHENTICATE OK|c other "},
		{"SASL refused", "C: a AUTHENTICATE X\nS: a NO\nC: c NOOP\nS: c OK", "a AUTHENTICATE X|AUTHENTICATE NO|c other |other OK"},
		{"IDLE", "C: a IDLE\nS: + idling\nS: * 3 EXISTS\nC: DONE\nS: a OK\nC: b NOOP", "a IDLE |reply DONE|IDLE OK|b other "},
		{"fetch", "C: a UID FETCH 1 (UID BODY.PEEK[])\nS: * 12 FETCH (UID 5 FLAGS (\\Seen \"x)\") BODY[] {7}\ns: a OK¶)\nS: )\nS: a OK done",
			`a FETCH 1 (UID BODY.PEEK[])|12 BODY[] 1|< "a OK\r\n)"|FETCH OK`},
		{"several items", "S: * 1 FETCH (BODY[HEADER.FIELDS (A \"B]\" C)] {3}\ns: h¶\nS:  RFC822.SIZE 3 BODY[1.2]<5> ~{2}\ns: xy\nS:  RFC822 {1}\ns: z\nS:  BODY[1.MIME] \"q\" BODY[2.1.HEADER] {0}\nS: )",
			`1 BODY[HEADER.FIELDS (A "B]" C)] 2|< "h\r\n"|1 BODY[1.2] 3|from 5|< "xy"|1 RFC822[] 1|< "z"|1 BODY[2.1.HEADER] 2|< ""`},
		{"literal within a name and a list", "S: * 1 FETCH (BODY[HEADER.FIELDS ({3}\ns: a]b\nS: )] {1}\ns: h\nS:  ENVELOPE (\"a\" {2}\ns: )(\nS:  (x)) BODY[] {1}\ns: m\nS: )",
			`1 BODY[HEADER.FIELDS ()] 2|< "h"|1 BODY[] 1|< "m"`},
		{"literals elsewhere", "S: * LIST () \"/\" {6}\ns: a OK¶\nS: \nS: * OK {5}\nC: b APPEND {5}\nS: + ok\nc: INBOX\nC:  (\\Seen) {3}\nS: +\nc: m¶\nC: \nS: b OK",
			"b APPEND {5}|> \"INBOX\"|rest  (\\Seen) {3}|> \"m\\r\\n\"|rest |APPEND OK"},
		{"pipelined", "C: a FETCH 1 BODY[]\nC: b NOOP\nS: * 1 FETCH (BODY[] NIL)\nS: a OK\nS: b BAD", "a FETCH 1 BODY[]|b other |FETCH OK|other BAD"},
		{"a client that does not wait", "C: a APPEND x {2}\nc: hi\nC: \nS: + go\nS: a OK", `a APPEND x {2}|> "hi"|rest |APPEND OK`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1000, 1, 2, 3, 7} {
				if diff := cmp.Diff(strings.Split(tt.want, "|"), play(size, tt.script)); diff != "" {
					t.Fatalf("in pieces of %d (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

// TestStrict: a reader between both ends refuses what servers read in different ways.
func TestStrict(t *testing.T) {
	for _, tt := range []struct {
		text string
		want error
	}{
		{"a NOOP\r\n", nil}, {"a.1-b NOOP", nil}, {"a UID FETCH 1 (BODY[])", nil}, {`a LOGIN "b {3}" c`, nil}, {"a APPEND x {3}", nil}, {"a APPEND x (\\Seen) ~{3+}", nil},
		{`a LOGIN "b\"" {3}`, nil}, {"a FETCH 1 BODY[HEADER.FIELDS ({3}", nil},
		{"a  NOOP", ErrTag}, {" a NOOP", ErrTag}, {" a a", ErrTag}, {"a", ErrTag}, {"", ErrTag}, {"a\tNOOP", ErrTag}, {"a NOOP\tx", ErrTag}, {"(a NOOP", ErrTag}, {"+ NOOP", ErrTag}, {"* NOOP", ErrTag},
		{"\xc3\xa9 NOOP", ErrTag}, {"a UID  FETCH 1", ErrTag}, {"a {3}", ErrTag}, {strings.Repeat("a", 65) + " NOOP", ErrTag},
		{"a NOOP\rb", ErrControl}, {"a NOOP\x00", ErrControl}, {`a LOGIN "b {3}`, ErrLiteral}, {`a LOGIN "b`, ErrQuote}, {"a LOGIN b{3}", ErrLiteral}, {"a LOGIN b\\{3+}", ErrLiteral},
		{"a LOGIN {3} x", ErrLiteral}, {"a LOGIN {}", ErrLiteral}, {"a LOGIN {3} {4}", ErrLiteral}, {"a LOGIN {3 }", ErrLiteral},
	} {
		if _, err := ParseCommand([]byte(tt.text), Strict); err != tt.want {
			t.Errorf("%q: %v, want %v", tt.text, err, tt.want)
		}
	}
	var d Dialogue[int]
	begin := func(text string) error {
		c, err := ParseCommand([]byte(text), Strict)
		if err != nil {
			t.Fatal(err)
		}
		return d.Command([]byte(text), c, 0)
	}
	if err := begin("a NOOP"); err != nil {
		t.Error(err)
	}
	if err := begin("a NOOP"); err != ErrTagInUse {
		t.Error(err)
	}
	if _, err := d.Respond([]byte("+ go")); err != ErrUnasked {
		t.Error(err)
	}
	if _, err := d.Respond([]byte("hello")); err != ErrResponse {
		t.Error(err)
	}
}

func TestArgument(t *testing.T) {
	rest := []byte(` "a \"b) c" (x "y)" (z)) d`)
	for _, want := range []string{`"a \"b) c"`, `(x "y)" (z))`, "d", ""} {
		var got []byte
		if got, rest = Argument(rest); string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for in, want := range map[string]string{`"a"`: "a", `a`: "a", `"a\"\\b"`: `a"\b`, `"`: `"`, `"a`: "a", `""`: ""} {
		if got := Unquote([]byte(in)); string(got) != want {
			t.Errorf("%s: %q", in, got)
		}
	}
}

// FuzzWatch: whatever two ends say, nothing breaks, and what is found does not depend on
// where octets were cut.
func FuzzWatch(f *testing.F) {
	f.Add("a LOGIN {3}\r\nbob x\r\nb UID FETCH 1 BODY[]\r\nc APPEND x {2+}\r\nhi\r\n", "* OK x\r\na OK\r\n* 1 FETCH (BODY[] {3}\r\nabc FLAGS (x))\r\nb OK\r\n", 3)
	f.Add("a AUTHENTICATE PLAIN\r\nxx\r\nb IDLE\r\nDONE\r\n", "* PREAUTH\r\n* 1 FETCH (BODY[HEADER.FIELDS ({3}\r\nabc)]<3> ~{1}\r\nx ENVELOPE (\"a\\\"\" NIL))\r\n", 1)
	f.Fuzz(func(t *testing.T, client, server string, size int) {
		if size = max(1, min(size, 1<<10)); len(client)+len(server) > maxHead {
			return // of lines that come in pieces less is kept
		}
		both := func(size int) []string {
			w := NewWatch[int]()
			var b book
			for dir, text := range []string{client, server} {
				for p := []byte(text); len(p) > 0; {
					n := min(size, len(p))
					b.feed(w, proto.Direction(dir), p[:n])
					p = p[n:]
				}
			}
			return b.lines
		}
		if diff := cmp.Diff(both(1<<20), both(size)); diff != "" {
			t.Errorf("in pieces of %d (-whole +cut):\n%s", size, diff)
		}
		for text := range strings.Lines(client) {
			loose, _ := ParseCommand([]byte(text), Loose)
			strict, err := ParseCommand([]byte(text), Strict)
			if loose.Verb != strict.Verb || string(loose.Tag) != string(strict.Tag) || err == nil && len(loose.Tag) == 0 {
				t.Errorf("%q: strict %v, loose %v, %v", text, strict, loose, err)
			}
		}
	})
}
