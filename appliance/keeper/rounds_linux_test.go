package keeper

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
)

// TestRounds changes all that can be changed, over and over, under load, and kills a
// worker now and then: no connection is refused, none is lost but with the killed worker,
// and the oldest session goes on. There are 2 rounds, with CLEARSPAN_ROUNDS 100.
func TestRounds(t *testing.T) {
	rounds := 2
	if tempo.Rounds() > 1 {
		rounds = 100
	}
	b := start(t, settings{Drain: time.Hour})
	program := copyOf(t, b.dir, "newer")
	old := b.session()
	old.say("a")
	f := b.flood(10, 20*time.Millisecond)
	for i := range rounds {
		for _, s := range []settings{
			{Drain: time.Hour, Greet: fmt.Sprintf("%d ", i)},
			{Drain: time.Hour + time.Duration(i), Greet: fmt.Sprintf("%d ", i)},
			{Drain: time.Hour, Listen: []string{freeAddress(t)}},
		} {
			if err := b.reload(s); err != nil {
				t.Fatalf("round %d: reload: %v", i, err)
			}
		}
		if err := b.order(Order{Do: "upgrade", Binary: program}); err != nil {
			t.Fatalf("round %d: upgrade: %v", i, err)
		}
		old.say("b")
	}
	if l := f.lost.Load(); l > 0 {
		t.Errorf("%d sessions lost: %v", l, f.first.Load())
	}
	pid := b.serving()
	syscall.Kill(pid, syscall.SIGKILL)
	killed := time.Now()
	tempo.Until(t, "another worker", func() bool { now := b.serving(); return now != 0 && now != pid })
	t.Logf("another worker after %v", time.Since(killed).Round(time.Millisecond))
	old.say("c")
	f.stop()
	t.Logf("%d rounds, %d connects, %d refused, %d lost", rounds, f.connects.Load(), f.refused.Load(), f.lost.Load())
	if r := f.refused.Load(); r > 0 || f.connects.Load() < 10 {
		t.Errorf("%d of %d connects refused: %v", r, f.connects.Load(), f.first.Load())
	}
}
