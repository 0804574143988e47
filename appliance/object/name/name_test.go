package name

import "testing"

// TestNames reads the forms in which senders write one name.
func TestNames(t *testing.T) {
	const want = "見積書 2026.pdf"
	for _, tt := range []struct{ name, field string }{
		{"UTF-8", `attachment; filename="見積書 2026.pdf"`},
		{"RFC 5987", `attachment; filename="x.pdf"; filename*=UTF-8''%E8%A6%8B%E7%A9%8D%E6%9B%B8%202026.pdf`},
		{"RFC 2047 in quotes", `attachment; filename="=?UTF-8?B?6KaL56mN5pu4IDIwMjYucGRm?="`},
		{"RFC 2047 in two words, a character cut", "attachment; filename=\"=?UTF-8?B?6KaL56k=?= =?UTF-8?B?jeabuCAyMDI2LnBkZg==?=\""},
		{"RFC 2047, ISO-2022-JP", "attachment; filename=\"=?ISO-2022-JP?B?GyRCOCtAUT1xGyhCIDIwMjYucGRm?=\""},
		{"RFC 2231 in pieces", "attachment;\r\n filename*0*=UTF-8''%E8%A6%8B%E7%A9;\r\n filename*1*=%8D%E6%9B%B8;\r\n filename*2=\" 2026.pdf\""},
		{"RFC 2231 in pieces, Shift_JIS", "attachment; filename*0*=Shift_JIS'ja'%8C%A9%90%CF; filename*1*=%8F%91%202026.pdf"},
		{"Shift_JIS", "attachment; filename=\"\x8c\xa9\x90\xcf\x8f\x91 2026.pdf\""},
		{"EUC-JP", "attachment; filename=\"\xb8\xab\xc0\xd1\xbd\xf1 2026.pdf\""},
		{"ISO-2022-JP", "attachment; filename=\"\x1b$B8+@Q=q\x1b(B 2026.pdf\""},
		{"a path", `attachment; filename="C:\home\見積書 2026.pdf"`},
		{"no closing quote", `attachment; filename="見積書 2026.pdf`},
		{"quoted-printable word", "attachment; filename=\"=?utf-8?Q?=E8=A6=8B=E7=A9=8D=E6=9B=B8_2026.pdf?=\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			value, p := Field(tt.field)
			text, _ := p.Value("filename")
			if value != "attachment" || Base(text) != want {
				t.Errorf("%q: %q", value, Base(text))
			}
		})
	}
}

// TestQuotes: octets of characters that look like a quote or a backslash are neither.
func TestQuotes(t *testing.T) {
	for field, want := range map[string]string{
		"a; filename=\"\x1b$B$4$\"$$$5$D\x1b(B.txt\"; x=1": "ごあいさつ.txt",
		"a; filename=\"\x97\\\x8eZ\x95\\\"; x=\"1\"":       "予算表",
		"a; filename=\"\x1b$B no end\"; x=1":               "$B no end",
		`a; filename="C:\予\\\"算.txt"; x=1`:                 `"算.txt`,
	} {
		_, p := Field(field)
		if text, _ := p.Value("filename"); Base(text) != want || p["x"] != "1" {
			t.Errorf("%q: %q, x %q", field, Base(text), p["x"])
		}
	}
}

// TestText reads header fields of mails.
func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                           "plain",
		"=?iso-8859-1?Q?caf=E9?= au lait": "café au lait",
		"=?UTF-8?B?44GT44KT?=\r\n =?UTF-8?B?44Gr44Gh44Gv?=": "こんにちは",
		"a =?broken":                    "a =?broken",
		"=?x?B?!?= b":                   "=?x?B?!?= b",
		"\x83e\x83X\x83g":               "テスト",
		"=?utf-8?Q?a?= =?utf-8?Q?b?= c": "ab c",
		"Re: =?utf-8?Q?a?=":             "Re: a",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestBase: names never become paths.
func TestBase(t *testing.T) {
	for in, want := range map[string]string{
		"../../etc/passwd": "passwd", `..\..\a.txt`: "a.txt", "..": "", ".": "", "/": "", "": "", "a/": "a",
		"a\x00b.txt": "ab.txt", "evil\u202etxt.exe": "eviltxt.exe", " a ": "a", "\n": "",
	} {
		if got := Base(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{`attachment; filename*0*=UTF-8''%E8; filename*1*=%A6%8B; filename="=?utf-8?B?w6k=?="`, "=?ISO-2022-JP?B?GyRC?= =?", `a; b="\"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, p := Field(s)
		for key := range p {
			text, _ := p.Value(key)
			Base(text)
		}
		Base(Text(s))
		Base(Decode(s, []byte(s)))
	})
}
