package rowstest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/quotedprintable"
	"strings"

	"golang.org/x/text/encoding/japanese"
)

// lines64 returns base64 in lines of 76.
func lines64(p []byte) string {
	s := base64.StdEncoding.EncodeToString(p)
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return b.String() + s + "\r\n"
}

var mailHeader = "Date: Mon, 2 Nov 2026 09:00:00 +0900\r\nFrom: =?UTF-8?B?5bGx55Sw?= <yamada@example.co.jp>\r\nTo: bob@example.test\r\nSubject: =?ISO-2022-JP?B?" + base64.StdEncoding.EncodeToString([]byte(in(japanese.ISO2022JP, "見積送付"))) + "?=\r\nMessage-ID: <1@example.co.jp>\r\nMIME-Version: 1.0\r\n"

// letter returns a message with one attachment.
func letter(header, body string) string {
	return mailHeader + "Content-Type: multipart/mixed; boundary=\"=_b1\"\r\n\r\nThis is MIME.\r\n--=_b1\r\nContent-Type: text/plain; charset=ISO-2022-JP\r\n\r\n" + in(japanese.ISO2022JP, "見積を送ります。") + "\r\n--=_b1\r\n" + header + "\r\n\r\n" + body + "--=_b1--\r\n"
}

// stuff prepares a message for DATA.
func stuff(message string) string {
	if strings.HasPrefix(message, ".") {
		message = "." + message
	}
	return strings.ReplaceAll(message, "\r\n.", "\r\n..")
}

// smtp returns a connection on which a message is sent by DATA.
func smtp(message string) Talk {
	return Talk{Server: 25, Steps: []Step{say(down, "220 mx.example.test ESMTP\r\n"), say(up, "EHLO c.example.co.jp\r\n"), say(down, "250-mx\r\n250-PIPELINING\r\n250 8BITMIME\r\n"),
		say(up, "MAIL FROM:<yamada@example.co.jp>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"), say(down, "250 ok\r\n250 ok\r\n354 go\r\n"), say(up, stuff(message)+".\r\n"), say(down, "250 queued\r\n"), say(up, "QUIT\r\n"), say(down, "221 bye\r\n")}}
}

// mailed returns a row of one message.
func mailed(row, header, body, name string, file []byte) Row {
	return Row{Name: row, Talks: []Talk{smtp(letter(header, body))}, Files: []File{{Name: name, Octets: file}}}
}

