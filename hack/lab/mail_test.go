package lab

import (
	"fmt"
	"strings"
	"testing"
)

const testMail = "From: alice@example.test\nTo: bob@example.test\nSubject: %s\n\nfirst line\n.dot line\nlast line\n"

func TestMail(t *testing.T) {
	ctx, g := gateway(t)
	ca, cert := pki(t, g, "mail.example.test", OriginV4)
	boxes, err := NewMailboxes(dir(t, g, "mail"), "example.test", map[string]string{"bob": "secret", "carol": "hidden"})
	if err != nil {
		t.Fatal(err)
	}
	postfix, err := StartPostfix(g.Origin, dir(t, g, "postfix"), cert, boxes)
	if err != nil {
		t.Fatal(err)
	}
	dovecot, err := StartDovecot(g.Origin, dir(t, g, "dovecot"), cert, boxes)
	if err != nil {
		t.Fatal(err)
	}
	// A second lab at the same time, on the same ports.
	_, g2 := gateway(t)
	boxes2, err := NewMailboxes(dir(t, g2, "mail"), "example.test", map[string]string{"bob": "other"})
	if err != nil {
		t.Fatal(err)
	}
	_, cert2 := pki(t, g2, "mail.example.test")
	if _, err := StartPostfix(g2.Origin, dir(t, g2, "postfix"), cert2, boxes2); err != nil {
		t.Fatal(err)
	}

	for _, port := range []int{SMTPPort, SMTPSPort, SubmissionPort} {
		t.Run(fmt.Sprintf("swaks to %d", port), func(t *testing.T) {
			subject := fmt.Sprintf("port %d", port)
			r, err := Swaks(ctx, g.Client, Mail{Server: OriginV4, Port: port, Name: "mail.example.test", CA: ca.RootFile,
				From: "alice@example.test", To: "bob@example.test", Data: fmt.Sprintf(testMail, subject)})
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, r.Stdout, postfix.Log())
			}
			got, err := boxes.WaitMessage(ctx, "bob", "Subject: "+subject)
			if err != nil {
				t.Fatalf("%v\n%s", err, postfix.Log())
			}
			if !strings.HasSuffix(got, "\n\nfirst line\n.dot line\nlast line\n\n") && !strings.HasSuffix(got, "\n\nfirst line\n.dot line\nlast line\n") {
				t.Errorf("delivered:\n%s", got)
			}
			if !strings.Contains(r.Stdout, "TLS started with cipher") {
				t.Errorf("no TLS in the transcript:\n%s", r.Stdout)
			}
		})
	}
	t.Run("submission without TLS is refused", func(t *testing.T) {
		r, err := Swaks(ctx, g.Client, Mail{Server: OriginV4, Port: SubmissionPort, Plain: true,
			From: "alice@example.test", To: "bob@example.test"})
		if err == nil || !strings.Contains(r.Stdout, "STARTTLS") {
			t.Errorf("got %v\n%s", err, r.Stdout)
		}
	})
	t.Run("foreign CA is refused", func(t *testing.T) {
		if r, err := Swaks(ctx, g.Client, Mail{Server: OriginV4, Port: SMTPSPort, CA: cert2.CertFile,
			From: "alice@example.test", To: "bob@example.test"}); err == nil {
			t.Errorf("accepted:\n%s", r.Stdout)
		}
	})
	for _, url := range []string{"imaps://mail.example.test/INBOX;MAILINDEX=1", "imap://mail.example.test/INBOX;MAILINDEX=1",
		"pop3s://mail.example.test/1", "pop3://mail.example.test/1"} {
		t.Run(url, func(t *testing.T) {
			args := append(Resolve("mail.example.test", OriginV4), "--ssl-reqd", "--user", "bob:secret", url)
			r, err := Curl(ctx, g.Client, ca.RootFile, args...)
			if err != nil || !strings.Contains(r.Stdout, "Subject: port ") {
				t.Errorf("%v\n%s\n%s", err, r.Stdout, dovecot.Log())
			}
		})
	}
	t.Run("openssl", func(t *testing.T) {
		for _, args := range [][]string{{"-connect", OriginV4 + ":993"}, {"-connect", OriginV4 + ":143", "-starttls", "imap"}} {
			r, err := OpenSSL(ctx, g.Client, "a login carol hidden\r\nb status INBOX (messages)\r\nc logout\r\n",
				append(args, "-quiet", "-ign_eof", "-CAfile", ca.RootFile, "-verify_return_error")...)
			if err != nil || !strings.Contains(r.Stdout, "STATUS INBOX (MESSAGES 0)") {
				t.Errorf("%v: %v\n%s\n%s", args, err, r.Stdout, dovecot.Log())
			}
		}
	})
	if messages, err := boxes2.Messages("bob"); err != nil || len(messages) != 0 {
		t.Errorf("the other lab got %d messages, %v", len(messages), err)
	}
	for _, s := range []*Server{postfix, dovecot} {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}
}
