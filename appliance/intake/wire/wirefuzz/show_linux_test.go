package wirefuzz

import "testing"

func TestShow(t *testing.T) {
	if *firstSeed == 0 {
		t.Skip("needs -seed")
	}
	t.Log(generate(*firstSeed))
}
