package e2e

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

// store puts messages into the mailbox, past clearspan.
const store = `
import imaplib, sys
m = imaplib.IMAP4("127.0.0.1", 143)
m.login("%s", "%s")
for text in sys.stdin.buffer.read().split(b"\0")[:-1]:
    m.append("INBOX", None, None, text)
m.logout()
`

// fetched fetches messages in every way, and prints a word for each.
const fetchScript = `
import imaplib, poplib, ssl, sys
host, ca, user, password, bad = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.check_hostname = False
bad = bad.encode()

def word(text):
    if bad in text or b"RElSRUNUT1JZ" in text:
        return "infected"
    return "withheld" if b"refused" in text else "clean"

def imap(name, m):
    said = []
    m.login(user, password)
    m.select("INBOX")
    for number in ("1", "2", "3"):
        for what in ("BODY.PEEK[]", "BODY.PEEK[]<0.100000>", "RFC822.TEXT"):
            kind, data = m.fetch(number, what)
            said.append(kind == "OK" and word(data[0][1]) or kind)
    kind, data = m.fetch("3", "(BODY.PEEK[2] BODY.PEEK[1])")
    said += [word(part[1]) for part in data if isinstance(part, tuple)]
    kind, data = m.append("INBOX", None, None, b"Subject: up\r\n\r\n" + bad + b"\r\n")
    said.append(kind)
    kind, data = m.append("INBOX", None, None, b"Subject: up\r\n\r\nclean\r\n")
    said.append(kind)
    m.logout()
    print(name, *said)

def pop(name, p):
    said = []
    p.user(user)
    p.pass_(password)
    for number in (1, 2, 3):
        for f in (lambda: p.retr(number), lambda: p.top(number, 1000)):
            try:
                said.append(word(b"\r\n".join(f()[1])))
            except poplib.error_proto as e:
                said.append("withheld" if b"refused" in e.args[0] else "?")
    p.quit()
    print(name, *said)

imap("imaps", imaplib.IMAP4_SSL(host, 993, ssl_context=context))
m = imaplib.IMAP4(host, 143)
m.starttls(context)
imap("starttls", m)
imap("imap", imaplib.IMAP4(host, 143))
pop("pop3s", poplib.POP3_SSL(host, 995, context=context))
p = poplib.POP3(host, 110)
p.stls(context)
pop("stls", p)
pop("pop3", poplib.POP3(host, 110))
`

// TestICAPFetch has a virus scanner look at mail that clients fetch by IMAP and POP3, with
// TLS from the start, behind STARTTLS and without, and at what they put into a mailbox.
func TestICAPFetch(t *testing.T) {
	var dir string
	c := newScene(t, settings{Prepare: scanner(&dir), Policy: "{default: bump, services: [av]}", More: scanned})
	boxes, err := lab.NewMailboxes(c.Directory("mail"), domain, map[string]string{user: password})
	if err != nil {
		t.Fatal(err)
	}
	dovecot, err := lab.StartDovecot(c.Origin, c.Directory("dovecot"), c.Cert, boxes)
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(lab.EICAR()))
	attached := "From: " + sender + "\nSubject: attached\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\ntext\n" +
		"--b\nContent-Type: application/octet-stream; name=a.com\nContent-Transfer-Encoding: base64\n\n" + encoded + "\n--b--\n"
	messages := strings.Join([]string{letter("clean", "text\n"), letter("infected", lab.EICAR()+"\n"), attached, ""}, "\x00")
	if _, err := lab.Run(c.Ctx, c.Origin, messages, "/usr/bin/python3", "-c", fmt.Sprintf(store, user, password)); err != nil {
		t.Fatal(err, dovecot.Log())
	}
	r, err := lab.Run(c.Ctx, c.Client, fetchScript, "/usr/bin/python3", "-", lab.OriginV4, c.CA, user, password, lab.EICAR())
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, r.Stdout, dovecot.Log())
	}
	imap := strings.Repeat(" clean", 3) + strings.Repeat(" withheld", 6) + " withheld clean NO OK"
	pop := " clean clean" + strings.Repeat(" withheld", 4)
	want := "imaps" + imap + "\nstarttls" + imap + "\nimap" + imap + "\npop3s" + pop + "\nstls" + pop + "\npop3" + pop + "\n"
	if r.Stdout != want {
		t.Errorf("got\n%swant\n%s%s", r.Stdout, want, dovecot.Log())
	}
	c.Stop()
	blocked := 0
	for _, e := range c.Entries() {
		if e.Service["av"] == "blocked" && e.Finding["av"] == lab.Threat+".UNOFFICIAL" {
			blocked++
		}
	}
	if blocked != 6 {
		t.Errorf("%d sessions are blocked, want 6", blocked)
	}
}
