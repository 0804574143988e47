package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
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

// formPage has a browser send a file of a form.
const formPage = `<!DOCTYPE html><meta charset="utf-8"><title>form</title>
<script>
const form = new FormData();
form.append("comment", "四半期");
form.append("upload", new File(["%[1]s".repeat(%[2]d)], "%[3]s", {type: "text/csv"}));
const request = new XMLHttpRequest();
request.open("POST", "/form/", false);
request.send(form);
document.title = "answer " + request.status;
</script>
`

// browse has Chromium send a form.
func (s *evidence) browse(ctx context.Context, out *story) error {
	const name, line, lines = "取引先一覧_極秘.csv", "0123456789abcdef,", 2000
	if err := os.WriteFile(filepath.Join(s.web.Root, "form.html"), fmt.Appendf(nil, formPage, line, lines, name), 0o644); err != nil {
		return err
	}
	page, err := lab.Chromium(ctx, s.gateway.Client, filepath.Join(s.box, "chromium"), s.ca, webName, lab.OriginV4, "https://"+webName+"/form.html")
	if err != nil {
		return err
	}
	if !strings.Contains(page, "answer 204") {
		return fmt.Errorf("the browser had no answer to its form:\n%s", page)
	}
	s.add(out, name, bytes.Repeat([]byte(line), lines), "sent", "Chromium, a form with "+name)
	return nil
}
