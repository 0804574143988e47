// Package needs says what becomes of a test on a machine that lacks something. On a
// developer's machine it is left out. Where CI is set it fails: a test that is left out
// there would hide a fault for ever.
package needs

import (
	"os"
	"os/exec"
)

// TB is what a test, a benchmark or a fuzz target can do here.
type TB interface {
	Fatal(args ...any)
	Skip(args ...any)
}

// Missing ends a test, or a benchmark, that cannot run here, and says why.
func Missing(t TB, why ...any) {
	if t, ok := t.(interface{ Helper() }); ok {
		t.Helper()
	}
	if os.Getenv("CI") != "" {
		t.Fatal(why...)
		return
	}
	t.Skip(why...)
}

// Program returns the path of a program that a test runs. A test on a machine without it
// ends.
func Program(t TB, name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, err)
	}
	return path
}
