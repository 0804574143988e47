package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/encoding/japanese"

	"github.com/clearspan/clearspan/hack/lab"
)

// add notes a file.
func (s *evidence) add(out *story, name string, content []byte, way, by string) {
	sum := sha256.Sum256(content)
	s.files = append(s.files, sentFile{name, hex.EncodeToString(sum[:]), way, by})
	out.say("  %-60s %d octets\n", by, len(content))
}

func (s *evidence) download(ctx context.Context, out *story) error {
	for version, page := range map[string]string{"--http1.1": "large.bin", "--http2": "news.html"} {
		content, err := os.ReadFile(filepath.Join(s.web.Root, page))
		if err != nil {
			return err
		}
		args := slices.Concat(lab.Resolve(webName, lab.OriginV4), []string{version, "--output", filepath.Join(s.box, "got"), "https://" + webName + "/" + page})
		if _, err := lab.Curl(ctx, s.gateway.Client, s.ca, args...); err != nil {
			return err
		}
		s.add(out, page, content, "received", "curl "+version+" "+page)
	}
	return nil
}

// upload has curl send a list of people.
func (s *evidence) upload(ctx context.Context, out *story) error {
	const name = "顧客名簿.csv"
	rows := "氏名,住所,電話,個人番号\n"
	for i := range 40 {
		number := ""
		if i == 7 {
			number = "123456789018" // invented; its check digit is right
		}
		rows += fmt.Sprintf("山田 太郎%d,東京都千代田区丸の内1-%d,090-1234-%04d,%s\n", i, i, i, number)
	}
	list, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte(rows))
	if err != nil {
		return err
	}
	file := filepath.Join(s.box, name)
	if err := os.WriteFile(file, list, 0o644); err != nil {
		return err
	}
	args := slices.Concat(lab.Resolve(webName, lab.OriginV4), []string{"--http1.1", "--fail", "--upload-file", file, "https://" + webName + "/upload/" + url.PathEscape(name)})
	if _, err := lab.Curl(ctx, s.gateway.Client, s.ca, args...); err != nil {
		return err
	}
	s.add(out, name, list, "sent", "curl --upload-file "+name)
	return nil
}

// sendMail has swaks send a file, its name in ISO-2022-JP.
func (s *evidence) sendMail(ctx context.Context, out *story) error {
	const name = "見積書.bin"
	content := bytes.Repeat([]byte("\x00\x01estimate\xff"), 3000)
	encoded, err := japanese.ISO2022JP.NewEncoder().String(name)
	if err != nil {
		return err
	}
	data := fmt.Sprintf("From: alice@%[1]s\nTo: bob@%[1]s\nSubject: estimate\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nSee below.\n--b\n"+
		"Content-Type: application/octet-stream; name=\"=?ISO-2022-JP?B?%[2]s?=\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment\n\n%[3]s\n--b--\n",
		domain, base64Of([]byte(encoded)), base64Lines(content))
	for _, port := range []int{lab.SMTPSPort, lab.SubmissionPort} {
		m := lab.Mail{Server: lab.OriginV4, Port: port, From: "alice@" + domain, To: mailUser + "@" + domain, Name: mailName, CA: s.ca, Data: data}
		if _, err := lab.Swaks(ctx, s.gateway.Client, m); err != nil {
			return err
		}
	}
	s.add(out, name, content, "sent", "swaks, by TLS and by STARTTLS, with "+name)
	return nil
}

// putFile has curl put a file by FTP, over TLS.
func (s *evidence) putFile(ctx context.Context, out *story) error {
	content := bytes.Repeat([]byte("drawing\x00\x7f"), 20_000)
	file := filepath.Join(s.box, "plan.dwg")
	if err := os.WriteFile(file, content, 0o644); err != nil {
		return err
	}
	args := slices.Concat(lab.Resolve(filesName, lab.OriginV4), []string{"--ssl-reqd", "--upload-file", file, "ftp://" + filesName + "/upload/"})
	if _, err := lab.Curl(ctx, s.gateway.Client, s.ca, args...); err != nil {
		return err
	}
	s.add(out, "plan.dwg", content, "sent", "curl --ssl-reqd --upload-file plan.dwg ftp://")
	return nil
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
