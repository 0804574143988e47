package line

import "testing"

func TestWord(t *testing.T) {
	for _, tt := range []struct{ text, word, rest string }{
		{"a1 LOGIN x y\r\n", "a1", "LOGIN x y"}, {" \t stls\r\n", "stls", ""}, {"a \t b \r\n", "a", "b"}, {"\r\n", "", ""}, {"", "", ""},
	} {
		if word, rest := Word([]byte(tt.text), Blanks); string(word) != tt.word || string(rest) != tt.rest {
			t.Errorf("%q: %q, %q", tt.text, word, rest)
		}
	}
	if !Is([]byte("sTls"), "STLS") || Is([]byte("ſTLS"), "STLS") || Is([]byte("STLS "), "STLS") {
		t.Error("names are not compared octet by octet in any case")
	}
}

func TestCouldBe(t *testing.T) {
	for text, want := range map[string]bool{"": true, " s": true, "STLS": true, "stls\r\n": true, "STLS x": true, "STLSX": false, "STAT": false, "ST ": false} {
		if got := CouldBe([]byte(text), "STLS", Blanks); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestCode(t *testing.T) {
	for _, tt := range []struct {
		text string
		code int
		last bool
		rest string
		ok   bool
	}{
		{"250 a b\r\n", 250, true, "a b", true}, {"230-a\n", 230, false, "a", true}, {"220\r\n", 220, true, "", true}, {"220\r\r\n", 220, true, "", true},
		{"220 ", 220, true, "", true}, {"22 a", 0, false, "", false}, {"+22 a", 0, false, "", false}, {"2200 a", 2200 / 10, false, " a", false}, {"", 0, false, "", false},
	} {
		code, last, rest, ok := Code([]byte(tt.text))
		if ok != tt.ok || ok && (code != tt.code || last != tt.last || string(rest) != tt.rest) {
			t.Errorf("%q: %d, %v, %q, %v", tt.text, code, last, rest, ok)
		}
	}
}
