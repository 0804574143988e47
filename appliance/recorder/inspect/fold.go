package inspect

import (
	"slices"
	"unicode/utf8"
)

// maxText bounds the text that is looked at, in octets.
const maxText = 64 << 20

// fold appends p to dst: letters small, full-width letters, digits and signs as ASCII, all
// kinds of hyphens that stand between digits as -, and wide blanks as a blank. Lines stay
// where they are.
func fold(dst, p []byte) []byte {
	p = p[:min(len(p), maxText)]
	begin := len(dst)
	dst = slices.Grow(dst, len(p))[:begin+len(p)] // nothing gets longer
	n := begin
	for i := 0; i < len(p); {
		c := p[i]
		dst[n] = small[c]
		if c != 0xe2 && c != 0xe3 && c != 0xef {
			i++
			n++
			continue
		}
		r, size := utf8.DecodeRune(p[i:])
		if a := ascii(r); a != 0 {
			dst[n] = a
			n++
		} else {
			n += copy(dst[n:], p[i:i+size])
		}
		i += size
	}
	return dst[:n]
}

// small are octets with ASCII letters made small.
var small = func() (t [256]byte) {
	for c := range t {
		t[c] = byte(c)
		if 'A' <= c && c <= 'Z' {
			t[c] += 'a' - 'A'
		}
	}
	return t
}()

// ascii returns the ASCII character that r is a form of, 0 for none.
func ascii(r rune) byte {
	switch {
	case 0xff01 <= r && r <= 0xff5e:
		c := byte(r - 0xff01 + '!')
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	case r == 0x3000:
		return ' '
	case 0x2010 <= r && r <= 0x2015, r == 0x2212: // hyphens, dashes, minus
		return '-'
	}
	return 0
}
