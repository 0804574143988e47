package mirror

import "testing"

func TestOverflowWords(t *testing.T) {
	for _, want := range []Overflow{Drop, Block} {
		text, err := want.MarshalText()
		var got Overflow
		if err != nil || got.UnmarshalText(text) != nil || got != want {
			t.Errorf("%s becomes %v, %v", text, got, err)
		}
	}
	for _, word := range []string{"", "drops", "overflow(3)"} {
		if o := Block; o.UnmarshalText([]byte(word)) == nil || o != Block {
			t.Errorf("%q is %v", word, o)
		}
	}
	if Overflow(3).Valid() || !Overflow(0).Valid() {
		t.Error("zero and the words are the valid values")
	}
}
