package netlab

import (
	"errors"
	"os"
	"testing"
)

// TestPrefix is the prefix of the labs that ForTest makes.
const TestPrefix = "cstest"

// TB is the part of testing.TB that ForTest uses.
type TB interface {
	Cleanup(func())
	Error(args ...any)
	Fatal(args ...any)
	Skip(args ...any)
}

// ForTest returns a lab that is closed when the test ends; the test fails if
// that leaves anything behind. With -short the test is skipped. Without the
// capabilities that a lab needs the test is skipped, or fails where the environment
// has CI set.
func ForTest(t TB) *Lab {
	if testing.Short() {
		t.Skip("needs network namespaces: left out with -short")
		return nil
	}
	lab, err := New(TestPrefix)
	if err != nil {
		refuse(t, err, os.Getenv("CI") != "")
		return nil
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
		left, err := leftovers(TestPrefix, lab.stem+"-") // others' labs may live
		if err != nil {
			t.Error(err)
		}
		for _, what := range left {
			t.Error("left behind: " + what)
		}
	})
	return lab
}

// refuse skips the test if all that is missing is capabilities and skipping is
// allowed; else it fails the test.
func refuse(t TB, err error, ci bool) {
	if missing := (*CapabilityError)(nil); errors.As(err, &missing) && !ci {
		t.Skip(err)
		return
	}
	t.Fatal(err)
}