func mailRows() []Row {
	const base64Part = "\r\nContent-Transfer-Encoding: base64"
	file := func(row string) []byte { return Octets(row, 40_000) }
	iso := in(japanese.ISO2022JP, japaneseName)
	sjis := in(japanese.ShiftJIS, japaneseName)
	word := func(set, s string) string {
		return "=?" + set + "?B?" + base64.StdEncoding.EncodeToString([]byte(s)) + "?="
	}
	rows := []Row{}
	add := func(row, header, name string) {
		f := file(row)
		rows = append(rows, mailed(row, header+base64Part, lines64(f), name, f))
	}
	add("mail base64", "Content-Type: application/pdf; name=\"plan.pdf\"\r\nContent-Disposition: attachment; filename=\"plan.pdf\"", "plan.pdf")
	add("mail rfc2047 iso-2022-jp", "Content-Type: application/octet-stream; name=\""+word("ISO-2022-JP", iso)+"\"", japaneseName)
	add("mail rfc2047 shift_jis", "Content-Type: application/octet-stream; name=\""+word("Shift_JIS", sjis)+"\"", japaneseName)
	add("mail rfc2047 in two words", "Content-Disposition: attachment;\r\n filename=\""+word("UTF-8", japaneseName[:10])+"\r\n "+word("UTF-8", japaneseName[10:])+"\"", japaneseName)
	add("mail rfc2231", "Content-Disposition: attachment; filename*=ISO-2022-JP'ja'"+percent(iso), japaneseName)
	add("mail rfc2231 pieces", "Content-Disposition: attachment;\r\n filename*0*=ISO-2022-JP''"+percent(iso[:14])+";\r\n filename*1*="+percent(iso[14:31])+";\r\n filename*2*="+percent(iso[31:]), japaneseName)
	add("mail raw shift_jis", "Content-Disposition: attachment; filename=\""+sjis+"\"", japaneseName)
	add("mail raw iso-2022-jp", "Content-Disposition: attachment; filename=\""+iso+"\"", japaneseName)
	add("mail raw utf-8", "Content-Disposition: attachment; filename=\""+japaneseName+"\"", japaneseName)

	text := prose("qp", 500)
	var qp bytes.Buffer
	w := quotedprintable.NewWriter(&qp)
	w.Binary = true
	w.Write(text)
	w.Close()
	rows = append(rows, mailed("mail quoted-printable", "Content-Type: text/csv; name=list.csv\r\nContent-Transfer-Encoding: quoted-printable", qp.String()+"\r\n", "list.csv", text))

	uu := Octets("uuencode", 10_000)
	rows = append(rows, Row{Name: "mail uuencode", Talks: []Talk{smtp(mailHeader + "\r\nHello,\r\n\r\n" + uuencode("report.zip", uu) + "\r\nRegards\r\n")}, Files: []File{{Name: "report.zip", Octets: uu}}})

	nested := file("nested")
	inner := strings.ReplaceAll(letter("Content-Disposition: attachment; filename=\"inner.bin\""+base64Part, lines64(nested)), "=_b1", "=_b2")
	rows = append(rows, mailed("mail within mail", "Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename=\"fwd.eml\"", inner, "fwd.eml", []byte(strings.TrimSuffix(inner, "\r\n"))))
	rows[len(rows)-1].Files = append(rows[len(rows)-1].Files, File{Name: "inner.bin", Octets: nested})

	dots := []byte(".first\r\n..second\r\n.\r\nlast\r\n")
	rows = append(rows, mailed("mail with dots", "Content-Type: text/plain; name=dots.txt\r\nContent-Transfer-Encoding: 7bit", string(dots)+"\r\n", "dots.txt", dots))

	bdat := file("bdat")
	message := letter("Content-Disposition: attachment; filename=\"bdat.bin\"\r\nContent-Transfer-Encoding: binary", string(bdat)+"\r\n")
	half := len(message) / 2
	rows = append(rows, Row{Name: "mail bdat", Talks: []Talk{{Server: 25, Steps: []Step{say(down, "220 mx ESMTP\r\n"), say(up, "EHLO c\r\n"), say(down, "250-mx\r\n250-BINARYMIME\r\n250 CHUNKING\r\n"),
		say(up, "MAIL FROM:<yamada@example.co.jp> BODY=BINARYMIME\r\n"), say(down, "250 ok\r\n"), say(up, "RCPT TO:<bob@example.test>\r\n"), say(down, "250 ok\r\n"),
		say(up, fmt.Sprintf("BDAT %d\r\n%s", half, message[:half])), say(down, "250 ok\r\n"), say(up, fmt.Sprintf("BDAT %d LAST\r\n%s", len(message)-half, message[half:])), say(down, "250 queued\r\n")}}}, Files: []File{{Name: "bdat.bin", Octets: bdat}}})

	// The end of the first message shows only by what the server says of it.
	torn := letter("Content-Disposition: attachment; filename=\"torn.bin\""+base64Part, lines64(file("torn")))
	behind := file("behind a gap")
	two := smtp(letter("Content-Disposition: attachment; filename=\"behind.bin\""+base64Part, lines64(behind)))
	one := smtp(torn)
	cut := len(torn) - 3000
	two.Steps = append(append(one.Steps[:5:5], Step{From: up, Octets: []byte(torn[:cut]), Lose: 2000}, say(up, torn[cut+2000:]+".\r\n"), one.Steps[6]), two.Steps[3:]...)
	rows = append(rows, Row{Name: "mail behind a gap", Talks: []Talk{two}, Files: []File{{Name: "behind.bin", Octets: behind}}})

	clear := file("starttls")
	t := smtp(letter("Content-Disposition: attachment; filename=\"clear.bin\""+base64Part, lines64(clear)))
	t.Steps = append([]Step{t.Steps[0], say(up, "EHLO c\r\n"), say(down, "250-mx\r\n250 STARTTLS\r\n"), say(up, "STARTTLS\r\n"), say(down, "220 go ahead\r\n")}, t.Steps[1:]...)
	rows = append(rows, Row{Name: "mail behind starttls", Talks: []Talk{t}, Files: []File{{Name: "clear.bin", Octets: clear}}})
	return rows
}

