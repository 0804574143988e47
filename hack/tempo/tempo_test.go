package tempo

import "testing"

func TestRounds(t *testing.T) {
	for _, row := range []struct {
		value  string
		rounds int
		cases  int
	}{
		{"", 1, 3}, {"1", 1, 3}, {"0", 1, 3}, {"-2", 1, 3}, {"many", 1, 3}, {"2", 2, 100}, {"5", 5, 100},
	} {
		t.Setenv("CLEARSPAN_ROUNDS", row.value)
		if rounds, cases := Rounds(), Of(3, 100); rounds != row.rounds || cases != row.cases {
			t.Errorf("CLEARSPAN_ROUNDS=%s: %d rounds, %d cases, want %d, %d", row.value, rounds, cases, row.rounds, row.cases)
		}
	}
}
