package rowstest

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"

	"golang.org/x/text/encoding/japanese"
)

// post returns a request with a body.
func post(path, fields string, body []byte) Step {
	return say(up, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: up.example.test\r\n%sContent-Length: %d\r\n\r\n%s", path, fields, len(body), body))
}

const boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW"

// part is one of a multipart body.
func part(header string, body []byte) []byte {
	return fmt.Appendf(nil, "--%s\r\n%s\r\n\r\n%s\r\n", boundary, header, body)
}

func form(parts ...[]byte) []byte {
	return append(bytes.Join(parts, nil), "--"+boundary+"--\r\n"...)
}

// posted returns a row of one request.
func posted(row, path, fields string, body []byte, files ...File) Row {
	return Row{Name: row, Talks: []Talk{{Steps: []Step{post(path, fields, body), ok("Content-Type: application/json\r\n", []byte(`{"ok":true}`))}}}, Files: files}
}

func formRows() []Row {
	const multipart = "Content-Type: multipart/form-data; boundary=" + boundary + "\r\n"
	file := func(name string) string {
		return "Content-Disposition: form-data; name=\"upload\"; filename=\"" + name + "\"\r\nContent-Type: application/octet-stream"
	}
	field := part("Content-Disposition: form-data; name=\"comment\"", []byte("四半期の見積です"))
	a, b, c, d := Octets("form a", 60_000), Octets("form b", 20_000), Octets("form c", 10_000), Octets("form d", 5000)
	tricky := append(append([]byte("x\r\n--"+boundary[:20]+"\r\n--"+boundary+"X\r\n"), Octets("tricky", 3000)...), "\r\n--"...)
	coded64 := base64.StdEncoding.EncodeToString
	j, k, l := Octets("json", 40_000), Octets("data url", 20_000), Octets("related", 30_000)
	awsed := Octets("aws", 100_000)
	var aws bytes.Buffer
	for rest := awsed; ; {
		n := min(len(rest), 65536)
		fmt.Fprintf(&aws, "%x;chunk-signature=%064x\r\n%s\r\n", n, n, rest[:n])
		if n == 0 {
			break
		}
		rest = rest[n:]
	}
	packed := prose("packed form", 2000)
	list := listOfPeople()
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	inZip, err := z.Create("名簿.csv")
	if err != nil {
		panic(err)
	}
	inZip.Write(list)
	z.Close()
	return []Row{
		posted("list of people", "/upload", multipart, form(part(file("list.zip"), archive.Bytes())), File{Name: "list.zip", Octets: archive.Bytes()}, File{Name: "名簿.csv", Octets: list, Within: true}),
		posted("form", "/upload", multipart, form(field, part(file(japaneseName), a)), File{Name: japaneseName, Octets: a}),
		posted("form of several files", "/upload", multipart, form(part(file("a.bin"), a), field, part(file("b.bin"), b), part(file("c.bin"), c)), File{Name: "a.bin", Octets: a}, File{Name: "b.bin", Octets: b}, File{Name: "c.bin", Octets: c}),
		posted("form in shift_jis", "/upload", multipart, form(part(file(in(japanese.ShiftJIS, "表示ソ能.txt")), d)), File{Name: "表示ソ能.txt", Octets: d}),
		posted("form with references", "/upload", multipart, form(part(file("&#35211;&#31309;.xls"), d)), File{Name: "見積.xls", Octets: d}),
		posted("form with escapes", "/upload", multipart, form(part(file("a%22b.txt"), d)), File{Name: `a"b.txt`, Octets: d}),
		posted("form with half a boundary", "/upload", multipart, form(part(file("tricky.bin"), tricky)), File{Name: "tricky.bin", Octets: tricky}),
		posted("form with a star", "/upload", multipart, form(part("Content-Disposition: form-data; name=upload; filename*=UTF-8''"+percent(japaneseName), d)), File{Name: japaneseName, Octets: d}),
		posted("form in gzip", "/upload", multipart+"Content-Encoding: gzip\r\n", coded("gzip", form(part(file("notes.txt"), packed))), File{Name: "notes.txt", Octets: packed}),
		posted("form in chunks", "/upload", multipart, form(part(file("form.bin"), b)), File{Name: "form.bin", Octets: b}).rechunk(),
		posted("json base64", "/api/attach", "Content-Type: application/json\r\n", fmt.Appendf(nil, `{"id": 5, "file": {"name": "見積\u66f8.pdf", "content": "%s"}}`, coded64(j)), File{Name: "見積書.pdf", Octets: j}),
		posted("json data url", "/api/attach", "Content-Type: application/json; charset=utf-8\r\n", fmt.Appendf(nil, `{"filename":"photo.png","image":"data:image\/png;base64,%s"}`, coded64(k)), File{Name: "photo.png", Octets: k}),
		posted("related", "/upload/drive/v3/files?uploadType=multipart", "Content-Type: multipart/related; boundary=\""+boundary+"\"\r\n",
			form(part("Content-Type: application/json; charset=UTF-8", []byte(`{"name": "`+japaneseName+`", "parents": ["root"]}`)), part("Content-Type: application/vnd.ms-excel", l)), File{Name: japaneseName, Octets: l}),
		posted("aws-chunked", "/bucket/obj", "Content-Type: application/octet-stream\r\nContent-Encoding: aws-chunked\r\nx-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nx-amz-decoded-content-length: 100000\r\n", aws.Bytes(), File{Name: "obj.bin", Octets: awsed}).method("PUT", "/bucket/obj.bin"),
	}
}

// rechunk sends the body of the first request in chunks.
func (r Row) rechunk() Row {
	s := &r.Talks[0].Steps[0]
	head, body, _ := bytes.Cut(s.Octets, []byte("\r\n\r\n"))
	lines := bytes.Split(head, []byte("\r\n"))
	lines[len(lines)-1] = []byte("Transfer-Encoding: chunked")
	s.Octets = append(append(bytes.Join(lines, []byte("\r\n")), "\r\n\r\n"...), chunked(body, 4000)...)
	return r
}

// method has the first request use another method, and path.
func (r Row) method(method, path string) Row {
	s := &r.Talks[0].Steps[0]
	_, rest, _ := bytes.Cut(s.Octets, []byte(" HTTP/1.1\r\n"))
	s.Octets = append([]byte(method+" "+path+" HTTP/1.1\r\n"), rest...)
	return r
}

// listOfPeople returns a table of invented people in Shift_JIS, one of whom has a My Number.
func listOfPeople() []byte {
	rows := "氏名,住所,電話,個人番号\n"
	for i := range 25 {
		number := ""
		if i == 0 {
			number = "123456789018" // the check digit is right
		}
		rows += fmt.Sprintf("山田 太郎%d,東京都千代田区丸の内1-%d,090-1234-%04d,%s\n", i, i, i, number)
	}
	return []byte(in(japanese.ShiftJIS, rows))
}
