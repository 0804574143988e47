package wirefuzz

import "testing"

func TestShow(t *testing.T) {
	if *firstSeed == 0 {
		t.Skip("needs -seed")
	}
	t.Log(generate(*firstSeed))
}

func TestShare(t *testing.T) {
	n := 0
	for seed := range uint64(2000) {
		if c := generate(seed); c.Origin {
			n++
			if n < 12 {
				t.Log(seed, c)
			}
		}
	}
	t.Log(n)
}
