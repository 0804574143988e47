package port

import (
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/linktest"
)

// TestQueueInTurn: two processes send on one interface. The second one has no queue until
// the first one ends, and loses nothing meanwhile or after.
func TestQueueInTurn(t *testing.T) {
	t.Parallel()
	linktest.Enter(t)
	linktest.AddVeth(t)
	linktest.Quiet(t)
	rec := linktest.NewRecorder(t)
	before := openSink(t, Config{Method: XDP, Full: mirror.Block})
	after := openSink(t, Config{Method: XDP, Full: mirror.Block})
	waits, ok := after.(*turn)
	if !ok {
		t.Fatalf("the second sink is a %T", after)
	}
	send := func(s Sink, conversation uint16) {
		t.Helper()
		if n, err := s.Send(linktest.Frames(t, conversation, 20, 100)); n != 20 || err != nil {
			t.Errorf("Send = %d, %v", n, err)
		}
	}
	for range 3 {
		send(before, 1)
		send(after, 2)
	}
	if waits.moved.Load() || !after.Stats().Up {
		t.Errorf("moved to a queue that is taken: %t, %+v", waits.moved.Load(), after.Stats())
	}
	rec.Frames(t, 120, 20*time.Millisecond)
	before.Close()
	tempo.Until(t, "the queue is free", waits.queue.Bound)
	for range 3 {
		send(after, 2)
	}
	if s := after.Stats(); !waits.moved.Load() || s.Frames != 120 || len(s.Lost) != 0 || !s.Up {
		t.Errorf("moved: %t, %+v", waits.moved.Load(), s)
	}
	rec.Frames(t, 60, 20*time.Millisecond)
}
