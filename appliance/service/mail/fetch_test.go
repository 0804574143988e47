package mail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/decrypt"
)

// converse plays a session. Each line of the script is "C: " what the client says, "S: "
// what the origin says, "c: " what the client must get next, or "s: " what the origin
// must get. A line stands for CRLF at its end; a backslash at its end takes that away. ␊ is LF.
func converse(t *testing.T, cfg Config, protocol string, piece int, script string) (words []string, err error) {
	t.Helper()
	client, near := pair(t)
	far, origin := pair(t)
	var mu sync.Mutex
	cfg.Name, cfg.Dir = "av", t.TempDir()
	cfg.Observe = func(_, word string, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		words = append(words, word)
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &decrypt.Session{ID: "0123456789abcdef", Protocol: protocol, Origin: netip.MustParseAddrPort("192.0.2.10:143")}
	var wg sync.WaitGroup
	wg.Go(func() {
		err = m.Carry(t.Context(), s, end{near}, end{far})
		near.Close()
		far.Close()
	})
	for _, c := range []net.Conn{client, origin} {
		c.SetDeadline(time.Now().Add(30 * time.Second))
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(script, "\n"), "\n") {
		step = strings.TrimLeft(step, "\t")
		if step == "" {
			continue
		}
		text, open := strings.CutSuffix(strings.ReplaceAll(step[min(3, len(step)):], "␊", "\n"), "\\")
		if !open {
			text += "\r\n"
		}
		conn := client
		if step[0]|0x20 == 's' {
			conn = origin
		}
		if step[0] < 'a' {
			for p := []byte(text); len(p) > 0; {
				n := min(piece, len(p))
				conn.Write(p[:n])
				p = p[n:]
			}
			continue
		}
		got := make([]byte, len(text))
		if n, err := io.ReadFull(conn, got); err != nil || string(got) != text {
			conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
			more, _ := io.ReadAll(conn)
			t.Errorf("in pieces of %d, %s\ngot %q and %q, %v", piece, step, got[:n], more, err)
			break
		}
	}
	client.CloseWrite()
	for _, conn := range []*net.TCPConn{origin, client} { // a session that fails is reset
		if more, _ := io.ReadAll(conn); len(more) > 0 && !t.Failed() {
			t.Errorf("in pieces of %d, got %q more", piece, more)
		}
		origin.CloseWrite()
	}
	client.Close()
	origin.Close()
	wg.Wait()
	return words, err
}

// threat is the refusal of the adapter blocking.
const threat = ": Test.Evil"

func broken(*icap.Message, []byte) (*icap.Result, error) {
	return nil, &icap.Error{Kind: icap.Timeout, Err: errors.New("late")}
}

// changing adds a line to what it is shown.
func changing(_ *icap.Message, body []byte) (*icap.Result, error) {
	return &icap.Result{Outcome: icap.Modified, Header: []byte("HTTP/1.1 200 OK\r\n\r\n"), Body: io.NopCloser(bytes.NewReader(append(bytes.Clone(body), ".x\r\n"...)))}, nil
}

// same returns what it is shown.
func unchanging(_ *icap.Message, body []byte) (*icap.Result, error) {
	return &icap.Result{Outcome: icap.Modified, Header: []byte("HTTP/1.1 200 OK\r\n\r\n"), Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// talk is a conversation and the results of the service.
type talk struct {
	name   string
	cfg    Config
	script string
	words  string
}

func talks(t *testing.T, protocol string, rows []talk) {
	for _, tt := range rows {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []int{1 << 20, 1, 2, 7} {
				words, err := converse(t, tt.cfg, protocol, piece, tt.script)
				if got := strings.Join(words, " "); got != tt.words || err != nil {
					t.Errorf("in pieces of %d: %q, want %q; %v", piece, got, tt.words, err)
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

// passive has the other end get what an end says, in order.
func passive(script string) string {
	var b, then strings.Builder
	var from byte
	for step := range strings.SplitSeq(script, "\n") {
		step = strings.TrimLeft(step, "\t")
		if step == "" {
			continue
		}
		if step[0] != from {
			b.WriteString(then.String())
			then.Reset()
		}
		from = step[0]
		b.WriteString(step + "\n")
		then.WriteString(map[byte]string{'C': "s", 'S': "c"}[from] + step[1:] + "\n")
	}
	return b.String() + then.String()
}

func TestIMAP(t *testing.T) {
	notice := string(withheld("was refused"+threat, false))
	part := string(withheld("was refused"+threat, true))
	long := string(withheld("is too long to be inspected", false))
	lines := func(way, s string) string { // of a literal: the last one without its end
		var b strings.Builder
		for l := range strings.SplitAfterSeq(s, "\r\n") {
			if l, ok := strings.CutSuffix(l, "\r\n"); ok {
				b.WriteString(way + l + "\n")
			} else if l != "" {
				b.WriteString(way + l + "\\\n")
			}
		}
		return b.String()
	}
	talks(t, "imap", []talk{
		{"dialogue", Config{Adapter: adapter(clean)}, passive(`
			S: * OK [CAPABILITY IMAP4rev1 IDLE] hello {5}
			C: a LOGIN {3}
			S: + go
			C: bob {6+}
			C: secret
			S: a OK [CAPABILITY IMAP4rev1] in {5}
			C: b LIST "" *
			S: * LIST () "/" {6}
			S: a OK
			S: 
			S: b OK
			C: c IDLE
			S: + idling
			S: * 1 EXISTS
			C: DONE
			S: c OK
			C: d AUTHENTICATE X
			S: +
			C: e APPEND x {3}
			S: d NO
			C: f NOOP
			S: f OK
			C: g APPEND x y
			S: g BAD`), ""},
		{"lines that are no responses", Config{Adapter: adapter(clean)}, passive("C: a NOOP\nS: answer to a\nS: a OK"), ""},
		{"concealed", Config{Adapter: adapter(clean)}, `
			S: * OK [CAPABILITY IMAP4rev1 STARTTLS IDLE COMPRESS=DEFLATE] hello STARTTLS
			c: * OK [CAPABILITY IMAP4rev1 IDLE] hello STARTTLS
			S: * CAPABILITY IMAP4rev1 CATENATE LITERAL+
			c: * CAPABILITY IMAP4rev1 LITERAL+
			C: a STARTTLS
			c: a BAD Command not available
			C: b compress deflate
			c: b BAD Command not available
			C: c  NOOP
			c: * BAD Syntax error`, ""},
		{"clean", Config{Adapter: adapter(clean)}, passive(`
			C: a UID FETCH 1 (UID BODY.PEEK[] FLAGS)
			S: * 1 FETCH (UID 7 BODY[] {15}
			S: Subject: x
			S:
			S:  FLAGS (\Seen) BODY[HEADER.FIELDS ("A]" {4}
			S: evil)] {6}
			S: evil
			S:  ENVELOPE ("a" {6}
			S: evil
			S:  NIL) BODY[HEADER] {0}
			S: )
			S: a OK done`), "unmodified"},
		{"blocked", Config{Adapter: adapter(blocking)}, "C: a FETCH 1 BODY[]\ns: a FETCH 1 BODY[]\nS: * 1 FETCH (BODY[] {6}\nS: evil\nS:  UID 1)\nS: a OK\n" +
			fmt.Sprintf("c: * 1 FETCH (BODY[] {%d}\n", len(notice)) + lines("c: ", notice) + "c:  UID 1)\nc: a OK\n", "blocked"},
		{"part blocked", Config{Adapter: adapter(blocking)}, "C: a FETCH 1 BODY[2]\ns: a FETCH 1 BODY[2]\nS: * 1 FETCH (BODY[2] {6}\nS: evil\nS: )\nS: a OK\n" +
			fmt.Sprintf("c: * 1 FETCH (BODY[2] {%d}\n", len(part)) + lines("c: ", part) + "c: )\nc: a OK\n", "blocked"},
		{"quoted", Config{Adapter: adapter(blocking)}, "C: a FETCH 1 (RFC822.TEXT BODY[1])\ns: a FETCH 1 (RFC822.TEXT BODY[1])\nS: * 1 FETCH (RFC822.TEXT \"good\" BODY[1] \"ev\\il\" FLAGS (\"evil\"))\nS: a OK\n" +
			fmt.Sprintf("c: * 1 FETCH (RFC822.TEXT \"good\" BODY[1] {%d}\n", len(part)) + lines("c: ", part) + "c:  FLAGS (\"evil\"))\nc: a OK\n", "unmodified blocked"},
		{"modified", Config{Adapter: adapter(changing)}, "C: a FETCH 1 RFC822\ns: a FETCH 1 RFC822\nS: * 1 FETCH (RFC822 ~{3}\nS: a\nS: )\nS: a OK\nc: * 1 FETCH (RFC822 ~{7}\nc: a\nc: .x\nc: )\nc: a OK\n", "modified"},
		{"part returned as it was", Config{Adapter: adapter(unchanging)}, passive("C: a FETCH 1 BODY[1]\nS: * 1 FETCH (BODY[1] {3}\nS: a\nS: )\nS: a OK"), "unmodified"},
		{"closed", Config{Adapter: adapter(broken)}, "C: a FETCH 1:2 BODY[]\ns: a FETCH 1:2 BODY[]\nS: * 1 FETCH (UID 1 BODY[] {3}\nS: a\nS: )\nS: * 2 FETCH (BODY[] \"x\")\nS: a OK\n" +
			"c: * 1 FETCH (UID 1 BODY[] NIL)\nc: * 2 FETCH (BODY[] NIL)\nc: a NO [UNAVAILABLE] Content cannot be inspected now, try again later\n", "failed-closed failed-closed"},
		{"open", Config{Adapter: adapter(broken), FailOpen: true}, passive("C: a FETCH 1 BODY[]\nS: * 1 FETCH (UID 1 BODY[] {3}\nS: a\nS: )\nS: a OK"), "failed-open"},
		{"too long", Config{Adapter: adapter(clean), MaxMessage: 2}, "C: a FETCH 1 BODY[]\ns: a FETCH 1 BODY[]\nS: * 1 FETCH (BODY[] {3}\nS: a\nS: )\nS: a OK\n" +
			fmt.Sprintf("c: * 1 FETCH (BODY[] {%d}\n", len(long)) + lines("c: ", long) + "c: )\nc: a OK\n", "failed-closed"},
		{"in a file", Config{Adapter: adapter(clean), Memory: 1}, passive("C: a FETCH 1 BODY[]\nS: * 1 FETCH (BODY[] {6}\nS: abcd\nS: )\nS: a OK"), "unmodified"},
		{"other responses", Config{Adapter: adapter(blocking)}, passive("C: a X\nS: * URLFETCH x {6}\nS: evil\nS: \nS: a OK"), ""},
		{"ranges", Config{Adapter: adapter(clean)}, "C: a UID FETCH 1 (UID BODY.PEEK[]<2.3> BODY[HEADER]<0.2>)\ns: a UID FETCH 1 (UID BODY.PEEK[] BODY[HEADER]<0.2>)\n" +
			"S: * 1 FETCH (UID 1 BODY[] {8}\nS: abcdef\nS:  BODY[HEADER]<0> {2}\nS: ab)\\\nS: \nS: a OK\nc: * 1 FETCH (UID 1 BODY[]<2> {3}\nc: cde\\\nc:  BODY[HEADER]<0> {2}\nc: ab)\nc: a OK\n" +
			"C: b FETCH 1 body[]<7.9>\ns: b FETCH 1 body[]\nS: * 1 FETCH (BODY[] {8}\nS: abcdef\nS: )\nS: b OK\nc: * 1 FETCH (BODY[]<7> {1}\nc: ␊\\\nc: )\nc: b OK\n", "unmodified"},
		{"two ranges", Config{Adapter: adapter(clean)}, "C: a FETCH 1 (BODY[]<0.1> BODY[]<1.1>)\nc: a NO [CANNOT] One range of a section at a time\n", ""},
		{"a range that nobody asked for", Config{Adapter: adapter(clean)}, "C: a FETCH 1 BODY[]\ns: a FETCH 1 BODY[]\nS: * 1 FETCH (BODY[]<0> {3}\nS: a\nS: )\nS: a OK\nc: * 1 FETCH (BODY[]<0> NIL)\n" +
			"c: a NO [UNAVAILABLE] Content cannot be inspected now, try again later\n", "failed-closed"},

		{"append", Config{Adapter: adapter(clean)}, "C: a APPEND x (\\Seen) {4}\nc: + OK\nC: ab\nC: \ns: a APPEND x (\\Seen) {4}\nS: + go\ns: ab\ns: \nS: a OK\nc: a OK\n", "unmodified"},
		{"append at once", Config{Adapter: adapter(clean)}, "C: a APPEND x {4+}\nC: ab\nC:  {0+}\nC: \ns: a APPEND x {4+}\ns: ab\ns:  {0+}\ns: \nS: a OK\nc: a OK\nC: b NOOP\ns: b NOOP\n", "unmodified unmodified"},
		{"append to a name that is a literal", Config{Adapter: adapter(clean)}, "C: a APPEND {3}\nc: + OK\nC: a\"b {4}\nc: + OK\nC: ab\nC: \ns: a APPEND \"a\\\"b\" {4}\nS: + go\ns: ab\ns: \nS: a OK\nc: a OK\n", "unmodified"},
		{"append refused by the origin", Config{Adapter: adapter(clean)}, "C: a APPEND x {4}\nc: + OK\nC: ab\nC: \ns: a APPEND x {4}\nS: a NO full\nc: a NO full\nC: b NOOP\ns: b NOOP\n", "unmodified"},
		{"append blocked", Config{Adapter: adapter(blocking)}, "C: a APPEND x {6}\nc: + OK\nC: evil\nC: \nc: a NO [CANNOT] Message refused" + threat + "\nC: b NOOP\ns: b NOOP\n", "blocked"},
		{"second message blocked", Config{Adapter: adapter(blocking)}, "C: a APPEND x {2+}\nC: \nC:  {6+}\nC: evil\nC:  {4+}\nC: ab\nC: \nc: a NO [CANNOT] Message refused" + threat + "\n", "unmodified blocked"},
		{"append modified", Config{Adapter: adapter(changing)}, "C: a APPEND x ~{3+}\nC: a\nC: \ns: a APPEND x ~{7+}\ns: a\ns: .x\ns: \nS: a OK\nc: a OK\n", "modified"},
		{"append closed", Config{Adapter: adapter(broken)}, "C: a APPEND x {3+}\nC: a\nC: \nc: a NO [UNAVAILABLE] Message cannot be inspected now, try again later\n", "failed-closed"},
		{"parts", Config{Adapter: adapter(clean)}, "C: a APPEND x CATENATE (TEXT {3}\nc: a NO [CANNOT] CATENATE is not available\nC: b APPEND x CATENATE (TEXT {3+}\nC: a\nC: )\nc: b NO [CANNOT] CATENATE is not available\n", ""},
	})
}

func TestIMAPOutOfStep(t *testing.T) {
	for name, script := range map[string]string{
		"tag in use":               "C: a NOOP\ns: a NOOP\nC: a NOOP",
		"literal within":           "C: a LOGIN {3} x",
		"consent to nothing":       "C: a NOOP\ns: a NOOP\nS: + go",
		"not a response":           "S: hello {3}",
		"quote":                    "C: a LOGIN \"b {3+}",
		"command in IDLE":          "C: a IDLE\ns: a IDLE\nS: + x\nc: + x\nC: b NOOP",
		"name that is two lines":   "C: a APPEND {4+}\nC: a\nC:  {3+}",
		"STARTTLS with a literal":  "C: a STARTTLS {3+}",
		"endless line":             "C: " + strings.Repeat("x", maxIMAPLine+10),
		"endless line of response": "S: * " + strings.Repeat("x", maxIMAPLine+10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := converse(t, Config{Adapter: adapter(clean)}, "imap", 1<<20, script)
			var v interface{ Reason() string }
			if !errors.As(err, &v) || v.Reason() != "imap-violation" {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestPOP3(t *testing.T) {
	talks(t, "pop3", []talk{
		{"dialogue", Config{Adapter: adapter(clean)}, passive(`
			C: USER bob
			S: +OK
			C: AUTH
			S: +OK
			S: PLAIN
			S: .
			C: AUTH PLAIN
			S: + 
			C: RETR 1
			S: -ERR
			C: LIST
			S: +OK
			S: 1 1
			S: ..
			S: .
			C: RETR 1
			S: -ERR none`), ""},
		{"clean", Config{Adapter: adapter(clean)}, passive("C: RETR 1\nS: +OK here\nS: Subject: x\nS: \nS: ..a\nS: .\nC: top 1 0\nS: +OK\nS: .\nC: QUIT\nS: +OK"), "unmodified unmodified"},
		{"a line that is no reply", Config{Adapter: adapter(clean)}, passive("C: X\nS: answer\nC: NOOP\nS: +OK"), ""},
		{"pipelined", Config{Adapter: adapter(blocking)}, "C: RETR 1\nC: RETR 2\nC: NOOP\ns: RETR 1\ns: RETR 2\ns: NOOP\nS: +OK\nS: evil\nS: .\nS: +OK\nS: good\nS: .\nS: +OK\n" +
			"c: -ERR Message refused" + threat + "\nc: +OK\nc: good\nc: .\nc: +OK\n", "blocked unmodified"},
		{"hidden by a dot", Config{Adapter: adapter(blocking)}, "C: RETR 1\ns: RETR 1\nS: +OK\nS: ..\nS: evil\nS: .\nc: -ERR Message refused" + threat + "\n", "blocked"},
		{"modified", Config{Adapter: adapter(changing)}, "C: RETR 1\ns: RETR 1\nS: +OK\nS: a\nS: .\nc: +OK\nc: a\nc: ..x\nc: .\n", "modified"},
		{"closed", Config{Adapter: adapter(broken)}, "C: RETR 1\ns: RETR 1\nS: +OK\nS: a\nS: .\nc: -ERR [SYS/TEMP] Message cannot be inspected now, try again later\n", "failed-closed"},
		{"open", Config{Adapter: adapter(broken), FailOpen: true}, passive("C: RETR 1\nS: +OK\nS: a\nS: .\n"), "failed-open"},
		{"too long", Config{Adapter: adapter(clean), MaxMessage: 2}, "C: RETR 1\ns: RETR 1\nS: +OK\nS: abc\nS: .\nc: -ERR Message is too long to be inspected\n", "failed-closed"},
		{"concealed", Config{Adapter: adapter(clean)}, "C: CAPA\ns: CAPA\nS: +OK\nS: TOP\nS: STLS\nS: UIDL\nS: .\nc: +OK\nc: TOP\nc: UIDL\nc: .\nC: STLS\nc: -ERR TLS not available\nC:  RETR 1\nc: -ERR Syntax error\n", ""},
		{"an end for some clients", Config{Adapter: adapter(clean)}, "C: RETR 1\ns: RETR 1\nS: +OK\nS: a␊.␊\nS: .\nc: -ERR Message refused: a dot stands alone between bare CR or LF\n", "blocked"},
	})
	for name, script := range map[string]string{
		"nobody asked": "S: +OK", "not a reply": "C: NOOP\ns: NOOP\nS: +hello", "a line too many": "C: RETR 1\ns: RETR 1\nS: hello\nc: hello\nS: evil", "endless line": "C: " + strings.Repeat("x", maxLine+10),
	} {
		_, err := converse(t, Config{Adapter: adapter(clean)}, "pop3", 1<<20, script)
		var v interface{ Reason() string }
		if !errors.As(err, &v) || v.Reason() != "pop3-violation" {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// transfer has one end send a file and returns what the other end gets.
func transfer(t *testing.T, cfg Config, script string) (words, got string, err error) {
	t.Helper()
	client, near := pair(t)
	far, origin := pair(t)
	cfg.Name, cfg.Dir = "av", t.TempDir()
	cfg.Observe = func(_, word string, _ time.Duration) { words += word }
	m, e := New(cfg)
	if e != nil {
		t.Fatal(e)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		err = m.Carry(t.Context(), &decrypt.Session{Protocol: protocolData}, end{near}, end{far})
		near.Close()
		far.Close()
	})
	from, to := client, origin
	if strings.HasPrefix(script, "S") {
		from, to = origin, client
	}
	if script != "" {
		io.WriteString(from, strings.TrimSuffix(script[3:], "\n")+"\r\n")
	}
	from.CloseWrite()
	to.SetReadDeadline(time.Now().Add(30 * time.Second))
	text, _ := io.ReadAll(to)
	to.CloseWrite()
	wg.Wait()
	return words, string(text), err
}
