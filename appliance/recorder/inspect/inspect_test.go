package inspect

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// myNumberOf returns a number with a good check digit.
func myNumberOf(r *rand.Rand) string {
	for {
		d := []byte(fmt.Sprintf("%012d", r.Int64N(1_000_000_000_000)))
		for c := byte('0'); c <= '9'; c++ {
			if d[11] = c; myNumber(d) {
				return string(d)
			}
		}
	}
}

func look(t testing.TB, o Options, text string) string {
	t.Helper()
	x, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range x.Text([]byte(text)) {
		fmt.Fprintf(&b, "%s x%d %d %s @%d", f.Detector, f.Count, f.Score, f.Sample, f.Place.Line)
		if f.Place.Column > 0 {
			fmt.Fprintf(&b, ",%d", f.Place.Column)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestDetectors: what is found, and what is not. 123456789018 has a good check digit.
func TestDetectors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"my number", "番号\nマイナンバー: 1234-5678-9018 です", "my-number x1 85 1234-****-**18 @2\n"},
		{"my number full width", "個人番号　１２３４５６７８９０１８", "my-number x1 85 1234******18 @1\n"},
		{"my number in a column", "氏名,個人番号\n" + strings.Repeat("x,y\n", 500) + "甲,123456789018\n", "my-number x1 95 1234******18 @502,2\n"},
		{"second table of a text", strings.Repeat("a line of text\n", 400) + "\n氏名\t個人番号\n甲\t123456789018\n", "my-number x1 95 1234******18 @403,2\n"},
		{"number in another column", "個人番号,値\n" + strings.Repeat("x,y\n", 500) + "甲,123456789018\n", ""},
		{"number without words", "order 123456789018 and 1234-5678-9018", ""},
		{"wrong check digit", "マイナンバー 123456789019", ""},
		{"longer number", "マイナンバー 1234567890181, 0123456789018", ""},
		{"licence", "運転免許証番号 301234567890", "licence x1 80 3012******90 @1\n"},
		{"passport", "Passport: TK1234567", "passport x1 85 tk1*****7 @1\n"},
		{"residence card", "在留カード番号 AB12345678CD", "residence-card x1 90 ab12******cd @1\n"},
		{"bank account", "みずほ銀行 新宿支店 普通 口座番号 1234567", "bank-account x1 85 12****7 @1\n"},
		{"card", "card number 4539 1488 0343 6467 exp 01/27", "card x1 100 4539 **** **** **67 @1\n"},
		{"card without words", "4539148803436467", "card x1 55 4539**********67 @1\n"},
		{"test card", "card number 4111-1111-1111-1111", ""},
		{"broken card", "card number 4539 1488 0343 6468", ""},
		{"label", "2026年度計画\n社外秘\n本文", "label x1 85 社** @2\n"},
		{"label within text", strings.Repeat("word ", 500) + "it is confidential to say that this is a long line of text", ""},
		{"phone", "電話 03-1234-5678、携帯 090-1234-5678", "phone x2 69 031******8 @1\n"},
		{"no phone", "version 10.20.30-1234 2026-11-01 10:00:00 0000000000", ""},
		{"email", "mail <Taro.Yamada@example.co.jp>, not a@b or x@1.23", "e-mail x1 50 taro.******@*******.**.jp @1\n"},
	} {
		if got := look(t, Options{}, tt.text); got != tt.want {
			t.Errorf("%s:\n%swant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestPeople counts rows about people.
func TestPeople(t *testing.T) {
	var b strings.Builder
	b.WriteString("氏名\t郵便番号\t住所\t電話\tメール\t生年月日\n")
	for i := range 120 {
		fmt.Fprintf(&b, "山田 太郎\t%03d-%04d\t東京都千代田区丸の内%d-1\t090-%04d-%04d\tt%d@example.co.jp\t1980/01/%02d\n", 100+i, i, i+1, 1000+i, 2000+i, i, i%28+1)
	}
	got := look(t, Options{}, b.String())
	for _, want := range []string{"person x120 90 120 people @2,1\n", "phone x120 ", "e-mail x120 ", "birth-date x28 "} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	for _, text := range []string{"山田太郎 03-1234-5678", "東京都新宿区西新宿2-8-1 電話 03-5321-1111", "佐藤花子様 hanako@example.jp"} {
		if got := look(t, Options{}, text); !strings.Contains(got, "person x1 70") {
			t.Errorf("%s: %s", text, got)
		}
	}
	if got := look(t, Options{}, "森林と小林の中村にて\nhttps://x.example/@user\n田中"); strings.Contains(got, "person") {
		t.Error(got)
	}
}

// TestOperator: dictionaries, patterns, registered data.
func TestOperator(t *testing.T) {
	g := NewRegistry([]byte("salt"))
	g.AddCell("customers", "Ａｃｍｅ-98765")
	secret := strings.Repeat("The turbine blade is cast from alloy seven at nine hundred degrees and rests for two hours before it is ground; ", 3) + "each lot has a number, which the foreman enters by hand into the red book that lies in the office of the hall."
	g.AddDocument("recipes", "alloy seven", []byte(secret))
	o := Options{
		Dictionaries: []Dictionary{{Name: "projects", Words: []string{"プロジェクト暁", "Red Falcon"}}},
		Patterns:     []Pattern{{Name: "part", RE: `\bPX-\d{4}\b`, Near: []string{"図面"}}},
		Registered:   []*Registry{g},
	}
	text := "For ＲＥＤ falcon.\n図面 px-1234 and PX-1235\nid,acme 98765\n"
	if got, want := look(t, o, text), "projects x1 80 red ****** @1\npart x2 80 px-**** @2\ncustomers x1 90"; !strings.HasPrefix(got, "projects x1 80") || !strings.Contains(got, "part x2 80 ") {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, text := range []string{"id,ACME-98765\n", "id, acme 98765 ,x\n", "the word ACME-98765 within a sentence"} {
		if got := look(t, o, text); !strings.Contains(got, "customers x1 90") {
			t.Errorf("%s: %s", text, got)
		}
	}
	if got := look(t, Options{Dictionaries: []Dictionary{{Name: "d", Words: []string{"falcon"}, Score: 40}}}, "a falcon"); got != "d x1 40 fa***n @1\n" {
		t.Error(got)
	}
	for _, tt := range []struct {
		p    Pattern
		text string
		want string
	}{
		{Pattern{Name: "p", RE: `(ab|cd)+XY\d`, Count: 2}, "abxy1", "p x1 50 "},
		{Pattern{Name: "p", RE: `(?:q|XY)\d`, Count: 2}, "q1 xy2", "p x2 80 "},
		{Pattern{Name: "p", RE: `x{2,3}\d`, Near: []string{"plan"}, Reach: 5}, "plan xx1", "p x1 80 "},
		{Pattern{Name: "p", RE: `x{0,3}\d`, Near: []string{"plan"}, Reach: 5, Score: 95}, "plan" + strings.Repeat(" ", 40) + "xx1", ""},
	} {
		if got := look(t, Options{Patterns: []Pattern{tt.p}}, tt.text); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%+v: %q", tt.p, got)
		}
	}
	passage := "noise before. " + secret[120:420] + " and noise behind, of any kind"
	if got := look(t, o, passage); !strings.Contains(got, "recipes x1 90 all** ****n") {
		t.Error(got)
	}
	if got := look(t, o, "The turbine blade is cast elsewhere, and nothing of the recipe is told here at all."); strings.Contains(got, "recipes") {
		t.Error(got)
	}
	for _, bad := range []Options{{Patterns: []Pattern{{Name: "x", RE: "("}}}, {Patterns: []Pattern{{Name: "x", RE: "a*"}}}, {Dictionaries: []Dictionary{{Name: "x"}}}} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// TestRandomNumbers: of any numbers, one in ten has a good check digit. None is found without
// words.
func TestRandomNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for range 20_000 {
		fmt.Fprintf(&b, "%012d ", r.Int64N(1_000_000_000_000))
		if r.IntN(10) == 0 {
			b.WriteByte('\n')
		}
	}
	if got := look(t, Options{}, b.String()); got != "" {
		t.Error(got)
	}
	good := 0
	for range 10_000 {
		if myNumber([]byte(fmt.Sprintf("%012d", r.Int64N(1_000_000_000_000)))) {
			good++
		}
	}
	if good < 800 || good > 1200 {
		t.Errorf("%d of 10,000 have a good check digit", good)
	}
	for range 1000 {
		if n := myNumberOf(r); !strings.Contains(look1(t, "マイナンバー"+n), "my-number") {
			t.Fatalf("%s is not found", n)
		}
	}
}

var shared, _ = New(Options{})

func look1(_ testing.TB, text string) string {
	var b strings.Builder
	for _, f := range shared.Text([]byte(text)) {
		b.WriteString(f.Detector + "\n")
	}
	return b.String()
}

// FuzzText: any octets are inspected, and values are masked.
func FuzzText(f *testing.F) {
	f.Add([]byte("マイナンバー 1234-5678-9018\n"))
	f.Add([]byte("氏名,電話\n山田,03-1234-5678\n昭和55年1月2日生まれ 東京都千代田区 x@y.zz ＠ 1.2.3.4.5.6.7.8.9.10 +1 (2) 3"))
	f.Add([]byte("card 4539 1488 0343 6467 TK1234567 AB12345678CD"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, x := range shared.Text(text) {
			if x.Count < 1 || x.Score < 1 || x.Score > 100 || x.Place.Line < 1 {
				t.Errorf("%+v", x)
			}
			if len(x.Sample) > 8 && x.Detector != "person" && !strings.Contains(x.Sample, "*") {
				t.Errorf("%+v is not masked", x)
			}
		}
	})
}

func BenchmarkText(b *testing.B) {
	for name, line := range map[string]string{
		"english":  "The quick brown fox, 42 of them, jumped over the lazy dog on 2026-11-01 at 10:32:11 for no reason. ",
		"people":   "山田 太郎\t100-0001\t東京都千代田区丸の内1-1\t090-1234-5678\tt@example.co.jp\t1980/01/02",
		"japanese": "本日の会議では、来年度の予算について話し合いました。資料は後ほど送ります。",
	} {
		b.Run(name, func(b *testing.B) {
			text := bytes.Repeat([]byte(line+"\n"), 1<<20/len(line))
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				shared.Text(text)
			}
		})
	}
}
