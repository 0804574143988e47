package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// TestMain has the test binary be the program when scripts run it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"clearspan": program})
}

// program is clearspan as scripts run it, in a process of its own. It dies with the
// tests, however they end.
func program() {
	version = "v1.2.3"
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		panic(err)
	}
	main()
}
