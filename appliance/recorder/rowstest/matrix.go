package rowstest

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// charset is one in which names are written.
type charset struct {
	name   string // as senders announce it
	coding encoding.Encoding
	text   string // a name that it can write
}

// longName is as long as file systems allow.
const longName = "令和８年度第３四半期の見積書および顧客名簿（社外秘）の最終版をさらに直したものの写しの、営業部が確かめてから送るべきもの.xlsx"

// oddName has characters that the vendors' forms of the charsets of Japanese add, and ones
// whose second octet in Shift_JIS is a backslash.
const oddName = "㈱表示ソフト①能登～データー髙.docx"

// charsets are those of which names come.
func charsets() []charset {
	return []charset{
		{"UTF-8", encoding.Nop, japaneseName},
		{"utf-8", encoding.Nop, longName},
		{"UTF-8", encoding.Nop, "見積 \"極秘\"; 第2版 (写し)'s 100%.pdf"},
		{"UTF-8", encoding.Nop, "🎉祝_報告.txt"},
		{"Shift_JIS", japanese.ShiftJIS, japaneseName},
		{"shift_jis", japanese.ShiftJIS, "表示ソ能十予.txt"},
		{"Shift_JIS", japanese.ShiftJIS, "四半期の予算表"},
		{"Windows-31J", japanese.ShiftJIS, oddName},
		{"CP932", japanese.ShiftJIS, oddName},
		{"x-sjis", japanese.ShiftJIS, longName},
		{"EUC-JP", japanese.EUCJP, japaneseName},
		{"euc-jp", japanese.EUCJP, "㈱表示ソフト①能登～データー.docx"},
		{"ISO-2022-JP", japanese.ISO2022JP, japaneseName},
		{"iso-2022-jp", japanese.ISO2022JP, longName},
		{"ISO-2022-JP", japanese.ISO2022JP, "㈱表示ソフト①能登～データー.docx"},
		{"GB2312", simplifiedchinese.GBK, "报价单_机密.xlsx"},
		{"GBK", simplifiedchinese.GBK, "報價單_机密.xlsx"},
		{"GB18030", simplifiedchinese.GB18030, "报价单🎉.xlsx"},
		{"Big5", traditionalchinese.Big5, "報價單_機密功能.xlsx"},
		{"EUC-KR", korean.EUCKR, "견적서_기밀.xlsx"},
		{"ks_c_5601-1987", korean.EUCKR, "견적서_똠방.xlsx"},
		{"ISO-8859-1", charmap.ISO8859_1, "Übersicht größe.xlsx"},
		{"ISO-8859-2", charmap.ISO8859_2, "Żółty dokument.xlsx"},
		{"ISO-8859-15", charmap.ISO8859_15, "Prix en €.xlsx"},
		{"windows-1252", charmap.Windows1252, "Année – “Prix €”.xlsx"},
		{"windows-1251", charmap.Windows1251, "Смета_секретно.xlsx"},
		{"KOI8-R", charmap.KOI8R, "Смета_секретно.xlsx"},
	}
}

// octets returns the name in the charset.
func (c *charset) octets() string { return in(c.coding, c.text) }

// unannounced reports whether octets of the charset are told without a name of it.
func (c *charset) unannounced() bool {
	return c.coding == encoding.Nop || c.coding == japanese.ShiftJIS || c.coding == japanese.EUCJP || c.coding == japanese.ISO2022JP
}

// inPieces cuts the name behind every nth character; each piece is in the charset on its
// own.
func (c *charset) inPieces(n int) (pieces []string) {
	text := []rune(c.text)
	for len(text) > 0 {
		m := min(n, len(text))
		pieces = append(pieces, in(c.coding, string(text[:m])))
		text = text[m:]
	}
	return pieces
}

// writing is a way to write a name into a parameter.
type writing struct {
	name  string
	write func(key string, c *charset) string // "" where it cannot be
}

