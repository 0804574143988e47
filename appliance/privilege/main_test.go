package privilege

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// A process is confined for good, so that tests start one: this program again.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CLEARSPAN_TEST_CONFINED"); dir != "" {
		os.Exit(confined(dir))
	}
	if os.Getenv("CLEARSPAN_TEST_SEALED") != "" {
		os.Exit(sealed())
	}
	if stage := os.Getenv("CLEARSPAN_TEST_GUARDED"); stage != "" {
		if err := guarded(stage); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
