package lab

import (
	"os"
	"strconv"
)

// Rounds is how thorough tests are that can be thorough: CLEARSPAN_ROUNDS, 1 if
// that is not set. `make test-thorough` sets it.
func Rounds() int {
	n, err := strconv.Atoi(os.Getenv("CLEARSPAN_ROUNDS"))
	if err != nil {
		return 1
	}
	return n
}
