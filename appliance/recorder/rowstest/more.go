package rowstest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"

	"github.com/clearspan/clearspan/decrypt/proto/http2"
)

// signedChunks writes a body in aws-chunked coding, with a checksum behind it. Chunks and
// trailer are signed, or neither.
func signedChunks(body []byte, size int, signed bool) []byte {
	var b bytes.Buffer
	sign := func(n int) string {
		if !signed {
			return ""
		}
		return fmt.Sprintf(";chunk-signature=%064x", n)
	}
	for rest := body; ; {
		n := min(size, len(rest))
		fmt.Fprintf(&b, "%x%s\r\n%s", n, sign(n), rest[:n])
		if n == 0 {
			break
		}
		b.WriteString("\r\n")
		rest = rest[n:]
	}
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	fmt.Fprintf(&b, "x-amz-checksum-crc32:%s\r\n", base64.StdEncoding.EncodeToString(sum))
	if signed {
		fmt.Fprintf(&b, "x-amz-trailer-signature:%064x\r\n", 7)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// storeRows are uploads into stores of objects.
func storeRows() []Row {
	a, b := Octets("aws trailer", 150_000), Octets("aws unsigned", 150_000)
	fields := func(how string, n int) string {
		return fmt.Sprintf("Content-Encoding: aws-chunked\r\nx-amz-content-sha256: %s\r\nx-amz-trailer: x-amz-checksum-crc32\r\nx-amz-decoded-content-length: %d\r\n", how, n)
	}
	return []Row{
		posted("aws-chunked with a trailer", "/", fields("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", len(a)), signedChunks(a, 65536, true), File{Name: "見積.zip", Octets: a}).method("PUT", "/bucket/dir/"+percent("見積.zip")),
		posted("aws-chunked without signatures, in chunks", "/", fields("STREAMING-UNSIGNED-PAYLOAD-TRAILER", len(b)), signedChunks(b, 65536, false), File{Name: "obj.bin", Octets: b}).method("PUT", "/bucket/obj.bin").rechunk(),
	}
}

// otherFormRows are bodies with files of kinds that are less usual.
func otherFormRows() []Row {
	b, c := Octets("other b", 20_000), Octets("other c", 10_000)
	lf := strings.ReplaceAll(string(form(part("Content-Disposition: form-data; name=u; filename=lf.csv", []byte("a,b\nc,d")))), "\r\n", "\n")
	deep := base64.StdEncoding.EncodeToString
	return []Row{
		posted("form with a part in base64", "/up", "Content-Type: multipart/form-data; boundary="+boundary+"\r\n", form(part("Content-Disposition: form-data; name=\"u\"; filename=\"b64.bin\"\r\nContent-Transfer-Encoding: base64", []byte(lines64(b)))), File{Name: "b64.bin", Octets: b}),
		posted("form with a quoted boundary, a preamble and no end", "/up", "Content-Type: Multipart/Form-Data; charset=utf-8; boundary=\""+boundary+"\"\r\n",
			bytes.TrimSuffix(append([]byte("preamble\r\n"), form(part("content-disposition:form-data;name=\"u\";filename=\"pre.bin\"", b))...), []byte("--\r\n")), File{Name: "pre.bin", Octets: b}),
		posted("form with line feeds alone", "/up", "Content-Type: multipart/form-data; boundary="+boundary+"\r\n", []byte(lf), File{Name: "lf.csv", Octets: []byte("a,b\nc,d")}),
		posted("form with a path", "/up", "Content-Type: multipart/form-data; boundary="+boundary+"\r\n", form(part(`Content-Disposition: form-data; name="u"; filename="C:\Users\yamada\見積.xls"`, c)), File{Name: "見積.xls", Octets: c}),
		posted("form of mixed parts", "/up", "Content-Type: multipart/form-data; boundary="+boundary+"\r\n", form(part("Content-Disposition: form-data; name=\"u\"\r\nContent-Type: multipart/mixed; boundary=inner",
			fmt.Appendf(nil, "--inner\r\nContent-Disposition: file; filename=\"m1.bin\"\r\n\r\n%s\r\n--inner\r\nContent-Disposition: file; filename=\"m2.bin\"\r\n\r\n%s\r\n--inner--", b, c))), File{Name: "m1.bin", Octets: b}, File{Name: "m2.bin", Octets: c}),
		posted("json, several deep", "/api", "Content-Type: application/vnd.api+json\r\n", fmt.Appendf(nil, `{"attachments":[{"@odata.type":"#microsoft.graph.fileAttachment","name":"%s","contentBytes":"%s"},{"contentBytes":"%s","name":"after.bin"}]}`, japaneseName, deep(b), deep(c)), File{Name: japaneseName, Octets: b}, File{Name: "after.bin", Octets: c}),
		posted("urlencoded base64", "/api", "Content-Type: application/x-www-form-urlencoded\r\n", []byte("filename="+percent(japaneseName)+"&file="+percent(deep(b))), File{Name: japaneseName, Octets: b}),
		{Name: "http absolute form", Talks: []Talk{talk(say(up, "GET http://files.example.test/a/absolute.bin HTTP/1.1\r\nHost: files.example.test\r\n\r\n"), ok("", c))}, Files: []File{{Name: "absolute.bin", Octets: c, Received: true}}},
		{Name: "http answers before the body has come", Talks: []Talk{talk(say(up, fmt.Sprintf("PUT /early.bin HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(b), b[:5000])), ok("", nil), Step{From: up, Octets: b[5000:]}, get("/next.bin"), ok("", c))},
			Files: []File{{Name: "early.bin", Octets: b}, {Name: "next.bin", Octets: c, Received: true}}},
		{Name: "http reset amid an answer", Talks: []Talk{{Reset: true, Steps: []Step{get("/first.bin"), ok("", c), get("/cut.bin"), say(down, "HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\nabc")}}}, Files: []File{{Name: "first.bin", Octets: c, Received: true}}},
	}
}

// frame returns a frame of HTTP/2 of any type, with any flags.
func frame(kind http2.Type, flags byte, stream uint32, payload []byte) []byte {
	p := http2.AppendData(nil, stream, false, payload)
	p[3], p[4] = byte(kind), flags
	return p
}

// http2FrameRows use what HTTP/2 has for frames.
func http2FrameRows() []Row {
	body := Octets("padded", 30_000)
	padded := func(flags byte, stream uint32, pad int, p []byte) []byte {
		out := append([]byte{byte(pad)}, p...)
		out = append(out, make([]byte, pad)...)
		return frame(http2.Data, flags|0x8, stream, out)
	}
	f := newFrames().request(1, false, "PUT", "/in/padded.bin")
	f.add(up, padded(0, 1, 200, body[:9000])).add(up, padded(0, 1, 0, body[9000:20_000])).add(up, padded(1, 1, 255, body[20_000:])).head(down, 1, true, ":status: 201")

	long := newFrames()
	long.request(1, true, "GET", "/get?q="+strings.Repeat("q", 3000), "cookie: a", "cookie: "+strings.Repeat("b", 500))
	whole := long.steps[len(long.steps)-1].Octets
	block := whole[http2.HeaderLength:]
	var cut []byte
	cut = append(cut, frame(http2.Headers, 0x1|0x20, 1, append([]byte{0, 0, 0, 0, 16}, block[:100]...))...)
	cut = append(cut, frame(http2.Continuation, 0, 1, block[100:200])...)
	cut = append(cut, frame(http2.Continuation, 0x4, 1, block[200:])...)
	long.steps[len(long.steps)-1].Octets = cut
	long.head(down, 1, false, ":status: 200", "content-disposition: attachment; filename*=UTF-8''"+percent(japaneseName)).data(down, 1, true, 1<<14, body)
	return []Row{f.row("http2 padding", File{Name: "padded.bin", Octets: body}), long.row("http2 continuation", File{Name: japaneseName, Octets: body, Received: true})}
}

// otherMailRows are mails with parts that are less usual.
func otherMailRows() []Row {
	a, b := Octets("mail a", 20_000), Octets("mail b", 3000)
	letterOf := func(kind, body string) string {
		return mailHeader + "Content-Type: " + kind + "; boundary=\"=_b1\"\r\n\r\n" + body + "--=_b1--\r\n"
	}
	deep := letterOf("multipart/mixed", "--=_b1\r\nContent-Type: multipart/related; boundary=r\r\n\r\n--r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\n\r\ntext\r\n--a\r\nContent-Type: text/html\r\n\r\n<b>\r\n--a--\r\n--r\r\nContent-Type: image/png; name=\"inline.png\"\r\nContent-ID: <1>\r\nContent-Transfer-Encoding: BASE64\r\n\r\n"+
		lines64(b)+"--r--\r\n--=_b1\r\nContent-Type: application/pdf; name=\"deep.pdf\"\r\nContent-Transfer-Encoding: Base64 \r\n\r\n"+lines64(a))
	oneLine := letter("Content-Disposition: attachment; filename=one.bin\r\nContent-Transfer-Encoding: base64", base64.StdEncoding.EncodeToString(a)+"\r\n")
	spaced := letter("Content-Disposition: attachment; filename=spaced.bin\r\nContent-Transfer-Encoding: base64", strings.ReplaceAll(lines64(a), "\r\n", " \r\n\r\n"))
	latin := []byte(in(japanese.ShiftJIS, "氏名,電話\r\n山田,090\r\n"))
	eight := letter("Content-Type: text/csv; charset=Shift_JIS; name=\"8bit.csv\"\r\nContent-Transfer-Encoding: 8bit", string(latin)+"\r\n")
	whole := mailHeader + "Content-Type: application/pdf; name=\"whole.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + lines64(a)
	uu := letter("Content-Type: application/octet-stream; name=\"x-uu.bin\"\r\nContent-Transfer-Encoding: x-uuencode", uuencode("x-uu.bin", b))
	signed := letterOf("multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256", "--=_b1\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n--in\r\nContent-Type: application/zip; name=signed.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"+lines64(a)+"--in--\r\n--=_b1\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\n"+lines64(b))
	two := smtp(whole)
	second := smtp(oneLine)
	two.Steps = append(two.Steps[:7:7], second.Steps[3:]...)
	tnef := letter("Content-Type: application/ms-tnef; name=\"winmail.dat\"\r\nContent-Transfer-Encoding: base64", lines64(winmail(japaneseName, a)))
	return []Row{
		Mail("mail of nested parts", []byte(deep), File{Name: "inline.png", Octets: b}, File{Name: "deep.pdf", Octets: a}),
		Mail("mail with base64 in one line", []byte(oneLine), File{Name: "one.bin", Octets: a}),
		Mail("mail with base64 with spaces", []byte(spaced), File{Name: "spaced.bin", Octets: a}),
		Mail("mail with 8bit", []byte(eight), File{Name: "8bit.csv", Octets: latin}),
		Mail("mail that is a file", []byte(whole), File{Name: "whole.pdf", Octets: a}),
		Mail("mail x-uuencode", []byte(uu), File{Name: "x-uu.bin", Octets: b}),
		Mail("mail signed", []byte(signed), File{Name: "signed.zip", Octets: a}, File{Name: "smime.p7s", Octets: b}),
		{Name: "mail after mail", Talks: []Talk{two}, Files: []File{{Name: "whole.pdf", Octets: a}, {Name: "one.bin", Octets: a}}},
		Mail("mail tnef", []byte(tnef), File{Name: "winmail.dat", Octets: winmail(japaneseName, a)}, File{Name: japaneseName, Octets: a}),
	}
}

// winmail returns a file in TNEF ([MS-OXTNEF]) that has another one: its short name is in
// Shift_JIS, its long one a property in UTF-16.
func winmail(name string, file []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0x223e9f78)
	b = binary.LittleEndian.AppendUint16(b, 1)
	attribute := func(level byte, id uint32, p []byte) {
		b = append(b, level)
		b = binary.LittleEndian.AppendUint32(b, id)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
		var sum uint16
		for _, c := range p {
			sum += uint16(c)
		}
		b = binary.LittleEndian.AppendUint16(b, sum)
	}
	attribute(1, 0x00089006, []byte{0, 0, 1, 0})                        // attTnefVersion
	attribute(1, 0x00069007, []byte{0xa4, 3, 0, 0, 0, 0, 0, 0})         // attOemCodepage: 932
	attribute(2, 0x00069002, append([]byte{1, 0}, make([]byte, 12)...)) // attAttachRenddata
	attribute(2, 0x00018010, append([]byte(in(japanese.ShiftJIS, "見積書~1.xls")), 0))
	attribute(2, 0x0006800f, file) // attAttachData
	wide := in(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), name+"\x00")
	p := binary.LittleEndian.AppendUint32(nil, 1)              // properties
	p = binary.LittleEndian.AppendUint32(p, 0x3707<<16|0x001f) // PidTagAttachLongFilename, PtypString
	p = binary.LittleEndian.AppendUint32(p, 1)
	p = binary.LittleEndian.AppendUint32(p, uint32(len(wide)))
	p = append(p, wide...)
	p = append(p, make([]byte, -len(wide)&3)...)
	attribute(2, 0x00069005, p) // attAttachment
	return b
}
