package mirror_test

import (
	"testing"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
	"github.com/google/go-cmp/cmp"
)

// TestLossIsTold: what Options.Lost hears is what the account says, and it hears
// it before the call returns.
func TestLossIsTold(t *testing.T) {
	refused := 0
	recorder := &mirrortest.Recorder{Fail: func(frames []mirror.Frame) (int, error) {
		if refused > 0 {
			refused--
			return len(frames) / 2, mirror.ErrFull
		}
		return len(frames), nil
	}}
	told := map[string][2]uint64{}
	c := mirror.Open(recorder, flow4, mirror.Options{Lost: func(dir mirror.Direction, n uint64, reason string) {
		sum := told[reason]
		sum[dir] += n
		told[reason] = sum
	}})
	agree := func(step string) {
		t.Helper()
		if diff := cmp.Diff(c.Account().Lost, told); len(told) > 0 && diff != "" {
			t.Errorf("%s (-account +told):\n%s", step, diff)
		}
	}
	c.Data(toOrigin, random(100))
	refused = 2
	c.Data(toClient, random(200_000))
	agree("refused")
	c.Skip(toOrigin, 5, "late")
	agree("skipped")
	recorder.SetIdle(true)
	c.Data(toOrigin, random(7))
	agree("idle")
	recorder.SetIdle(false)
	c.End(toClient)
	c.Data(toClient, random(9))
	agree("ended")
	c.Close()
	agree("closed")
	if len(told) != 4 {
		t.Errorf("told of %v, want four reasons", told)
	}
}
