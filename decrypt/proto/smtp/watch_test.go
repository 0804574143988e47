package smtp

import (
	"fmt"
	"strings"
	"testing"
)

// watched is what a Watch told of a session.
type watched struct {
	commands []string
	messages []string
	replies  []string // to messages, each with its note
	open     string   // content of a message without an end
}

// watch plays turns, the server's first, in pieces of size octets.
func watch(t testing.TB, size int, turns ...string) (got watched) {
	w := NewWatch[int]()
	var text strings.Builder
	for i, turn := range turns {
		for p := []byte(turn); len(p) > 0; {
			piece := p[:min(size, len(p))]
			p = p[len(piece):]
			for len(piece) > 0 {
				if i%2 == 0 {
					a, n, whole := w.Server(piece)
					if n <= 0 || n > len(piece) {
						t.Fatalf("%d of %d octets", n, len(piece))
					}
					if piece = piece[n:]; whole && a.Final && a.To == Message {
						got.replies = append(got.replies, fmt.Sprintf("%d:%d", a.Note, a.Code))
					}
					continue
				}
				e, n, ok := w.Client(piece)
				if !ok {
					return got
				}
				if n <= 0 || n > len(piece) {
					t.Fatalf("%d of %d octets", n, len(piece))
				}
				piece = piece[n:]
				if e.IsCommand {
					got.commands = append(got.commands, e.Command.Verb.String())
					if e.Command.Verb == MAIL {
						w.Note++
					}
				}
				text.Write(e.Text)
				if e.End {
					got.messages = append(got.messages, text.String())
					text.Reset()
				}
			}
		}
	}
	got.open = text.String()
	return got
}

const hello = "220 a ESMTP\r\n"

func TestWatch(t *testing.T) {
	for _, tt := range []struct {
		name  string
		turns []string
		want  watched
	}{
		{"DATA", []string{hello, "EHLO c\r\n", "250 a\r\n", "MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\n", "250 a\r\n250 b\r\n354 c\r\n",
			"Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n", "250 d\r\n221 e\r\n"},
			watched{commands: []string{"EHLO", "MAIL", "RCPT", "DATA", "QUIT"}, messages: []string{"Subject: x\r\n\r\n.dot\r\n"}, replies: []string{"1:250"}}},
		{"BDAT, pipelined: the reply to the message is not that to MAIL", []string{hello, "MAIL FROM:<>\r\nBDAT 3\r\na\r\nBDAT 4 LAST\r\n.\r\n.MAIL FROM:<>\r\nBDAT 0 LAST\r\n",
			"250 a\r\n250 b\r\n552 c\r\n250 d\r\n451 e\r\n"},
			watched{commands: []string{"MAIL", "BDAT", "BDAT", "MAIL", "BDAT"}, messages: []string{"a\r\n.\r\n.", ""}, replies: []string{"1:552", "2:451"}}},
		{"a response that looks like a command", []string{hello, "AUTH LOGIN\r\n", "334 a\r\n", "DATA\r\n", "235 b\r\n", "NOOP\r\n"},
			watched{commands: []string{"AUTH", "NOOP"}}},
		{"DATA refused", []string{hello, "MAIL FROM:<>\r\nDATA\r\n", "250 a\r\n503 b\r\n", "NOOP\r\n"}, watched{commands: []string{"MAIL", "DATA", "NOOP"}}},
		{"a client that does not wait", []string{hello, "MAIL FROM:<>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n", "250 a\r\n354 b\r\n250 c\r\n250 d\r\n"},
			watched{commands: []string{"MAIL", "DATA", "NOOP"}, messages: []string{"x\r\n"}, replies: []string{"1:250"}}},
		{"and is refused", []string{hello, "DATA\r\nx\r\n", "503 a\r\n", "NOOP\r\n"}, watched{commands: []string{"DATA", "NOOP"}, open: "x\r\n"}},
		{"a server that ends content at LF, dot, LF", []string{hello, "DATA\r\n", "354 a\r\n", "x\n.\n", "250 a\r\n", "NOOP\r\n", "250 b\r\n"},
			watched{commands: []string{"DATA", "NOOP"}, replies: []string{"0:250"}, open: "x\n.\n"}},
		{"odd spelling", []string{hello, "\vDATA\n", "354 a\r\n", "x\n.\nRSET\r\n.\r\n\r\nNOOP\r\r\n", "250 a\r\n"},
			watched{commands: []string{"DATA", "other", "NOOP"}, messages: []string{"x\n.\nRSET\r\n"}, replies: []string{"0:250"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 7, 1000} {
				if got := watch(t, size, tt.turns...); fmt.Sprint(got) != fmt.Sprint(tt.want) {
					t.Errorf("in pieces of %d:\n%q, want\n%q", size, got, tt.want)
				}
			}
		})
	}
}

