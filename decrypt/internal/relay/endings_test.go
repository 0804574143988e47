package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/clearspan/clearspan/decrypt/proto"
)

func TestAwaitFinish(t *testing.T) {
	const patience = time.Second
	for _, tt := range []struct {
		name   string
		change func(o *endings) // while two wait for the end of the client's direction
		want   bool
		after  time.Duration
	}{
		{"finished", func(o *endings) { o.setFinished(proto.ClientToOrigin) }, true, 0},
		{"finished after the other", func(o *endings) {
			o.setFinished(proto.OriginToClient)
			synctest.Wait()
			o.setFinished(proto.ClientToOrigin)
		}, true, 0},
		{"finished late", func(o *endings) {
			time.Sleep(patience / 2)
			o.setFinished(proto.ClientToOrigin)
		}, true, patience / 2},
		{"failed", func(o *endings) { o.setFailed() }, false, 0},
		{"the other finished", func(o *endings) { o.setFinished(proto.OriginToClient) }, false, patience},
		{"nothing", func(o *endings) {}, false, patience},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var o endings
				begun := time.Now()
				answers := make(chan bool, 2)
				for range cap(answers) {
					go func() { answers <- o.awaitFinish(proto.ClientToOrigin, patience) }()
				}
				synctest.Wait()
				tt.change(&o)
				for range cap(answers) {
					if got := <-answers; got != tt.want {
						t.Errorf("finished: %v, want %v", got, tt.want)
					}
				}
				if after := time.Since(begun); after != tt.after {
					t.Errorf("after %v, want %v", after, tt.after)
				}
			})
		})
	}
}

func TestAwaitFinishThatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o endings
		o.setFinished(proto.OriginToClient)
		if o.setFailed() || !o.setFailed() {
			t.Error("a failure is not known, or before it came")
		}
		begun := time.Now()
		if !o.awaitFinish(proto.OriginToClient, time.Second) || o.awaitFinish(proto.ClientToOrigin, time.Second) || time.Since(begun) != 0 {
			t.Error("what is known was waited for, or forgotten")
		}
	})
}
