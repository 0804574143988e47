package privilege

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// A process is confined for good, so that tests start one: this program again.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CLEARSPAN_TEST_CONFINED"); dir != "" {
		os.Exit(confined(dir))
	}
	goleak.VerifyTestMain(m)
}
