package gate

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// mostAgain is how many tests of a run may have another try. If more fail, the change
// is at fault, not the machine.
const mostAgain = 3

// never are what no second try excuses: they are faults however seldom they show.
var never = []string{"DATA RACE", "panic:", "fatal error:", "ended: over its limit"}

// Again gives the tests that failed in r a second try, alone, and returns what it came
// to. A scene of real programs may fail once because the machine was busy; a test that
// fails alone, too, is broken. The report lists what passed only then as unsteady: that
// is to be mended, but holds nobody up.
func (r *Run) Again(ctx context.Context, report *Report) (*Report, error) {
	tests := report.secondTries()
	if len(tests) == 0 {
		return report, nil
	}
	flags := slices.DeleteFunc(slices.Clone(r.Args), func(arg string) bool {
		return strings.HasPrefix(arg, "./") || arg == r.Module || strings.HasPrefix(arg, r.Module+"/")
	})
	for _, t := range tests {
		fmt.Fprintf(r.Out, "\nonce more, alone: %s %s\n", t.folder, t.test)
		one := *r
		one.Args = slices.Concat(flags, []string{"-count=1", "-run=^" + t.test + "$", strings.TrimSuffix(r.Module+"/"+t.folder, "/")})
		second, err := one.Do(ctx)
		if err != nil || !second.Good() {
			return report, err
		}
		report.recover(t)
	}
	return report, nil
}

// place is where a test is.
type place struct{ folder, test string }

// secondTries returns the failed tests that may have another try; none if any failure
// is of another kind.
func (r *Report) secondTries() (tests []place) {
	packages := make(map[string]bool) // broken ones; whether a test of theirs explains it
	for _, b := range r.Broken {
		folder, test, ok := strings.Cut(b, " ")
		if !ok {
			packages[folder] = packages[folder] || false
			continue
		}
		packages[folder] = true
		tests = append(tests, place{folder, test})
	}
	for _, explained := range packages {
		if !explained {
			return nil
		}
	}
	if len(tests) > mostAgain || r.grave {
		return nil
	}
	return tests
}

// recover takes t, which passed at last, from what is broken.
func (r *Report) recover(t place) {
	name := t.folder + " " + t.test
	r.Broken = slices.DeleteFunc(r.Broken, func(b string) bool { return b == name })
	if !slices.ContainsFunc(r.Broken, func(b string) bool { return strings.HasPrefix(b, t.folder+" ") }) {
		r.Broken = slices.DeleteFunc(r.Broken, func(b string) bool { return b == t.folder })
	}
	r.Failed--
	r.Passed++
	r.Unsteady = append(r.Unsteady, name)
}

// isGrave reports whether a failed test said something that no second try excuses.
func isGrave(said string) bool {
	return slices.ContainsFunc(never, func(word string) bool { return strings.Contains(said, word) })
}
