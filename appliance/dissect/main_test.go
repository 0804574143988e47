package dissect_test

import (
	"testing"

	"go.uber.org/goleak"
)

// A session that is closed leaves no coroutine, whatever it was inflating.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
