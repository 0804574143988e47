package wire

import (
	"sync/atomic"
	"testing"
	"time"
)

// A loop that is late beats at once if only it was late. After a pause in which
// connections passed it has to prove itself first.
func TestBeatAfterPause(t *testing.T) {
	t.Parallel()
	const limit, busy = 100 * time.Millisecond, time.Second
	now := time.Now()
	for _, row := range []struct {
		name    string
		pause   time.Duration // of the loop
		process time.Duration // since the process ran
		lapsed  time.Duration // since the end of a pause of the process; 0: none
		beats   bool
	}{
		{"prompt", 50 * time.Millisecond, 0, 0, true},
		{"late, and the process ran", 300 * time.Millisecond, 0, 0, true},
		{"late, and the process had stopped before", 300 * time.Millisecond, 0, 400 * time.Millisecond, true},
		{"late, and the process had stopped meanwhile", 300 * time.Millisecond, 0, 10 * time.Millisecond, false},
		{"late, and the process has not run since", 300 * time.Millisecond, 300 * time.Millisecond, 0, false},
		{"very late, though the process ran", 2 * time.Second, 0, 0, false},
	} {
		var mine, its uint64
		p := &processHeartbeat{slot: &its, limit: limit, lastBeat: now.Add(time.Hour)} // runs, however slow this test is
		if row.process != 0 {
			p.lastBeat = now.Add(-row.process)
		}
		if row.lapsed != 0 {
			p.resumed = now.Add(-row.lapsed)
		}
		b := loopHeartbeat{slot: &mine, process: p, limit: limit, busy: busy, recover: time.Minute, lastBeat: now.Add(-row.pause)}
		b.beat()
		if got := atomic.LoadUint64(&mine) != 0; got != row.beats {
			t.Errorf("%s: beats %v", row.name, got)
		}
	}
}

// The pulse of a process beats by itself until it is stopped.
func TestProcessHeartbeat(t *testing.T) {
	t.Parallel()
	var slot uint64
	p := startProcessHeartbeat(&slot, 10*time.Millisecond)
	first := uint64(0)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		now := atomic.LoadUint64(&slot)
		if first == 0 {
			first = now
		}
		if now != first {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no second beat")
		}
	}
	p.stop()
	time.Sleep(20 * time.Millisecond)
	if got := atomic.LoadUint64(&slot); got != 0 {
		t.Errorf("beats after its end: %d", got)
	}
}
