package framecount

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/mirror"
)

func TestLost(t *testing.T) {
	var c Counters
	if diff := cmp.Diff(map[string]uint64{}, c.Lost()); diff != "" {
		t.Errorf("nothing lost (-want +got):\n%s", diff)
	}
	for i, err := range []error{
		mirror.ErrFull, fmt.Errorf("send: %w", mirror.ErrNoLink), mirror.ErrNoReader, mirror.ErrTooLong, mirror.ErrClosed,
		errors.New("odd"), mirror.ErrStorage, mirror.ErrFull,
	} {
		c.Lose(err, i+1)
	}
	want := map[string]uint64{"queue-full": 9, "no-link": 2, "no-reader": 3, "too-long": 4, "closed": 5, "other": 13}
	if diff := cmp.Diff(want, c.Lost()); diff != "" {
		t.Errorf("lost (-want +got):\n%s", diff)
	}
}

func TestLoseAllocatesNothing(t *testing.T) {
	var c Counters
	if n := testing.AllocsPerRun(100, func() { c.Lose(mirror.ErrClosed, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
