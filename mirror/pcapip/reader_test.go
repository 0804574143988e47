package pcapip

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
)

// TestSlowReader: one reader stops reading. Send does not wait, memory stays
// bounded, the other reader gets everything, the slow one whole frames, and no
// frame counts as lost.
func TestSlowReader(t *testing.T) {
	s := listen(t, Config{Buffer: 4 * chunkSize})
	fast := inBackground(dial(t, s))
	slow := dial(t, s)
	const calls, perCall = 400, 10 // 6 MB, more than socket buffers and queue hold
	batch := frames(t, perCall)
	delivered := 0
	for range calls {
		begin := time.Now()
		n, err := s.Send(batch)
		if took := time.Since(begin); took > time.Second {
			t.Fatalf("Send took %v", took)
		}
		if (n < perCall) != errors.Is(err, mirror.ErrFull) || n == perCall && err != nil {
			t.Fatalf("Send = %d, %v", n, err)
		}
		delivered += n
		for _, r := range *s.readers.Load() {
			if n := chunksOf(r.queue); n > 4 {
				t.Fatalf("%d chunks in a queue of 4", n)
			}
		}
		// The fast reader takes its frames before the next come.
		tempo.Until(t, "fast reader's queue is empty", func() bool {
			return chunksOf((*s.readers.Load())[0].queue) == 0
		})
	}
	if delivered != calls*perCall {
		t.Errorf("%d of %d frames delivered: the slow reader's gaps are told as everybody's", delivered, calls*perCall)
	}
	st := s.Stats()
	if st.Frames != uint64(delivered) || len(st.Lost) != 0 || st.Missed == 0 || st.Missed >= uint64(delivered) {
		t.Errorf("Stats = %+v, want %d delivered and some missed", st, delivered)
	}
	got := inBackground(slow) // now it reads
	s.Close()
	if got := <-got; uint64(len(got.frames)) != uint64(delivered)-st.Missed || got.err != nil {
		t.Errorf("slow reader got %d whole frames, %v; want %d", len(got.frames), got.err, uint64(delivered)-st.Missed)
	}
	if got := <-fast; len(got.frames) != calls*perCall || got.err != nil {
		t.Errorf("fast reader got %d frames, %v; want %d", len(got.frames), got.err, calls*perCall)
	}
}

// chunksOf returns how many chunks hold records, that of the writer included.
func chunksOf(q *queue) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.chunks)
	if q.lent != nil {
		n++
	}
	return n
}

// TestSlowReaderDisconnected: the frame that finds no room costs the reader its
// place, and is delivered to the others.
func TestSlowReaderDisconnected(t *testing.T) {
	lines := new(logLines)
	s := listen(t, Config{Buffer: 4 * chunkSize, Slow: Disconnect, Logger: lines.logger()})
	slow := dial(t, s)
	fast := inBackground(dial(t, s))
	batch := frames(t, 10)
	sent := 0
	for s.Stats().Readers == 2 {
		if n, err := s.Send(batch); n != len(batch) || err != nil {
			t.Fatalf("Send = %d, %v; want %d, nil", n, err, len(batch))
		}
		sent += len(batch)
		tempo.Until(t, "fast reader's queue is empty", func() bool {
			readers := *s.readers.Load()
			return chunksOf(readers[len(readers)-1].queue) == 0
		})
		if sent > 1e5 {
			t.Fatal("slow reader never disconnected")
		}
	}
	s.Close()
	if got := <-fast; len(got.frames) != sent || got.err != nil {
		t.Errorf("fast reader got %d frames, %v; want %d", len(got.frames), got.err, sent)
	}
	if st := s.Stats(); st.Frames != uint64(sent) || len(st.Lost) != 0 {
		t.Errorf("Stats = %+v, want %d frames, none lost", st, sent)
	}
	if n := lines.count("reader too slow, disconnected"); n != 1 {
		t.Errorf("disconnection logged %d times, want 1", n)
	}
	io.Copy(io.Discard, slow) // ends: it is disconnected
}

