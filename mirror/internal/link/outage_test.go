package link

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o Outage
		const limit = 100 * time.Millisecond
		var waits atomic.Int64
		start := time.Now()
		var all sync.WaitGroup
		for i := range 10 { // who comes late waits no longer than the first
			all.Go(func() {
				time.Sleep(time.Duration(i) * 5 * time.Millisecond)
				for o.Wait(limit) {
					waits.Add(1)
				}
			})
		}
		all.Wait()
		if took := time.Since(start); took < limit || took > limit+2*outagePoll {
			t.Errorf("waited for %v", took)
		}
		if o.Wait(limit) {
			t.Error("waits though the outage has lasted")
		}
		o.Over()
		if !o.Wait(limit) {
			t.Error("does not wait in a new outage")
		}
	})
}
