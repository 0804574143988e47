package trail

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxToken bounds a token, in characters.
const maxToken = 64

// Tokens calls f with the tokens of a text, by which stores find it: words in lower case, in
// one form of equivalent characters (NFKC), and each two neighbours of a run of kanji, kana
// or hangul. A run of one such character is a token, too.
func Tokens(text string, f func(token string)) {
	var word []rune
	cjk := false
	flush := func() {
		switch {
		case len(word) == 0:
		case !cjk:
			f(string(word[:min(len(word), maxToken)]))
		case len(word) == 1:
			f(string(word))
		default:
			for i := range len(word) - 1 {
				f(string(word[i : i+2]))
			}
		}
		word = word[:0]
	}
	for _, r := range norm.NFKC.String(text) {
		r = unicode.ToLower(r)
		is := isCJK(r)
		if !is && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) {
			flush()
			continue
		}
		if is != cjk {
			flush()
			cjk = is
		}
		if word = append(word, r); len(word) > 4*maxToken { // a run without end
			keep := word[len(word)-1]
			flush()
			if cjk {
				word = append(word, keep)
			}
		}
	}
	flush()
}

// isCJK reports whether a character belongs to a script that puts no blanks between words.
func isCJK(r rune) bool {
	return r >= 0x2e80 && (unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) || r == 'ー' || r == '々')
}

// TokenText returns the tokens of texts with blanks between them.
func TokenText(texts ...string) string {
	var b strings.Builder
	for _, t := range texts {
		Tokens(t, func(token string) {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(token)
		})
	}
	return b.String()
}