// quoted writes a quoted string (RFC 9110, Section 5.6.4).
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// words writes encoded words (RFC 2047).
func words(kind string, c *charset, pieces ...string) string {
	var list []string
	for _, p := range pieces {
		switch kind {
		case "B":
			p = base64.StdEncoding.EncodeToString([]byte(p))
		case "Q":
			p = strings.ReplaceAll(strings.ReplaceAll(percent(p), "%20", "_"), "%", "=")
		}
		list = append(list, "=?"+c.name+"?"+kind+"?"+p+"?=")
	}
	return strings.Join(list, "\r\n ")
}

// pieces writes a parameter in pieces of n octets (RFC 2231, Section 3), which may cut a
// character.
func pieces(key string, c *charset, n int) string {
	rest := c.octets()
	var list []string
	for i := 0; len(rest) > 0; i++ {
		m := min(n, len(rest))
		start := ""
		if i == 0 {
			start = c.name + "'ja'"
		}
		list = append(list, fmt.Sprintf("%s*%d*=%s%s", key, i, start, percent(rest[:m])))
		rest = rest[m:]
	}
	return strings.Join(list, ";\r\n ")
}

// forms are all ways.
func forms() []writing {
	plain := func(c *charset) bool { return c.coding == encoding.Nop }
	return []writing{
		{"as octets", func(key string, c *charset) string {
			// A client of that kind does not know that an octet may look like a backslash.
			if !c.unannounced() || plain(c) && strings.ContainsAny(c.text, "%") {
				return ""
			}
			if plain(c) {
				return key + "=" + quoted(c.text)
			}
			return key + `="` + c.octets() + `"`
		}},
		{"in a word of base64", func(key string, c *charset) string { return key + `="` + words("B", c, c.octets()) + `"` }},
		{"in words of base64", func(key string, c *charset) string { return key + `="` + words("B", c, c.inPieces(7)...) + `"` }},
		{"in a word of quoted-printable", func(key string, c *charset) string { return key + `="` + words("Q", c, c.octets()) + `"` }},
		{"in words of quoted-printable", func(key string, c *charset) string { return key + `="` + words("Q", c, c.inPieces(5)...) + `"` }},
		{"in a word without quotes", func(key string, c *charset) string { return key + "=" + words("B", c, c.octets()) }},
		{"extended", func(key string, c *charset) string { return key + "*=" + c.name + "'ja'" + percent(c.octets()) }},
		{"extended, after another", func(key string, c *charset) string {
			return key + `="other.bin"; ` + key + "*=" + c.name + "''" + percent(c.octets())
		}},
		{"extended, before another", func(key string, c *charset) string {
			return key + "*=" + strings.ToLower(c.name) + "''" + percent(c.octets()) + "; " + key + `="other.bin"`
		}},
		{"in pieces", func(key string, c *charset) string { return pieces(key, c, 20) }},
		{"in small pieces", func(key string, c *charset) string { return pieces(key, c, 5) }},
		{"in percent", func(key string, c *charset) string {
			if !plain(c) || strings.ContainsAny(c.text, "%") {
				return ""
			}
			return key + `="` + percent(c.text) + `"`
		}},
	}
}

// carrier is a place for a file with a parameter.
type carrier struct {
	name  string
	key   string
	lines bool // its parameters may go over lines
	row   func(row, parameter string, file File) Row
}

