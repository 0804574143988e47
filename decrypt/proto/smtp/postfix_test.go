package smtp_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto/smtp"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// postfix runs Postfix with a mailbox of bob@example.test.
func postfix(t *testing.T) (*netlab.Namespace, *lab.Mailboxes) {
	h := lab.MailHostForTest(t, netlab.ForTest(t), lab.StartPostfix)
	return h.Namespace, h.Boxes
}

// talk is a session with Postfix.
type talk struct {
	t *testing.T
	net.Conn
	*bufio.Reader
}

// greet begins a session, and sends commands that must succeed. It may run in any
// goroutine.
func greet(t *testing.T, ns *netlab.Namespace, commands ...string) *talk {
	c, err := ns.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", lab.SMTPPort))
	if err != nil {
		panic(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	k := &talk{t, c, bufio.NewReader(c)}
	k.reply()
	for _, command := range append([]string{"EHLO client.test\r\n"}, commands...) {
		if k.send(command); k.reply() >= 400 {
			t.Errorf("Postfix refuses %q", command)
		}
	}
	return k
}

func (k *talk) send(text string) {
	if _, err := io.WriteString(k.Conn, text); err != nil {
		k.t.Error(err)
	}
}

// reply returns the code of the next reply, 0 at the end of the session.
func (k *talk) reply() int {
	for {
		line, err := k.ReadSlice('\n')
		if err != nil {
			return 0
		}
		if r, ok := smtp.ParseReply(line); !ok {
			k.t.Errorf("Postfix says %q", line)
		} else if r.Last {
			return r.Code
		}
	}
}

const (
	mailFrom = "MAIL FROM:<alice@example.test>\r\n"
	rcptTo   = "RCPT TO:<bob@example.test>\r\n"
)

// What Postfix takes for a command, a Loose reader takes for the same one. A Strict
// reader does so or refuses it.
func TestPostfixCommands(t *testing.T) {
	ns, _ := postfix(t)
	spellings := []string{
		"%s\r\n", "%s\n", " %s\r\n", "\t %s\r\n", "\v%s\r\n", "\f%s\r\n", "\r%s\r\n", "%s \t \r\n", "%s\v\r\n", "%s\f\r\n", "%s\r\r\n", "%s\rx\r\n",
		"%s\x00\r\n", "%s\x00x\r\n", "\x00%s\r\n", "%s" + strings.Repeat(" ", 3000) + "\r\n", strings.Repeat(" ", 1500) + "%s\r\n", strings.Repeat(" ", 3000) + "%s\r\n",
		"\"%s\"\r\n", "<%s>\r\n", "[%s]\r\n", "%s:\r\n", "%s;\r\n", "%s\"\"\r\n", "\x01%s\r\n", "\x1b%s\r\n", "\u00a0%s\r\n", "(a) %s\r\n", "\\%s\r\n", "%s x\r\n", "%s\x85\r\n",
	}
	var wg sync.WaitGroup
	room := make(chan struct{}, 20) // Postfix lets a client wait after an error
	for verb, code := range map[string]int{"DATA": 354, "data": 354, "STARTTLS": 220, "StartTls": 220, "ſTARTTLS": 220} {
		for _, spelling := range spellings {
			room <- struct{}{}
			wg.Go(func() {
				defer func() { <-room }()
				compare(t, greet(t, ns, mailFrom, rcptTo), strings.Replace(spelling, "%s", verb, 1), verb, code)
			})
		}
	}
	wg.Wait()
}

// compare sends a line that may be the verb, to which Postfix answers code if it has no
// argument.
func compare(t *testing.T, k *talk, line, verb string, code int) {
	k.send(line)
	got := k.reply()
	k.Close()
	loose, _ := smtp.ParseCommand([]byte(line), smtp.Loose)
	strict, fault := smtp.ParseCommand([]byte(line), smtp.Strict)
	read := strings.EqualFold(loose.Verb.String(), verb)
	t.Logf("%.40q: Postfix %d, loose %v, strict %v, %v", line, got, loose.Verb, strict.Verb, fault)
	if took := got == code || got == 501 || got == 554; took && (!read || fault == nil && strict.Verb != loose.Verb) {
		t.Errorf("%.40q: Postfix answers %d, we read %v, strict %v, %v", line, got, loose.Verb, strict.Verb, fault)
	}
}

var returnPath = regexp.MustCompile(`(?m)^Return-Path: <(.*)>$`)

// If Postfix takes a sender, we read the same address.
func TestPostfixPaths(t *testing.T) {
	ns, boxes := postfix(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for i, argument := range []string{
		"FROM:<alice@example.test>", "from:<alice@example.test>", "FROM: <alice@example.test>", "FROM:\t<alice@example.test>", "FROM :<alice@example.test>",
		"FROM : <alice@example.test>", " FROM:<alice@example.test>", "FROM:alice@example.test", "FROM:<alice@example.test", "FROM:<>", "FROM: <> ",
		"FROM:<alice@example.test> SIZE=100", "FROM:<alice@example.test> BODY=8BITMIME SIZE=100", "FROM:<alice@example.test>SIZE=100",
		`FROM:<"alice"@example.test>`, `FROM:<"a>b"@example.test>`, `FROM:<"a b"@example.test>`, `FROM:<"a\"b"@example.test>`, `FROM:<a\>b@example.test>`,
		"FROM:<@a.test:alice@example.test>", "FROM:<alice:b@example.test>", "FROM:(comment)<alice@example.test>", "FROM:<<alice@example.test>>", "FROM", "alice@example.test",
	} {
		k := greet(t, ns)
		k.send("MAIL " + argument + "\r\n")
		code := k.reply()
		path, ok := smtp.ParsePath([]byte(strings.TrimSpace(argument)))
		t.Logf("%q: Postfix %d, we %q with %q, %v", argument, code, path.Address, path.Parameters, ok)
		if code != 250 {
			k.Close()
			continue
		}
		subject := fmt.Sprintf("Subject: path %d\n", i)
		for _, step := range []string{rcptTo, "DATA\r\n", subject[:len(subject)-1] + "\r\n\r\nx\r\n.\r\n"} {
			k.send(step)
			if code := k.reply(); code >= 400 {
				t.Fatalf("%q: Postfix answers %q with %d", argument, step, code)
			}
		}
		message, err := boxes.WaitMessage(ctx, "bob", subject)
		if err != nil {
			t.Fatal(err)
		}
		found := returnPath.FindStringSubmatch(message)
		if found == nil || !ok {
			t.Fatalf("%q: %v\n%s", argument, ok, message)
		}
		bare := strings.NewReplacer(`"`, "", `\`, "") // Postfix quotes where it must
		if want := bare.Replace(found[1]); !strings.HasSuffix(bare.Replace(string(path.Address)), want) || (want == "") != (len(path.Address) == 0) {
			t.Errorf("%q: Postfix reads %q, we %q", argument, found[1], path.Address)
		}
	}
}

// Where Postfix ends content, we do, or we report that others may.
func TestPostfixContent(t *testing.T) {
	ns, _ := postfix(t)
	for _, end := range []string{
		"\r\n.\r\n", "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\n.\r\r\n", "\r\r\n.\r\n", "\n\r\n.\r\n", "\r\n.\x00\r\n", "\r\n\x00.\r\n",
		"\r\n..\r\n", "\r\n.x\r\n", "\r\n. \r\n", "\r\n .\r\n", "\n.\r\r\n", "\r\r.\r\r", "\r\n.\r\n.\r\n", "\n\n.\n",
	} {
		k := greet(t, ns, mailFrom, rcptTo, "DATA\r\n")
		var c smtp.Content
		over := false
		for p := []byte("Subject: x\r\n\r\ntext" + end); len(p) > 0 && !over; {
			var n int
			_, n, over = c.Next(p)
			p = p[n:]
		}
		k.send("Subject: x\r\n\r\ntext" + end)
		k.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		code := k.reply()
		k.Close()
		t.Logf("%q: Postfix %d, we over %v, ambiguous %v", end, code, over, c.Ambiguous)
		if ended := code != 0; ended != over && !(ended && c.Ambiguous && c.Lone()) {
			t.Errorf("%q: Postfix answers %d, over %v, ambiguous %v, lone %v", end, code, over, c.Ambiguous, c.Lone())
		}
	}
}

// Replies belong to the commands that we say, also if commands are pipelined.
func TestPostfixPipelining(t *testing.T) {
	ns, _ := postfix(t)
	const content = "Subject: pipelined\r\n\r\n..dot\r\n.\r\n"
	const script = "EHLO client.test\r\n" + "\r\n" + "NOOP\n" + " FOO bar\r\n" + "RSET\r\r\n" + mailFrom + rcptTo + "RCPT TO:<nobody@other.test>\r\n" +
		"RSET\r\n" + mailFrom + "VRFY nobody@other.test\r\n" + rcptTo + "BDAT 20\r\nSubject: x\r\nDATA\r\n\r\nBDAT 3 LAST\r\n.\r\n" + mailFrom + rcptTo + "BDAT 0 LAST\r\n" + mailFrom + rcptTo + "DATA\r\n"
	c, err := ns.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", lab.SMTPPort))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	w := smtp.NewWatch[int]()
	var commands, answers []string
	say := func(text string) {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		for p := []byte(text); len(p) > 0; {
			e, n, ok := w.Client(p)
			if !ok {
				t.Fatal("dialogue cannot be followed")
			}
			if e.IsCommand {
				commands = append(commands, e.Command.Verb.String())
				w.Note = len(commands)
			}
			p = p[n:]
		}
	}
	buffer := make([]byte, 4096)
	hear := func(until smtp.Verb) {
		for {
			n, err := c.Read(buffer)
			if err != nil {
				t.Fatal(err, answers)
			}
			found := false
			for p := buffer[:n]; len(p) > 0; {
				a, n, whole := w.Server(p)
				p = p[n:]
				if whole && a.Final {
					answers = append(answers, fmt.Sprintf("%v %d", a.To, a.Code))
					found = found || a.To == until
				}
			}
			if found {
				return
			}
		}
	}
	hear(smtp.Greeting)
	say(script)
	hear(smtp.DATA)
	say(content + "QUIT\r\n")
	hear(smtp.QUIT)
	want := []string{"greeting 220", "EHLO 250", "other 500", "NOOP 250", "other 500", "RSET 250", "MAIL 250", "RCPT 250", "RCPT 554", "RSET 250", "MAIL 250", "VRFY 554", "RCPT 250",
		"BDAT 250", "message 250", "MAIL 250", "RCPT 250", "message 250", "MAIL 250", "RCPT 250", "DATA 354", "message 250", "QUIT 221"}
	if !slices.Equal(answers, want) {
		t.Errorf("answers\n%s, want\n%s", strings.Join(answers, ", "), strings.Join(want, ", "))
	}
}
