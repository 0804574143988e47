package rowstest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"mime"
	"net/url"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
)

// japaneseName is a name with kanji, kana, a long vowel and full-width digits.
const japaneseName = "見積書_極秘データー２０２６.xlsx"

// in returns text in a charset.
func in(e encoding.Encoding, text string) string {
	s, err := e.NewEncoder().String(text)
	if err != nil {
		panic(err) // the texts are ours
	}
	return s
}

// percent encodes all octets but letters, digits and dots.
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// get returns a request for a path.
func get(path string) Step {
	return say(up, "GET "+path+" HTTP/1.1\r\nHost: files.example.test\r\nUser-Agent: rows/1\r\n\r\n")
}

// ok returns an answer with a length.
func ok(fields string, body []byte) Step {
	return say(down, fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: rows\r\n%sContent-Length: %d\r\n\r\n%s", fields, len(body), body))
}

// chunked returns a body in chunks.
func chunked(body []byte, size int) []byte {
	var b bytes.Buffer
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%x;ext=1\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\nX-Trailer: yes\r\n\r\n")
	return b.Bytes()
}

// coded returns a body in a content coding.
func coded(coding string, body []byte) []byte {
	var b bytes.Buffer
	switch coding {
	case "gzip":
		w := gzip.NewWriter(&b)
		w.Write(body)
		w.Close()
	case "deflate":
		w := zlib.NewWriter(&b)
		w.Write(body)
		w.Close()
	case "raw deflate":
		w, _ := flate.NewWriter(&b, 6)
		w.Write(body)
		w.Close()
	case "br":
		w := brotli.NewWriter(&b)
		w.Write(body)
		w.Close()
	case "zstd":
		w, _ := zstd.NewWriter(&b)
		w.Write(body)
		w.Close()
	}
	return b.Bytes()
}

// download returns a row of one answer.
func download(row, path, fields, name string) Row {
	body := Octets(row, 50_000)
	return Row{Name: row, Talks: []Talk{{Steps: []Step{get(path), ok(fields, body)}}}, Files: []File{{Name: name, Octets: body, Received: true}}}
}

func webRows() []Row {
	type b = []byte
	attachment := "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; "
	rows := []Row{
		download("http get", "/pub/report.pdf", "Content-Type: application/pdf\r\n", "report.pdf"),
		download("http get of a percent-encoded path", "/pub/"+percent(japaneseName)+"?v=2", "", japaneseName),
		download("http disposition", "/get?id=7", attachment+"filename=\"Q3 plan.docx\"\r\n", "Q3 plan.docx"),
		download("http disposition as a token", "/get?id=8", attachment+"filename=plan.docx\r\n", "plan.docx"),
		download("http rfc5987", "/get", attachment+"filename=\"x.xlsx\"; filename*=UTF-8''"+percent(japaneseName)+"\r\n", japaneseName),
		download("http rfc5987 shift_jis", "/get", attachment+"filename*=Shift_JIS''"+percent(in(japanese.ShiftJIS, japaneseName))+"\r\n", japaneseName),
		download("http rfc2231 pieces", "/get", attachment+"filename*0*=UTF-8''"+percent(japaneseName[:12])+"; filename*1*="+percent(japaneseName[12:24])+"; filename*2*="+percent(japaneseName[24:])+"\r\n", japaneseName),
		download("http rfc2047 in quotes", "/get", attachment+"filename=\""+mime.BEncoding.Encode("utf-8", japaneseName)+"\"\r\n", japaneseName),
		download("http rfc2047 iso-2022-jp", "/get", attachment+"filename=\"=?ISO-2022-JP?B?"+base64.StdEncoding.EncodeToString(b(in(japanese.ISO2022JP, japaneseName)))+"?=\"\r\n", japaneseName),
		download("http raw utf-8", "/get", attachment+"filename=\""+japaneseName+"\"\r\n", japaneseName),
		download("http raw shift_jis", "/get", attachment+"filename=\""+in(japanese.ShiftJIS, japaneseName)+"\"\r\n", japaneseName),
		download("http raw euc-jp", "/get", attachment+"filename=\""+in(japanese.EUCJP, japaneseName)+"\"\r\n", japaneseName),
		download("http raw iso-2022-jp", "/get", attachment+"filename=\""+in(japanese.ISO2022JP, japaneseName)+"\"\r\n", japaneseName),
		download("http percent in a plain name", "/get", attachment+"filename=\""+percent(japaneseName)+"\"\r\n", japaneseName),
		download("http hostile name", "/get", attachment+"filename=\"../../etc/pass\u202ewd.txt\"\r\n", "passwd.txt"),
	}
	for _, coding := range []string{"gzip", "deflate", "raw deflate", "br", "zstd"} {
		row := "http " + coding
		body := prose(row, 4000)
		word := strings.TrimPrefix(coding, "raw ")
		rows = append(rows, Row{Name: row, Talks: []Talk{{Steps: []Step{get("/notes.txt"), ok("Content-Type: text/plain\r\nContent-Encoding: "+word+"\r\n", coded(coding, body))}}}, Files: []File{{"notes.txt", body, true, 0, false}}})
	}
	chunks := Octets("chunks", 70_000)
	pages := prose("pages", 3000)
	stacked := prose("stacked", 3000)
	toClose := Octets("to close", 40_000)
	first, second, third := Octets("first", 20_000), Octets("second", 1), Octets("third", 30_000)
	put := Octets("put", 90_000)
	posted := Octets("posted", 30_000)
	lost := Octets("lost", 60_000)
	copy(lost[20_000:21_000], make(b, 1000))
	return append(rows,
		Row{Name: "http chunked", Talks: []Talk{{Steps: []Step{get("/a/disk.img"), say(down, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+string(chunked(chunks, 7000)))}}}, Files: []File{{"disk.img", chunks, true, 0, false}}},
		Row{Name: "http gzip and chunked", Talks: []Talk{{Steps: []Step{get("/pages.csv"), say(down, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"+string(chunked(coded("gzip", pages), 3000)))}}}, Files: []File{{"pages.csv", pages, true, 0, false}}},
		Row{Name: "http two codings", Talks: []Talk{{Steps: []Step{get("/two.txt"), ok("Content-Encoding: gzip, br\r\n", coded("br", coded("gzip", stacked)))}}}, Files: []File{{"two.txt", stacked, true, 0, false}}},
		Row{Name: "http until close", Talks: []Talk{{Steps: []Step{say(up, "GET /old.tar HTTP/1.0\r\n\r\n"), say(down, "HTTP/1.0 200 OK\r\n\r\n"+string(toClose))}}}, Files: []File{{"old.tar", toClose, true, 0, false}}},
		Row{Name: "http keep-alive and pipelining", Talks: []Talk{{Steps: []Step{get("/1.bin"), ok("", first), {From: up, Octets: append(append(b(nil), get("/2.bin").Octets...), get("/3.bin").Octets...)}, ok("", second), ok("", third)}}},
			Files: []File{{"1.bin", first, true, 0, false}, {"2.bin", second, true, 0, false}, {"3.bin", third, true, 0, false}}},
		Row{Name: "http put", Talks: []Talk{{Steps: []Step{say(up, fmt.Sprintf("PUT /dav/%s HTTP/1.1\r\nHost: dav.example.test\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", url.PathEscape(japaneseName), len(put))), say(down, "HTTP/1.1 100 Continue\r\n\r\n"), {From: up, Octets: put}, say(down, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")}}}, Files: []File{{Name: japaneseName, Octets: put}}},
		Row{Name: "http post of octets", Talks: []Talk{{Steps: []Step{say(up, fmt.Sprintf("POST /api/files?name=%s HTTP/1.1\r\nHost: api.example.test\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s", percent(japaneseName), len(posted), posted)), ok("", b("{}"))}}}, Files: []File{{Name: japaneseName, Octets: posted}}},
		Row{Name: "http lost segment", Talks: []Talk{{Steps: []Step{get("/lost.bin"), {From: down, Octets: append(b(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(lost))), lost[:20_000]...), Lose: 1000}, {From: down, Octets: lost[21_000:]}, get("/after.bin"), ok("", first)}}},
			Files: []File{{"lost.bin", lost, true, 1, false}, {"after.bin", first, true, 0, false}}},
	)
}
