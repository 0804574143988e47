package pcapip

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
)

// meeting is where the sinks of two processes meet.
func meeting(t *testing.T) (listener *net.UnixListener, dial func(context.Context) (*net.UnixConn, error)) {
	t.Helper()
	addr := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "feeders"), Net: "unix"}
	listener, err := net.ListenUnix("unix", addr)
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	t.Cleanup(func() { listener.Close() })
	return listener, func(context.Context) (*net.UnixConn, error) { return net.DialUnix("unix", nil, addr) }
}

// handOver runs HandOver until the sink or the test ends.
func handOver(t *testing.T, s *Sink, dial func(context.Context) (*net.UnixConn, error)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { s.HandOver(ctx, dial) })
	t.Cleanup(func() { stop(); done.Wait() })
}

// TestHandOver: readers see all that both sinks show, each frame once and in the order of
// its sink, and nothing of the change. So does one that comes later.
func TestHandOver(t *testing.T) {
	listener, dialFeeders := meeting(t)
	old := listen(t, Config{})
	early := dial(t, old)
	got := inBackground(early)
	const batches, perBatch = 400, 20
	next := make(chan *Sink, 1)
	var sending sync.WaitGroup
	send := func(s *Sink, seq uint32) {
		var fs []mirror.Frame
		for i := range uint32(perBatch) {
			fs = append(fs, frame(t, seq+i, 1000))
		}
		if n, err := s.Send(fs); n != perBatch || err != nil {
			t.Errorf("Send = %d, %v", n, err)
		}
	}
	started := make(chan struct{})
	sending.Go(func() {
		for i := range uint32(batches) {
			if i == 50 {
				close(started)
			}
			send(old, i*perBatch)
			time.Sleep(200 * time.Microsecond)
		}
	})
	<-started
	successor := listen(t, Config{Feeders: listener})
	next <- successor
	handOver(t, old, dialFeeders)
	tempo.Until(t, "reader is handed over", func() bool { return successor.Stats().Readers == 1 })
	late := dial(t, successor)
	gotLate := inBackground(late)
	const own = 1 << 30
	sending.Go(func() {
		for i := range uint32(batches / 4) {
			send(successor, own+i*perBatch)
		}
	})
	sending.Wait()
	old.Close() // what it has goes to the successor
	time.Sleep(50 * time.Millisecond)
	tempo.Until(t, "nothing waits", func() bool { return successor.Stats().Queued == 0 })
	successor.Close()
	count := func(r received) (fromOld, fromNew uint32) {
		t.Helper()
		if r.err != nil {
			t.Errorf("stream: %v", r.err)
		}
		first := uint32(0)
		for i, octets := range r.frames {
			seq := uint32(octets[38])<<24 | uint32(octets[39])<<16 | uint32(octets[40])<<8 | uint32(octets[41])
			switch {
			case seq >= own && seq == own+fromNew:
				fromNew++
			case seq < own && (fromOld == 0 || seq == first+fromOld):
				if fromOld == 0 {
					first = seq
				}
				fromOld++
			default:
				t.Fatalf("frame %d has the number %d, after %d and %d", i, seq, fromOld, fromNew)
			}
		}
		for i := 1; i < len(r.times); i++ {
			if r.times[i].Before(r.times[i-1]) {
				t.Fatal("times run backwards")
			}
		}
		return fromOld, fromNew
	}
	if fromOld, fromNew := count(<-got); fromOld != batches*perBatch || fromNew != batches/4*perBatch {
		t.Errorf("the early reader has %d and %d frames", fromOld, fromNew)
	}
	if _, fromNew := count(<-gotLate); fromNew != batches/4*perBatch {
		t.Errorf("the late reader has %d frames of the successor", fromNew)
	}
}

// TestNoSuccessor: where nobody takes them, readers stay and get all to the end.
func TestNoSuccessor(t *testing.T) {
	_, dialFeeders := meeting(t) // it listens, and nobody accepts
	s := listen(t, Config{})
	got := inBackground(dial(t, s))
	handOver(t, s, dialFeeders)
	for range 10 {
		if n, err := s.Send(frames(t, 10)); n != 10 || err != nil {
			t.Errorf("Send = %d, %v", n, err)
		}
	}
	s.Close()
	if r := <-got; r.err != nil || len(r.frames) != 100 {
		t.Errorf("%d frames, %v", len(r.frames), r.err)
	}
}

// TestSuccessorLate: readers stay until a successor is there, and a second one follows when
// the first one has been replaced itself.
func TestSuccessorLate(t *testing.T) {
	listener, dialFeeders := meeting(t)
	again, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	oldest := listen(t, Config{})
	got := inBackground(dial(t, oldest))
	handOver(t, oldest, dialFeeders)
	send := func(s *Sink) {
		t.Helper()
		if n, err := s.Send(frames(t, 10)); n != 10 || err != nil {
			t.Errorf("Send = %d, %v", n, err)
		}
	}
	send(oldest)
	middle := listen(t, Config{Feeders: listener})
	tempo.Until(t, "reader is handed over", func() bool { return middle.Stats().Readers == 1 })
	send(oldest)
	send(middle)
	l, err := net.FileListener(again)
	if err != nil {
		t.Fatal(err)
	}
	newest := listen(t, Config{Feeders: l.(*net.UnixListener)})
	handOver(t, middle, dialFeeders)
	tempo.Until(t, "reader is handed over again", func() bool { return newest.Stats().Readers == 1 })
	for _, s := range []*Sink{oldest, middle, newest} {
		send(s)
	}
	tempo.Until(t, "what the oldest one sends has come through", func() bool { return oldest.Stats().Queued+middle.Stats().Queued == 0 })
	time.Sleep(100 * time.Millisecond)
	for _, s := range []*Sink{oldest, middle, newest} {
		s.Close()
		time.Sleep(100 * time.Millisecond)
	}
	if r := <-got; r.err != nil || len(r.frames) != 60 {
		t.Errorf("%d frames, %v", len(r.frames), r.err)
	}
}

func FuzzStream(f *testing.F) {
	fr := frame(f, 1, 10)
	good := appendRecord(fileHead(), &fr, time.Unix(1, 0))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		in := newRecordReader(bytes.NewReader(data), 1518)
		for {
			octets, err := in.next()
			if err != nil {
				return
			}
			if len(octets) == 0 || len(octets) > 1518 {
				t.Fatalf("frame of %d octets", len(octets))
			}
		}
	})
}
