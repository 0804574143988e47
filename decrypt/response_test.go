package decrypt

import "testing"

// TestOptionWords: every value of an option type has a word, and nothing else does.
func TestOptionWords(t *testing.T) {
	for _, want := range []Response{Untrusted, Block, PassOn} {
		text, err := want.MarshalText()
		got := Response(9)
		if err != nil || got.UnmarshalText(text) != nil || got != want {
			t.Errorf("response %s becomes %v, %v", text, got, err)
		}
	}
	for _, want := range []CertificateRequest{TunnelRequest, BlockRequest, AnswerNone} {
		text, err := want.MarshalText()
		got := CertificateRequest(9)
		if err != nil || got.UnmarshalText(text) != nil || got != want {
			t.Errorf("certificate request %s becomes %v, %v", text, got, err)
		}
	}
	for _, word := range []string{"", "blocked", "response(3)"} {
		if new(Response).UnmarshalText([]byte(word)) == nil || new(CertificateRequest).UnmarshalText([]byte(word)) == nil {
			t.Errorf("%q is a word", word)
		}
	}
	if got := Response(9).String(); got != "response(9)" {
		t.Errorf("a value without a word is %q", got)
	}
}
