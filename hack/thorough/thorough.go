// Package thorough tells tests whether time matters. The gate runs every kind of
// case; make test-thorough sets CLEARSPAN_ROUNDS and gets long and exhaustive runs.
package thorough

import (
	"os"
	"strconv"
)

// Rounds is how often a test that takes figures takes them: CLEARSPAN_ROUNDS,
// usually 1.
func Rounds() int {
	n, err := strconv.Atoi(os.Getenv("CLEARSPAN_ROUNDS"))
	if err != nil {
		return 1
	}
	return max(n, 1)
}

// Wanted reports whether tests run in full: with CLEARSPAN_ROUNDS of more than 1.
func Wanted() bool { return Rounds() > 1 }

// Of returns how many cases a test takes: few, or all of them in a thorough run.
func Of(few, all int) int {
	if Wanted() {
		return all
	}
	return few
}
