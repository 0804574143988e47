package imap_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto/imap"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// Where Dovecot asks for a literal, we read one. A Strict reader does so or refuses the
// line.
func TestDovecotLiterals(t *testing.T) {
	h := lab.MailHostForTest(t, netlab.ForTest(t), lab.StartDovecot)
	var wg sync.WaitGroup
	room := make(chan struct{}, 8)
	for _, command := range []string{
		"a LOGIN {3}\r\n", "a LOGIN bob {6}\r\n", "a LOGIN {3}\n", "a LOGIN bob{3}\r\n", "a LOGIN \"bob {3}\r\n", "a LOGIN \"bob {3}\"\r\n", "a LOGIN \"b\\\"\" {3}\r\n",
		"a LOGIN \"b\\\" {3}\r\n", "a LOGIN {3} \r\n", "a LOGIN {3}x\r\n", "a LOGIN ~{3}\r\n", "a LOGIN {03}\r\n", "a LOGIN {+3}\r\n", "a LOGIN {3 }\r\n", "a LOGIN {-3}\r\n", "a LOGIN {}\r\n",
		"a LOGIN ({3}\r\n", "a LOGIN bob \\{3}\r\n", "a  LOGIN {3}\r\n", " a LOGIN {3}\r\n", "a\tLOGIN {3}\r\n", "a LOGIN\t{3}\r\n", "a LOGIN {3}\r\r\n", "a NOOP {3}\r\n", "a NOOP x{3}\r\n",
		"a ID {3}\r\n", "a ID (\"x\" {3}\r\n", "a {3}\r\n", "{3}\r\n", "a LOGIN bob %{3}\r\n", "a LOGIN [{3}\r\n", "a CAPABILITY {3}\r\n", "a LOGIN {99999999999999999999}\r\n",
	} {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			c, err := h.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", lab.IMAPPort))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(60 * time.Second))
			br := bufio.NewReader(c)
			br.ReadString('\n')
			io.WriteString(c, command)
			answer := "silence"
			c.SetReadDeadline(time.Now().Add(time.Second)) // an incomplete line is not answered
			for {
				text, err := br.ReadString('\n')
				if err != nil {
					break
				}
				if answer = strings.TrimSpace(text); !strings.HasPrefix(answer, "*") {
					break
				}
			}
			_, announced := imap.ParseLiteral([]byte(command))
			_, fault := imap.ParseCommand([]byte(command), imap.Strict)
			asks := strings.HasPrefix(answer, "+")
			t.Logf("%q: Dovecot says %.40q, announced %v, %v", command, answer, announced, fault)
			if asks && !announced && fault == nil || !asks && announced && fault == nil && !refuses(answer) {
				t.Errorf("%q: Dovecot says %.40q, announced %v, %v", command, answer, announced, fault)
			}
		})
	}
	wg.Wait()
}

// refuses reports whether an answer refuses a command, whatever it announces.
func refuses(answer string) bool {
	return strings.Contains(answer, " BAD ") || strings.Contains(answer, " NO ")
}

// record listens in ns and passes sessions to port. It hands all octets to read, one
// piece at a time.
func record(t *testing.T, ns *netlab.Namespace, from, to int, read func(toServer bool, p []byte)) {
	ln, err := ns.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", from))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	pass := func(from, to net.Conn, up bool) {
		defer to.Close()
		buffer := make([]byte, 1000)
		for {
			n, err := from.Read(buffer)
			mu.Lock()
			read(up, buffer[:n])
			mu.Unlock()
			if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
				return
			}
		}
	}
	wg.Go(func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		o, err := ns.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", to))
		if err != nil {
			t.Error(err)
			c.Close()
			return
		}
		wg.Go(func() { pass(o, c, false) })
		pass(c, o, true)
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
}

const script = `
import imaplib, hashlib
m = imaplib.IMAP4("127.0.0.1", 2143)
m.login("bob", "secret")
mail = b"Subject: {5}\r\n\r\n* 1 FETCH (BODY[] {3}\r\n" + b"x OK )\r\n" * 3000 + b"\xff\x00)"
m.append("INBOX", r"(\Seen)", None, mail.replace(b"\x00", b""))
m.append("INBOX", None, None, b"Subject: second\r\n\r\nbody\r\n")
m.select("INBOX")
for spec in ("(UID BODY.PEEK[] FLAGS)", "(RFC822.SIZE RFC822)", "(ENVELOPE BODYSTRUCTURE BODY[HEADER.FIELDS (SUBJECT FROM)] BODY[TEXT]<2.10> BINARY[])"):
    kind, data = m.uid("FETCH", "1:*", spec)
    assert kind == "OK", kind
    for part in data:
        if isinstance(part, tuple):
            print(hashlib.sha256(part[1]).hexdigest())
m.logout()
`

// What Python's client reads of Dovecot's answers, we read, and what it appends.
func TestDovecotFetch(t *testing.T) {
	h := lab.MailHostForTest(t, netlab.ForTest(t), lab.StartDovecot)
	w := imap.NewWatch[int]()
	var fetched, appended []string
	var commands []string
	var up strings.Builder
	down := sha256.New()
	record(t, h.Namespace, 2143, lab.IMAPPort, func(toServer bool, p []byte) {
		for len(p) > 0 {
			if toServer {
				s, n, ok := w.Client(p)
				p = p[n:]
				if !ok {
					t.Error("dialogue cannot be followed")
				}
				if s.What == imap.First && s.Line != nil {
					commands = append(commands, s.Command.Verb.String())
				}
				up.WriteString(string(s.Octets))
				if s.What == imap.Octets && s.End {
					appended = append(appended, strings.ReplaceAll(up.String(), "\r\n", "\n")) // as a maildir has it
					up.Reset()
				}
				continue
			}
			e, n := w.Server(p)
			p = p[n:]
			if e.Fetched {
				down.Write(e.Octets)
			}
			if e.Fetched && e.End {
				fetched = append(fetched, fmt.Sprintf("%x", down.Sum(nil)))
				down.Reset()
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	r, err := lab.Run(ctx, h.Namespace, script, "/usr/bin/python3", "-")
	if err != nil {
		t.Fatal(err, h.Server.Log())
	}
	want := strings.Fields(r.Stdout)
	if !slices.Equal(fetched, want) || len(want) < 8 {
		t.Errorf("Python reads %q\nwe read %q", want, fetched)
	}
	if messages, err := h.Boxes.Messages("bob"); err != nil || len(messages) != 2 || len(appended) != 2 {
		t.Errorf("%d messages in the mailbox, %d read; %v", len(messages), len(appended), err)
	} else {
		slices.Sort(appended)
		slices.Sort(messages)
		if !slices.Equal(appended, messages) {
			t.Errorf("Dovecot keeps %.300q, we read %.300q", messages, appended)
		}
	}
	if !slices.Contains(commands, "LOGIN") || !slices.Contains(commands, "FETCH") || !slices.Contains(commands, "LOGOUT") {
		t.Errorf("commands are %q", commands)
	}
}
