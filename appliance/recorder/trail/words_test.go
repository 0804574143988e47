package trail

import (
	"strings"
	"testing"
)

// TestTokens: words, and pairs of neighbours where scripts have no blanks.
func TestTokens(t *testing.T) {
	for text, want := range map[string]string{
		"Hello, World-2026 a":        "hello world 2026 a",
		"極秘の資料 v2":                   "極秘 秘の の資 資料 v2",
		"ＡＢＣ　ｶﾀｶﾅ":                   "abc カタ タカ カナ",
		"社":                          "社",
		"http://x.example/見積.xlsx?a": "http x example 見積 xlsx a",
		"":                           "",
		"Ünïcode ΑΒΓ":                "ünïcode αβγ",
	} {
		if got := TokenText(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	long := 0
	Tokens(strings.Repeat("a", 100_000)+strings.Repeat("漢", 1000), func(token string) {
		long++
		if len(token) > 4*maxToken {
			t.Errorf("a token of %d octets", len(token))
		}
	})
	if long < 1000 {
		t.Errorf("%d tokens", long)
	}
}