func TestWatchDoesNotAllocate(t *testing.T) {
	w := NewWatch[int]()
	client := func(s string) {
		for p := []byte(s); len(p) > 0; {
			_, n, _ := w.Client(p)
			p = p[n:]
		}
	}
	server := func(s string) {
		for p := []byte(s); len(p) > 0; {
			_, n, _ := w.Server(p)
			p = p[n:]
		}
	}
	server(hello)
	if n := testing.AllocsPerRun(100, func() {
		client("RCPT TO:<a@b.test>\r\nDA")
		client("TA\r\n")
		server("250 2.1.5 Ok\r\n354 go\r\n")
		client("text\r\n..\r\n")
		client("more\r\n.\r\nBDAT 4 LAST\r\ntext")
		server("250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n")
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzWatch: pieces make no difference.
func FuzzWatch(f *testing.F) {
	f.Add(hello, "MAIL FROM:<>\r\nBDAT 3\r\nabcBDAT 0 LAST\r\nDATA\r\n", "250 a\r\n250 b\r\n250 c\r\n354 d\r\n", "x\r\n..\r\n.\r\nAUTH X\r\n", "250\r\n334\r\n", "y\r\nQUIT", uint8(2))
	f.Add("220-a\r\n220", "DATA\r\n.\r\nDATA\r\n", "503\r\n354\r\n", "x\r\n.\r\nSTARTTLS\r\n", "220\r\n", "BDAT 5\r\n", uint8(0))
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g string, size uint8) {
		whole := watch(t, 1<<20, a, b, c, d, e, g)
		if got := watch(t, 1+int(size), a, b, c, d, e, g); fmt.Sprint(got) != fmt.Sprint(whole) {
			t.Fatalf("in pieces of %d: %q, want %q", 1+int(size), got, whole)
		}
	})
}

// TestWatchLost: content goes on behind a gap, and a reply ends it if the gap hides its
// end.
func TestWatchLost(t *testing.T) {
	client := func(w *Watch[int], text string) (got string, end bool) {
		for p := []byte(text); len(p) > 0; {
			e, n, _ := w.Client(p)
			got, end, p = got+string(e.Text), end || e.End, p[n:]
		}
		return got, end
	}
	server := func(w *Watch[int], text string) (a Answer[int]) {
		for p := []byte(text); len(p) > 0; {
			answer, n, whole := w.Server(p)
			if p = p[n:]; whole {
				a = answer
			}
		}
		return a
	}
	begin := func(commands, replies string) *Watch[int] {
		w := NewWatch[int]()
		server(w, hello)
		w.Note = 7
		client(w, commands)
		server(w, replies)
		return w
	}

	w := begin("DATA\r\n", "354 a\r\n")
	client(w, "x\r\n")
	if _, ok := w.Lost(4); !ok {
		t.Error("content after DATA does not go on")
	}
	if got, end := client(w, ".\r\ny\r\n.\r\n"); got != ".\r\ny\r\n" || !end {
		t.Errorf("%q, end %v", got, end)
	}

	w = begin("DATA\r\n", "354 a\r\n")
	w.Lost(9)
	if a := server(w, "250-a\r\n250 b\r\n"); a.To != Message || a.Note != 7 || !a.Final {
		t.Errorf("the reply is %+v", a)
	}
	if e, _, _ := w.Client([]byte("NOOP\r\n")); !e.IsCommand {
		t.Error("no command behind the reply")
	}

	w = begin("BDAT 5 LAST\r\nx", "")
	if e, ok := w.Lost(4); !ok || !e.End {
		t.Errorf("a gap up to the end of a chunk: %+v, %v", e, ok)
	}
	for commands, n := range map[string]uint64{"BDAT 5\r\nx": 5, "NOOP\r\n": 1, "NO": 1} {
		if _, ok := begin(commands, "").Lost(n); ok {
			t.Errorf("goes on behind a gap of %d octets after %q", n, commands)
		}
	}
}
