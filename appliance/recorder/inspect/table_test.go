package inspect

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestLongLine: a line of any length is read once, and not once for each number, word or
// address in it. The same text with ends of lines is what it is compared with.
func TestLongLine(t *testing.T) {
	for name, cell := range map[string]string{"numbers": "123456789012,", "addresses": "ab@example.jp,", "names": "佐藤太郎,", "places": "東京都新宿区,"} {
		t.Run(name, func(t *testing.T) {
			head := "氏名,個人番号,電話,口座番号\n"
			long := []byte(head + strings.Repeat(cell, 1<<20/len(cell)))
			short := bytes.ReplaceAll(long, []byte(strings.Repeat(cell, 8)), []byte(strings.Repeat(cell, 7)+cell[:len(cell)-1]+"\n"))
			ratio := 0.0
			for range 5 {
				if ratio = float64(spent(long)) / float64(spent(short)); ratio < 12 {
					return
				}
			}
			t.Errorf("one line takes %.0f times what many take", ratio)
		})
	}
}

func spent(text []byte) time.Duration {
	start := time.Now()
	shared.Text(text)
	return time.Since(start)
}

// TestInnocent: what looks like a mark or a table of people in prose and programs is none.
func TestInnocent(t *testing.T) {
	for name, text := range map[string]string{
		"last line of a paragraph": "The interface to the library is considered to be\nconfidential.\n",
		"comment of a program":     "package x\n\n// Internal use only.\nvar y int\n",
		"word of a sentence":       "* passwd cannot change the full name of the user, see below,\n" + strings.Repeat("2001-02-03, Some One, <one@example.org>, a change\n", 9),
		"option of a program":      "--confidential-compute\n",
		"remark of a program":      strings.Repeat("x = 1\n", 9) + "\nB<FOR INTERNAL USE ONLY>\n" + strings.Repeat("x = 2\n", 9),
		"table of code points":     "524c 525e 5261 525c 84af 527d 5282 5281 5290 5293\n5182 7F54",
		"word in a row of data":    "a name\tof a\tlist\n" + strings.Repeat("a package\t1.0\t123\n", 400) + "x\tpassport\ty\n" + strings.Repeat("q\tcd1234567\tz\n", 9) + "bank account\t1\t2\nq\t1234567\tx\n",
		"row without the column":   "id,surname,full name\nx <one@example.org>\ny, <two@example.org>\n",
	} {
		x, _ := New(Options{})
		for _, f := range x.Text([]byte(text)) {
			if f.Score >= Told {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
	for name, text := range map[string]string{
		"header":  "Confidential\nQuarterly figures\n",
		"footer":  "the figures of the year.\n\nACME Corp. - Strictly Confidential\n",
		"heading": "# Confidential\n\nText\n",
		"in XML":  "<?xml version='1.0'?><document><title>Confidential</title>\n<text>x</text></document>",
		"pages":   strings.Repeat(strings.Repeat("text\n", 50)+"\nInternal use only\n", 3) + strings.Repeat("text\n", 50),
		"ours":    "本文はここまで。\n社外秘\n",
	} {
		if got := look(t, Options{}, text); !strings.Contains(got, " 85 ") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestPieces: a row that crosses any number of octets is one row, and its columns count from
// its beginning.
func TestPieces(t *testing.T) {
	head := "氏名,備考,個人番号\n"
	for pad := maxLine - 60; pad < maxLine+8; pad++ {
		text := head + strings.Repeat("x", pad-len(head)-1) + "\n甲,乙,123456789018\n"
		if got := look(t, Options{}, text); !strings.Contains(got, "my-number x1 95 1234******18 @3,3") {
			t.Fatalf("%d: %q", pad, got)
		}
	}
}
