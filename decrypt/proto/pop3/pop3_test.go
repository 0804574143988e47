package pop3

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// book writes down events.
type book struct {
	lines []string
	text  strings.Builder
}

func (b *book) add(format string, args ...any) {
	b.lines = append(b.lines, fmt.Sprintf(format, args...))
}

func (b *book) feed(w *Watch[int], dir proto.Direction, p []byte) {
	for len(p) > 0 {
		n := 0
		if dir == proto.ClientToOrigin {
			var s Said
			var ok bool
			if s, n, ok = w.Client(p); !ok {
				b.add("lost")
			}
			switch {
			case s.IsResponse:
				b.add("response %s", strings.TrimRight(string(s.Line), "\r\n"))
			case s.Line != nil:
				b.add("%v %s", s.Command.Verb, s.Command.Argument)
			}
		} else {
			var h Heard[int]
			if h, n = w.Server(p); h.IsFirst {
				b.add("%v %v", h.Answer.To, h.Answer.Positive)
			}
			if b.text.Write(h.Text); h.End {
				b.add("%v %q", h.To, b.text.String())
				b.text.Reset()
			}
		}
		p = p[n:]
	}
}

func TestWatch(t *testing.T) {
	for _, tt := range []struct{ name, script, want string }{
		{"retrieve", "S: +OK hi\nC: USER bob\nS: +OK\nC: PASS x\nS: +OK in\nC: retr 1\nS: +OK 9\nS: a\nS: ..b\nS: .\nC: QUIT\nS: +OK bye",
			`greeting true|USER bob|USER true|PASS x|PASS true|RETR 1|RETR true|RETR "a\r\n.b\r\n"|QUIT |QUIT true`},
		{"pipelined", "S: +OK\nC: RETR 1\nC: RETR 2\nC: LIST\nC: LIST 1\nS: +OK\nS: x\nS: .\nS: -ERR no\nS: +OK\nS: 1 1\nS: .\nS: +OK 1 1",
			`greeting true|RETR 1|RETR 2|LIST |LIST 1|RETR true|RETR "x\r\n"|RETR false|LIST true|LIST "1 1\r\n"|LIST true`},
		{"SASL", "S: +OK\nC: AUTH\nS: +OK\nS: PLAIN\nS: .\nC: AUTH PLAIN\nS: +\nC: QUIT\nS: -ERR no\nC: CAPA\nS: -ERR",
			`greeting true|AUTH |AUTH true|AUTH "PLAIN\r\n"|AUTH PLAIN|AUTH false|response QUIT|AUTH false|CAPA |CAPA false`},
		{"nothing in it", "S: +OK\nC: TOP 1 0\nS: +OK\nS: .\nC: x\nS: -ERR", `greeting true|TOP 1 0|TOP true|TOP ""|other |other false`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1000, 1, 2, 3, 7} {
				w := NewWatch[int]()
				var b book
				for part := range strings.SplitSeq(tt.script, "\n") {
					dir := proto.ClientToOrigin
					if part[0] == 'S' {
						dir = proto.OriginToClient
					}
					for p := []byte(part[3:] + "\r\n"); len(p) > 0; {
						n := min(size, len(p))
						b.feed(w, dir, p[:n])
						p = p[n:]
					}
				}
				if diff := cmp.Diff(strings.Split(tt.want, "|"), b.lines); diff != "" {
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
		{"RETR 1\r\n", nil}, {"retr 1\n", nil}, {"USER a b", nil}, {"QUIT ", nil},
		{" RETR 1", ErrVerb}, {"RETR\t1", ErrVerb}, {"", ErrVerb}, {"RETR\v1", ErrVerb}, {"RÉTR 1", ErrVerb}, {"RETR 1\rx", ErrControl}, {"RETR\x001", ErrControl},
	} {
		if _, err := ParseCommand([]byte(tt.text), Strict); err != tt.want {
			t.Errorf("%q: %v, want %v", tt.text, err, tt.want)
		}
	}
	d := Dialogue[int]{Greeted: true}
	if _, err := d.Reply([]byte("+OK")); err != ErrUnasked {
		t.Error(err)
	}
	if _, err := d.Reply([]byte("hello")); err != ErrReply {
		t.Error(err)
	}
}

// FuzzWatch: whatever two ends say, nothing breaks, and what is found does not depend on
// where octets were cut.
func FuzzWatch(f *testing.F) {
	f.Add("USER bob\r\nRETR 1\r\nTOP 1 2\r\nAUTH PLAIN\r\nxx\r\n", "+OK x\r\n+OK\r\n+OK\r\n..a\r\nb\r\n.\r\n-ERR\r\n+ \r\n+OK\r\n", 3)
	f.Add("CAPA\r\nAUTH\r\nLANG\nUIDL", "-ERR\r\n+OK\n.\n.\r\n.\r\n+OK\r\n.\r.\r\n", 1)
	f.Fuzz(func(t *testing.T, client, server string, size int) {
		if size = max(1, min(size, 1<<10)); len(client)+len(server) > maxLine {
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
	})
}
