package name

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
)

// Decode turns octets of a charset into text. If the charset is "" or unknown, it is told
// by the octets.
func Decode(charset string, p []byte) string {
	if e := encodingOf(charset); e != nil {
		if text, err := e.NewDecoder().Bytes(p); err == nil {
			return string(text)
		}
	}
	return guess(p)
}

// encodingOf returns the encoding of a name of the registry, nil for UTF-8 and for unknown
// ones.
func encodingOf(charset string) encoding.Encoding {
	charset = strings.ToLower(strings.TrimSpace(charset))
	switch charset {
	case "", "utf-8", "utf8", "us-ascii":
		return nil
	case "cp932", "windows-31j", "ms932", "x-sjis":
		return japanese.ShiftJIS
	case "iso-2022-jp-1", "iso-2022-jp-2", "iso-2022-jp-3", "iso-2022-jp-ms", "cp50220":
		return japanese.ISO2022JP
	}
	e, err := htmlindex.Get(charset)
	if err != nil {
		return nil
	}
	return e
}

// guess reads octets whose charset nothing tells: UTF-8 if they are that, then the
// encodings of Japanese, by how much of the text they explain, then Windows-1252.
func guess(p []byte) string {
	if strings.Contains(string(p), "\x1b$") {
		if text, err := japanese.ISO2022JP.NewDecoder().Bytes(p); err == nil && whole(text) {
			return string(text)
		}
	}
	if utf8.Valid(p) {
		return string(p)
	}
	best, most := "", -1
	for _, e := range []encoding.Encoding{japanese.EUCJP, japanese.ShiftJIS} {
		if text, err := e.NewDecoder().Bytes(p); err == nil && whole(text) {
			if n := likely(string(text)); n > most {
				best, most = string(text), n
			}
		}
	}
	if most >= 0 {
		return best
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(p)
	if err != nil {
		return strings.ToValidUTF8(string(p), "\ufffd")
	}
	return string(text)
}

// whole reports whether a decoder could read all.
func whole(text []byte) bool { return !strings.ContainsRune(string(text), utf8.RuneError) }

// likely weighs a text by how usual its characters are in Japanese: kana and kanji speak
// for it, half-width katakana, which octets of other encodings give, against it.
func likely(text string) (weight int) {
	for _, r := range text {
		switch {
		case 0x3040 <= r && r <= 0x30ff:
			weight += 3
		case 0x4e00 <= r && r <= 0x9fff, 0x3000 <= r && r <= 0x303f:
			weight += 2
		case 0xff61 <= r && r <= 0xff9f:
			weight--
		}
	}
	return max(weight, 0)
}