// TestStuckReaderTimesOut: a reader that takes nothing loses its place, so that
// its losses end.
func TestStuckReaderTimesOut(t *testing.T) {
	lines := new(logLines)
	s := listen(t, Config{Buffer: 4 * chunkSize, Timeout: 50 * time.Millisecond, Logger: lines.logger()})
	dial(t, s)
	batch := frames(t, 1000)
	tempo.Until(t, "reader is gone", func() bool {
		s.Send(batch)
		return s.Idle()
	})
	if n := lines.count("reader takes nothing, disconnected"); n != 1 {
		t.Errorf("disconnection logged %d times, want 1", n)
	}
}

func TestReaderGoesAway(t *testing.T) {
	for _, tt := range []struct {
		name  string
		leave func(*testing.T, *Sink)
	}{
		{"reset while idle", func(t *testing.T, s *Sink) {
			conn := dial(t, s)
			conn.SetLinger(0)
			conn.Close()
		}},
		{"closed, then frames", func(t *testing.T, s *Sink) {
			dial(t, s).Close()
			tempo.Until(t, "reader is gone", func() bool {
				s.Send(frames(t, 1))
				return s.Idle()
			})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := listen(t, Config{})
			tt.leave(t, s)
			tempo.Until(t, "idle", s.Idle)
			if n, err := s.Send(frames(t, 2)); n != 0 || !errors.Is(err, mirror.ErrNoReader) {
				t.Errorf("Send = %d, %v; want 0, %v", n, err, mirror.ErrNoReader)
			}
			got := inBackground(dial(t, s)) // the next one is served
			if n, err := s.Send(frames(t, 2)); n != 2 || err != nil {
				t.Errorf("Send = %d, %v; want 2, nil", n, err)
			}
			s.Close()
			if got := <-got; len(got.frames) != 2 || got.err != nil {
				t.Errorf("%d frames arrived, %v; want 2", len(got.frames), got.err)
			}
		})
	}
}

// TestHalfClosedReader: a reader that closes its sending side still reads.
func TestHalfClosedReader(t *testing.T) {
	s := listen(t, Config{})
	conn := dial(t, s)
	if _, err := conn.Write([]byte("ignored")); err != nil {
		t.Fatal(err)
	}
	conn.CloseWrite()
	tempo.Until(t, "end of input seen", (*s.readers.Load())[0].halfClosed.Load)
	got := inBackground(conn)
	if n, err := s.Send(frames(t, 3)); n != 3 || err != nil {
		t.Errorf("Send = %d, %v; want 3, nil", n, err)
	}
	s.Close()
	if got := <-got; len(got.frames) != 3 || got.err != nil {
		t.Errorf("%d frames arrived, %v; want 3", len(got.frames), got.err)
	}
}

func TestMaxReaders(t *testing.T) {
	lines := new(logLines)
	s := listen(t, Config{MaxReaders: 2, Logger: lines.logger()})
	gone := dial(t, s)
	if _, err := io.ReadFull(gone, make([]byte, len(fileHead()))); err != nil {
		t.Fatal(err) // unread octets would turn its Close into a reset
	}
	dial(t, s)
	t.Run("refused", func(t *testing.T) {
		conn := connect(t, s)
		if n, err := io.Copy(io.Discard, conn); n != 0 {
			t.Errorf("third reader got %d octets, %v", n, err)
		}
		if lines.count("reader refused, too many") != 1 {
			t.Error("refusal not logged")
		}
	})
	t.Run("place of one that is perhaps gone", func(t *testing.T) {
		old := (*s.readers.Load())[0]
		gone.Close() // nothing is written to it that would show this
		tempo.Until(t, "end of input seen", old.halfClosed.Load)
		got := inBackground(connect(t, s))
		tempo.Until(t, "place is given on", func() bool {
			readers := *s.readers.Load()
			return len(readers) == 2 && readers[0] != old && readers[1] != old
		})
		if n, err := s.Send(frames(t, 1)); n != 1 || err != nil {
			t.Errorf("Send = %d, %v; want 1, nil", n, err)
		}
		s.Close()
		if got := <-got; len(got.frames) != 1 || got.err != nil {
			t.Errorf("%d frames arrived, %v; want 1", len(got.frames), got.err)
		}
	})
}

func connect(t *testing.T, s *Sink) io.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