// carriers are all places.
func carriers() []carrier {
	const base64Part = "\r\nContent-Transfer-Encoding: base64"
	mail := func(header string) func(row, parameter string, file File) string {
		return func(_, parameter string, file File) string {
			return letter(header+parameter+base64Part, lines64(file.Octets))
		}
	}
	byType, byDisposition := mail("Content-Type: application/octet-stream;\r\n "), mail("Content-Type: application/octet-stream\r\nContent-Disposition: attachment;\r\n ")
	login := []Step{say(down, "* OK IMAP4rev1 ready\r\n"), say(up, "a1 LOGIN yamada secret\r\n"), say(down, "a1 OK in\r\n")}
	const multipart = "Content-Type: multipart/form-data; boundary=" + boundary + "\r\n"
	return []carrier{
		{"http answer", "filename", false, func(row, parameter string, file File) Row {
			file.Received = true
			return Row{Name: row, Talks: []Talk{talk(get("/get?id=1"), ok("Content-Disposition: attachment; "+parameter+"\r\n", file.Octets))}, Files: []File{file}}
		}},
		{"http2 answer", "filename", false, func(row, parameter string, file File) Row {
			file.Received = true
			return newFrames().request(1, true, "GET", "/get?id=1").head(down, 1, false, ":status: 200", "content-disposition: attachment; "+parameter).data(down, 1, true, 1<<14, file.Octets).row(row, file)
		}},
		{"form", "filename", false, func(row, parameter string, file File) Row {
			return posted(row, "/upload", multipart, form(part("Content-Disposition: form-data; name=\"upload\"; "+parameter, file.Octets)), file)
		}},
		{"http2 form", "filename", false, func(row, parameter string, file File) Row {
			body := form(part("Content-Disposition: form-data; name=\"upload\"; "+parameter, file.Octets))
			return newFrames().request(1, false, "POST", "/up", "content-type: multipart/form-data; boundary="+boundary).data(up, 1, true, 1<<14, body).head(down, 1, true, ":status: 204").row(row, file)
		}},
		{"smtp type", "name", true, func(row, parameter string, file File) Row {
			return Row{Name: row, Talks: []Talk{smtp(byType(row, parameter, file))}, Files: []File{file}}
		}},
		{"smtp disposition", "filename", true, func(row, parameter string, file File) Row {
			return Row{Name: row, Talks: []Talk{smtp(byDisposition(row, parameter, file))}, Files: []File{file}}
		}},
		{"imap append", "filename", true, func(row, parameter string, file File) Row {
			m := byDisposition(row, parameter, file)
			return Row{Name: row, Talks: []Talk{{Server: 143, Steps: append(login[:3:3], say(up, fmt.Sprintf("a2 APPEND Sent {%d+}\r\n%s\r\n", len(m), m)), say(down, "a2 OK done\r\n"))}}, Files: []File{file}}
		}},
		{"imap fetch", "name", true, func(row, parameter string, file File) Row {
			file.Received = true
			m := byType(row, parameter, file)
			return Row{Name: row, Talks: []Talk{{Server: 143, Steps: append(login[:3:3], say(up, "a2 FETCH 1 RFC822\r\n"), say(down, fmt.Sprintf("* 1 FETCH (RFC822 {%d}\r\n%s)\r\na2 OK done\r\n", len(m), m)))}}, Files: []File{file}}
		}},
		{"pop3", "filename", true, func(row, parameter string, file File) Row {
			file.Received = true
			return Row{Name: row, Talks: []Talk{{Server: 110, Steps: []Step{say(down, "+OK POP3 ready\r\n"), say(up, "RETR 1\r\n"), say(down, "+OK 1000 octets\r\n"+stuff(byDisposition(row, parameter, file))+".\r\n"), say(up, "QUIT\r\n"), say(down, "+OK\r\n")}}}, Files: []File{file}}
		}},
	}
}

// Matrix returns a row for each charset, written in each way, in each place that has a
// parameter for the name. Keys are places and ways.
func Matrix() map[string][]Row {
	all := make(map[string][]Row)
	for _, place := range carriers() {
		for _, way := range forms() {
			key := place.name + ", " + way.name
			for i, c := range charsets() {
				parameter := way.write(place.key, &c)
				if parameter == "" {
					continue
				}
				if !place.lines {
					parameter = strings.ReplaceAll(parameter, "\r\n ", " ")
				}
				row := fmt.Sprintf("%s, %s %d", key, c.name, i)
				all[key] = append(all[key], place.row(row, parameter, File{Name: c.text, Octets: Octets(row, 700)}))
			}
		}
	}
	return all
}