// uuencode writes a file as POSIX does.
func uuencode(name string, p []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "begin 644 %s\r\n", name)
	c := func(v byte) byte {
		if v &= 63; v == 0 {
			return '`'
		}
		return v + 32
	}
	for len(p) > 0 {
		n := min(45, len(p))
		b.WriteByte(byte(n) + 32)
		for i := 0; i < n; i += 3 {
			var g [3]byte
			copy(g[:], p[i:n])
			b.Write([]byte{c(g[0] >> 2), c(g[0]<<4 | g[1]>>4), c(g[1]<<2 | g[2]>>6), c(g[2])})
		}
		b.WriteString("\r\n")
		p = p[n:]
	}
	return b.String() + "`\r\nend\r\n"
}

func mailboxRows() []Row {
	file := Octets("imap", 30_000)
	message := letter("Content-Disposition: attachment; filename*=UTF-8''"+percent(japaneseName)+"\r\nContent-Transfer-Encoding: base64", lines64(file))
	login := []Step{say(down, "* OK IMAP4rev1 ready\r\n"), say(up, "a1 LOGIN yamada secret\r\n"), say(down, "a1 OK in\r\n")}
	appended := Talk{Server: 143, Steps: append(login[:3:3], say(up, fmt.Sprintf("a2 APPEND Sent {%d}\r\n", len(message))), say(down, "+ go\r\n"), say(up, message+"\r\n"), say(down, "a2 OK done\r\n"))}
	fetched := Talk{Server: 143, Steps: append(login[:3:3], say(up, "a2 UID FETCH 7 (UID BODY.PEEK[])\r\n"), say(down, fmt.Sprintf("* 1 FETCH (UID 7 BODY[] {%d}\r\n%s)\r\na2 OK done\r\n", len(message), message)))}
	parts := Talk{Server: 143, Steps: append(login[:3:3], say(up, "a2 UID FETCH 7 (UID BODY.PEEK[2.MIME] BODY.PEEK[2])\r\n"))}
	header := "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename*=UTF-8''" + percent(japaneseName) + "\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	body := lines64(file)
	parts.Steps = append(parts.Steps, say(down, fmt.Sprintf("* 1 FETCH (UID 7 BODY[2.MIME] {%d}\r\n%s BODY[2] {%d}\r\n%s)\r\na2 OK done\r\n", len(header), header, len(body), body)))
	ranged := Talk{Server: 143, Steps: login[:3:3]}
	for at := 0; at < len(message); at += 20_000 {
		end := min(at+20_000, len(message))
		ranged.Steps = append(ranged.Steps, say(up, fmt.Sprintf("b%d UID FETCH 7 (UID BODY.PEEK[]<%d.20000>)\r\n", at, at)), say(down, fmt.Sprintf("* 1 FETCH (UID 7 BODY[]<%d> {%d}\r\n%s)\r\nb%d OK done\r\n", at, end-at, message[at:end], at)))
	}
	pop := Talk{Server: 110, Steps: []Step{say(down, "+OK POP3 ready\r\n"), say(up, "USER yamada\r\n"), say(down, "+OK\r\n"), say(up, "PASS secret\r\n"), say(down, "+OK\r\n"), say(up, "RETR 1\r\n"), say(down, "+OK message follows\r\n"+stuff(message)+".\r\n"), say(up, "QUIT\r\n"), say(down, "+OK\r\n")}}
	return []Row{
		{Name: "imap append", Talks: []Talk{appended}, Files: []File{{Name: japaneseName, Octets: file}}},
		{Name: "imap fetch", Talks: []Talk{fetched}, Files: []File{{Name: japaneseName, Octets: file, Received: true}}},
		{Name: "imap fetch of a part", Talks: []Talk{parts}, Files: []File{{Name: japaneseName, Octets: file, Received: true}}},
		{Name: "imap fetch in ranges", Talks: []Talk{ranged}, Files: []File{{Name: japaneseName, Octets: file, Received: true}}},
		{Name: "pop3 retr", Talks: []Talk{pop}, Files: []File{{Name: japaneseName, Octets: file, Received: true}}},
	}
}

// Mail returns a row in which a message is sent by SMTP.
func Mail(name string, message []byte, files ...File) Row {
	return Row{Name: name, Talks: []Talk{smtp(string(message))}, Files: files}
}
