package pcapip

import "testing"

func TestSlowWords(t *testing.T) {
	for _, want := range []Slow{Skip, Disconnect} {
		text, err := want.MarshalText()
		got := Slow(9)
		if err != nil || got.UnmarshalText(text) != nil || got != want {
			t.Errorf("%s becomes %v, %v", text, got, err)
		}
	}
	if s := Disconnect; s.UnmarshalText([]byte("drop")) == nil || s != Disconnect {
		t.Errorf("drop is %v", s)
	}
}
