package demo

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/encoding/japanese"

	"github.com/clearspan/clearspan/hack/lab"
)

// sendMail has swaks send a file: subject, text and name are in ISO-2022-JP.
func (s *evidence) sendMail(ctx context.Context, out *story) error {
	const name = "見積書.bin"
	content := bytes.Repeat([]byte("\x00\x01estimate\xff"), 3000)
	data, err := letter("見積送付", "見積書を送ります。", name, content)
	if err != nil {
		return err
	}
	for _, port := range []int{lab.SMTPSPort, lab.SubmissionPort} {
		m := lab.Mail{Server: lab.OriginV4, Port: port, From: mailSender + "@" + domain, To: mailUser + "@" + domain, Name: mailName, CA: s.ca, Data: data}
		if _, err := lab.Swaks(ctx, s.gateway.Client, m); err != nil {
			return err
		}
	}
	s.add(out, name, content, "sent", "swaks, by TLS and by STARTTLS, with "+name)
	return nil
}

// keepMail has curl append a message to a mailbox of Dovecot, and fetch it.
func (s *evidence) keepMail(ctx context.Context, out *story) error {
	const name = "議事録.bin"
	content := bytes.Repeat([]byte("\x00minutes\xff"), 4000)
	data, err := letter("議事録", "議事録を残します。", name, content)
	if err != nil {
		return err
	}
	file, err := s.file("draft.eml", []byte(strings.ReplaceAll(data, "\n", "\r\n")))
	if err != nil {
		return err
	}
	box := "imaps://" + mailName + "/INBOX"
	for _, args := range [][]string{{"--upload-file", file, box}, {"--output", file + ".copy", box + ";MAILINDEX=1"}} {
		args = slices.Concat(lab.Resolve(mailName, lab.OriginV4), []string{"--user", mailSender + ":secret"}, args)
		if _, err := lab.Curl(ctx, s.gateway.Client, s.ca, args...); err != nil {
			return err
		}
	}
	s.add(out, name, content, "sent", "curl --upload-file, imaps://, with "+name)
	s.add(out, name, content, "received", "curl imaps://, with "+name)
	return nil
}

// letter returns a message with a file, in the charset of Japanese mail. Lines end with \n.
func letter(subject, text, name string, file []byte) (string, error) {
	var failed error
	in := func(s string) string {
		coded, err := japanese.ISO2022JP.NewEncoder().String(s)
		if err != nil {
			failed = err
		}
		return coded
	}
	word := func(s string) string { return "=?ISO-2022-JP?B?" + base64Of([]byte(in(s))) + "?=" }
	return fmt.Sprintf("From: %s@%s\nTo: %s@%s\nSubject: %s\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"+
		"--b\nContent-Type: text/plain; charset=ISO-2022-JP\n\n%s\n--b\n"+
		"Content-Type: application/octet-stream; name=\"%s\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment\n\n%s\n--b--\n",
		mailSender, domain, mailUser, domain, word(subject), in(text), word(name), base64Lines(file)), failed
}

func base64Of(p []byte) string { return base64.StdEncoding.EncodeToString(p) }

// base64Lines returns base64 in lines.
func base64Lines(p []byte) string {
	var b strings.Builder
	for s := base64Of(p); s != ""; {
		n := min(76, len(s))
		b.WriteString(s[:n] + "\n")
		s = s[n:]
	}
	return strings.TrimSuffix(b.String(), "\n")
}
