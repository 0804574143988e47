package pcapng

import (
	"sync"
	"testing"
)

// TestStatsBesideWriter asks for the totals while the disk is written to. The race
// detector watches.
func TestStatsBesideWriter(t *testing.T) {
	s, err := Open(Config{Directory: t.TempDir(), Buffer: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				s.Stats()
			}
		}
	})
	batch := frames(t, 100)
	for range 200 {
		send(t, s, batch)
	}
	close(stop)
	asking.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Queued != 0 || st.Frames != 20_000 {
		t.Errorf("%+v", st)
	}
}
