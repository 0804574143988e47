package pop3_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto/pop3"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

const store = `
import imaplib
m = imaplib.IMAP4("127.0.0.1", 143)
m.login("bob", "secret")
for i, body in enumerate((b"a\r\n.\r\n..\r\n.x\r\n+OK\r\n-ERR\r\n", b"", b"x" * 1500 + b"\r\n" + b".\r\n" * 500)):
    m.append("INBOX", None, None, b"Subject: %d\r\n\r\n" % i + body)
m.logout()
`

const fetch = `
import poplib, hashlib
p = poplib.POP3("127.0.0.1", 2110)
p.capa()
p.user("bob")
p.pass_("secret")
p.uidl()
n = len(p.list()[1])
for i in range(1, n + 1):
    for lines in (p.retr(i)[1], p.top(i, 2)[1]):
        print(hashlib.sha256(b"\r\n".join(lines) + b"\r\n").hexdigest())
p.noop()
p.quit()
`

// What Python's client reads of Dovecot's answers, we read.
func TestDovecot(t *testing.T) {
	h := lab.MailHostForTest(t, netlab.ForTest(t), lab.StartDovecot)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	if _, err := lab.Run(ctx, h.Namespace, store, "/usr/bin/python3", "-"); err != nil {
		t.Fatal(err)
	}
	w := pop3.NewWatch[int]()
	var got, commands []string
	var text strings.Builder
	record(t, h.Namespace, 2110, lab.POP3Port, func(toServer bool, p []byte) {
		for len(p) > 0 {
			if toServer {
				s, n, ok := w.Client(p)
				p = p[n:]
				if !ok || s.IsResponse {
					t.Error("dialogue cannot be followed")
				}
				if s.Line != nil {
					commands = append(commands, s.Command.Verb.String())
				}
				continue
			}
			e, n := w.Server(p)
			p = p[n:]
			text.Write(e.Text)
			if e.End {
				if e.To == pop3.RETR || e.To == pop3.TOP {
					got = append(got, fmt.Sprintf("%x", sha256.Sum256([]byte(text.String()))))
				}
				text.Reset()
			}
		}
	})
	r, err := lab.Run(ctx, h.Namespace, fetch, "/usr/bin/python3", "-")
	if err != nil {
		t.Fatal(err, h.Server.Log())
	}
	if want := strings.Fields(r.Stdout); !slices.Equal(got, want) || len(want) != 6 {
		t.Errorf("Python reads %q\nwe read %q", want, got)
	}
	if want := []string{"CAPA", "USER", "PASS", "UIDL", "LIST", "RETR", "TOP", "RETR", "TOP", "RETR", "TOP", "other", "QUIT"}; !slices.Equal(commands, want) {
		t.Errorf("commands are %q", commands)
	}
}

// Verbs that Dovecot takes, a Loose reader takes for the same ones. A Strict reader does
// so or refuses them.
func TestDovecotCommands(t *testing.T) {
	h := lab.MailHostForTest(t, netlab.ForTest(t), lab.StartDovecot)
	for _, spelling := range []string{"CAPA\r\n", "capa\n", " CAPA\r\n", "CAPA \r\n", "CAPA\t\r\n", "\tCAPA\r\n", "CAPA x\r\n", "CAPA\x00\r\n", "CAPA\r\r\n", "CAPA\v\r\n", "\x00CAPA\r\n", "CAPA\rx\r\n", "CAPAx\r\n"} {
		c, err := h.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", lab.POP3Port))
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		buffer := make([]byte, 4096)
		c.Read(buffer)
		fmt.Fprint(c, spelling)
		n, _ := c.Read(buffer)
		c.Close()
		took := strings.HasPrefix(string(buffer[:n]), "+OK")
		loose, _ := pop3.ParseCommand([]byte(spelling), pop3.Loose)
		strict, fault := pop3.ParseCommand([]byte(spelling), pop3.Strict)
		t.Logf("%q: Dovecot says %.20q, loose %v, strict %v, %v", spelling, buffer[:n], loose.Verb, strict.Verb, fault)
		if took && (fault == nil && strict.Verb != pop3.CAPA) || !took && fault == nil && strict.Verb == pop3.CAPA {
			t.Errorf("%q: Dovecot says %.20q, loose %v, strict %v, %v", spelling, buffer[:n], loose.Verb, strict.Verb, fault)
		}
	}
}

// record listens in ns and passes a session to port. It hands all octets to read, one
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
