// Package tempo says how much tests do, how many of them at a time, and how long they
// wait. The gate runs every kind of case; make test-thorough sets CLEARSPAN_ROUNDS and
// gets long and exhaustive runs.
package tempo

import (
	"flag"
	"os"
	"strconv"
	"testing"
	"time"
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

// Thorough reports whether tests run in full: with CLEARSPAN_ROUNDS of more than 1.
func Thorough() bool { return Rounds() > 1 }

// Of returns how many cases a test takes: few, or all of them in a thorough run.
func Of(few, all int) int {
	if Thorough() {
		return all
	}
	return few
}

// Parallel has n tests run at a time where they call t.Parallel, instead of one for
// each core: tests that wait take no core. A -parallel of the command line counts
// instead. TestMain calls it.
func Parallel(n int) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		flag.Set("test.parallel", strconv.Itoa(n))
	}
}

// Until waits until ok returns true. It fails the test after half a minute, which is
// for machines that are busy.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within half a minute: %s", what)
		}
	}
}
