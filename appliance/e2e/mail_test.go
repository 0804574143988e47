package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/smtp"
	"slices"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

const sender = "alice@" + domain

// letter is a message with lines that look like other things.
func letter(subject, body string) string {
	return "From: " + sender + "\nTo: " + user + "@" + domain + "\nSubject: " + subject +
		"\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + body
}

// attachment is a message with 5 MB of random octets.
func attachment(subject string) string {
	octets := make([]byte, 5_000_000)
	rand.Read(octets)
	text := base64.StdEncoding.EncodeToString(octets)
	var b strings.Builder
	fmt.Fprintf(&b, "From: %s\nTo: %s@%s\nSubject: %s\nMIME-Version: 1.0\n"+
		"Content-Type: multipart/mixed; boundary=limit\n\n--limit\nContent-Type: text/plain\n\nsee the file\n"+
		"--limit\nContent-Type: application/octet-stream; name=file.bin\nContent-Transfer-Encoding: base64\n\n", sender, user, domain, subject)
	for line := range slices.Chunk([]byte(text), 76) {
		b.Write(line)
		b.WriteByte('\n')
	}
	b.WriteString("--limit--\n")
	return b.String()
}

// TestMail sends mail in every way that Postfix takes it and fetches it in every
// way that Dovecot gives it. A second mirror keeps the STARTTLS dialogue.
func TestMail(t *testing.T) {
	c := newScene(t, settings{Mirror: "  - {name: truth, kind: pcapng, directory: truth, starttls: keep}"})
	boxes, err := lab.NewMailboxes(c.Directory("mail"), domain, map[string]string{user: password})
	if err != nil {
		t.Fatal(err)
	}
	postfix, err := lab.StartPostfix(c.Origin, c.Directory("postfix"), c.Cert, boxes)
	if err != nil {
		t.Fatal(err)
	}
	dovecot, err := lab.StartDovecot(c.Origin, c.Directory("dovecot"), c.Cert, boxes)
	if err != nil {
		t.Fatal(err)
	}

	const body = "STARTTLS\nEHLO client.example\n.dot\nGrüße aus Köln, 你好\n\nlast line\n"
	var sent []string // messages
	for _, m := range []struct {
		name  string
		port  int
		plain bool
		data  string
	}{
		{"SMTPS", lab.SMTPSPort, false, letter("by 465", body)},
		{"submission", lab.SubmissionPort, false, letter("by 587", body)},
		{"STARTTLS", lab.SMTPPort, false, letter("by 25", body)},
		{"no TLS", lab.SMTPPort, true, letter("without TLS", body)},
		{"attachment", lab.SubmissionPort, false, attachment("with attachment")},
	} {
		sent = append(sent, m.data)
		t.Run(m.name, func(t *testing.T) {
			r, err := lab.Swaks(c.Ctx, c.Client, lab.Mail{Server: lab.OriginV4, Port: m.port, Name: mailName, CA: c.CA,
				From: sender, To: user + "@" + domain, Data: m.data, Plain: m.plain}, "--suppress-data")
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, r.Stdout, postfix.Log())
			}
			c.In(t).delivered(boxes, m.data)
		})
	}
	t.Run("two mails, one session", func(t *testing.T) {
		messages := []string{letter("first of two", body), letter("second of two", body)}
		sent = append(sent, messages...)
		c.In(t).submit(messages)
		for _, m := range messages {
			c.In(t).delivered(boxes, m)
		}
	})

	fetched := make(map[ends]string)
	for _, url := range []string{"imaps", "imap", "pop3s", "pop3"} {
		t.Run(url, func(t *testing.T) {
			path := "/1"
			if strings.HasPrefix(url, "imap") {
				path = "/INBOX;MAILINDEX=1"
			}
			x := c.In(t).Fetch(append(lab.Resolve(mailName, lab.OriginV4), "--ssl-reqd",
				"--user", user+":"+password, url+"://"+mailName+path)...)
			if !bytes.Contains(x.Content, []byte("Subject: ")) {
				t.Errorf("got %q\n%s", x.Content, dovecot.Log())
			}
			fetched[x.Ends] = string(x.Content)
		})
	}
	t.Run("openssl, imap", func(t *testing.T) {
		r, err := lab.OpenSSL(c.Ctx, c.Client, "a login "+user+" "+password+"\r\nb status INBOX (messages)\r\nc logout\r\n",
			"-connect", fmt.Sprintf("%s:%d", lab.OriginV4, lab.IMAPPort), "-starttls", "imap",
			"-quiet", "-ign_eof", "-servername", mailName, "-CAfile", c.CA, "-verify_return_error")
		if err != nil || !strings.Contains(r.Stdout, fmt.Sprintf("STATUS INBOX (MESSAGES %d)", len(sent))) {
			t.Errorf("%v\n%s\n%s", err, r.Stdout, dovecot.Log())
		}
	})
	recorded := c.Stop()
	c.mailFacts()
	c.exportedMail(sent)
	c.dissected()
	c.dialogues(recorded, fetched)
}

// mailFacts wants sessions of IMAP and POP3 to tell who was there and what was fetched.
func (c *scene) mailFacts() {
	c.Helper()
	seen := make(map[uint16]int)
	for _, e := range c.Entries() {
		port := e.Origin.Port()
		if port != lab.IMAPPort && port != lab.IMAPSPort && port != lab.POP3Port && port != lab.POP3SPort {
			continue
		}
		if len(e.Logins) != 1 || e.Logins[0].User != user || e.Logins[0].Outcome != "granted" {
			c.Errorf("port %d: logins are %v", port, e.Logins)
		}
		for _, m := range e.Mail {
			seen[port]++
			if !m.Fetched || m.From != sender || m.Subject != "by 465" {
				c.Errorf("port %d: fetched %+v", port, m)
			}
		}
	}
	if len(seen) != 4 {
		c.Errorf("messages fetched, by port: %v", seen)
	}
}

// delivered waits until a message is in the mailbox, as it was sent.
func (c *scene) delivered(boxes *lab.Mailboxes, message string) {
	c.Helper()
	header, body, _ := strings.Cut(message, "\n\n")
	got, err := boxes.WaitMessage(c.Ctx, user, header[strings.Index(header, "Subject: "):])
	if err != nil {
		c.Fatal(err)
	}
	_, gotBody, _ := strings.Cut(got, "\n\n")
	scenetest.Same(c, "body delivered", []byte(strings.TrimRight(gotBody, "\n")), []byte(strings.TrimRight(body, "\n")))
}

// submit sends mails in one session, after STARTTLS.
func (c *scene) submit(messages []string) {
	c.Helper()
	conn := c.Dial(lab.SubmissionPort)
	client, err := smtp.NewClient(conn, mailName)
	if err != nil {
		c.Fatal(err)
	}
	must := func(err error) {
		c.Helper()
		if err != nil {
			c.Fatal(err)
		}
	}
	must(client.Hello("client.example"))
	must(client.StartTLS(&tls.Config{RootCAs: c.Pool(c.CA), ServerName: mailName}))
	for _, m := range messages {
		must(client.Mail(sender))
		must(client.Rcpt(user + "@" + domain))
		w, err := client.Data()
		must(err)
		_, err = io.WriteString(w, m)
		must(err)
		must(w.Close())
	}
	must(client.Quit())
}
