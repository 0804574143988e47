package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
)

func TestOpenRejectsConfig(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
	}{
		{"no directory", Config{}},
		{"prefix with separator", Config{Directory: "x", Prefix: "a/b"}},
		{"hidden prefix", Config{Directory: "x", Prefix: ".a"}},
		{"prefix is the parent", Config{Directory: "x", Prefix: ".."}},
		{"small files", Config{Directory: "x", RotateSize: minRotateSize - 1}},
		{"negative time", Config{Directory: "x", RotateEvery: -1}},
		{"negative keep", Config{Directory: "x", Keep: -1}},
		{"unknown policy", Config{Directory: "x", Full: "wait"}},
		{"one buffer", Config{Directory: "x", Buffer: 1 << 20}},
		{"MTU above IP's", Config{Directory: "x", MTU: 65536}},
		{"directory is a file", Config{Directory: "/dev/null"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := Open(tt.cfg); err == nil {
				s.Close()
				t.Error("Open succeeded")
			}
		})
	}
}

func TestFramesReadBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "captures")
	s := openSink(t, Config{Directory: dir})
	if s.MTU() != 1500 || s.Idle() {
		t.Errorf("MTU, Idle = %d, %t; want 1500, false", s.MTU(), s.Idle())
	}
	sent := []mirror.Frame{
		frame(t, 1, nil, "rule r1, server name a.test"),
		frame(t, 2, []byte("x"), ""),
		frame(t, 3, []byte("xy"), "a"),
		frame(t, 4, []byte("xyz"), "ab"),
		frame(t, 5, bytes.Repeat([]byte{7}, 1460), "abc"),
	}
	before := time.Now()
	send(t, s, sent)
	after := time.Now()
	s.Close()
	var want, got []packet
	for _, f := range sent {
		p := packet{Octets: octets(f)}
		if f.Note != "" {
			p.Comment = []string{f.Note}
		}
		want = append(want, p)
	}
	for _, p := range readAll(t, dir) {
		if p.Time.Before(before.Truncate(0)) || p.Time.After(after) {
			t.Errorf("time %v is not between %v and %v", p.Time, before, after)
		}
		p.Time = time.Time{}
		got = append(got, p)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("packets (-sent +read):\n%s", diff)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, list(t, dir, "")[0]): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v; want %v", path, info.Mode().Perm(), err, mode)
		}
	}
}

func TestTooLongLosesTheRest(t *testing.T) {
	s := openSink(t, Config{MTU: 9000})
	batch := []mirror.Frame{
		{Header: make([]byte, 9018)},
		{Header: make([]byte, 18), Payload: make([]byte, 9001)},
		{Header: make([]byte, 60)},
	}
	if n, err := s.Send(batch); n != 1 || !errors.Is(err, mirror.ErrTooLong) {
		t.Errorf("Send = %d, %v; want 1, %v", n, err, mirror.ErrTooLong)
	}
	want, got := Stats{Frames: 1, Octets: 9018, Lost: map[string]uint64{"too-long": 2}}, s.Stats()
	if got.Queued > 9018+200 { // it may be written by now
		t.Errorf("%d octets wait", got.Queued)
	}
	got.Queued = 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}

func TestConcurrentSenders(t *testing.T) {
	dir := t.TempDir()
	s := openSink(t, Config{Directory: dir, RotateSize: 1 << 20, Buffer: 2 * bufferSize})
	const senders, calls, perCall = 8, 50, 20
	all := frames(t, 1)[0]
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			batch := make([]mirror.Frame, perCall)
			for call := range calls {
				for i := range batch {
					batch[i] = mirror.Frame{Header: bytes.Clone(all.Header), Payload: all.Payload}
					binary.BigEndian.PutUint16(batch[i].Header[34:], uint16(sender))
					binary.BigEndian.PutUint32(batch[i].Header[38:], uint32(call*perCall+i))
				}
				if n, err := s.Send(batch); n != perCall || err != nil {
					t.Errorf("Send = %d, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	s.Close()
	next := make(map[uint16]uint32)
	var last time.Time
	packets := readAll(t, dir)
	for _, p := range packets {
		sender, seq := binary.BigEndian.Uint16(p.Octets[34:]), binary.BigEndian.Uint32(p.Octets[38:])
		if seq != next[sender] {
			t.Fatalf("sender %d: frame %d in the file, want %d", sender, seq, next[sender])
		}
		next[sender]++
		if p.Time.Before(last) {
			t.Fatalf("time goes back from %v to %v", last, p.Time)
		}
		last = p.Time
	}
	if len(packets) != senders*calls*perCall {
		t.Errorf("%d packets in files, want %d", len(packets), senders*calls*perCall)
	}
}

func TestFull(t *testing.T) {
	for _, tt := range []struct {
		name string
		full mirror.Overflow
	}{{"drop", mirror.Drop}, {"block", mirror.Block}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			s, release := openStalled(t, Config{Directory: dir, Full: tt.full, Buffer: 2 * bufferSize})
			const calls, perCall = 160, 100 // 24 MB, three times what the buffers hold
			batch := frames(t, perCall)
			delivered, lost := 0, 0
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range calls {
					n, err := s.Send(batch)
					if (n < perCall) != (err != nil) || err != nil && !errors.Is(err, mirror.ErrFull) {
						t.Errorf("Send = %d, %v", n, err)
					}
					delivered += n
					lost += perCall - n
				}
			}()
			if tt.full == mirror.Block {
				select {
				case <-done:
					t.Error("Send did not wait")
				case <-time.After(50 * time.Millisecond):
				}
				release()
			}
			<-done
			if tt.full == mirror.Drop {
				release()
			}
			s.Close()
			want := Stats{Frames: uint64(delivered), Octets: uint64(delivered) * 1514, Lost: map[string]uint64{}}
			if lost > 0 {
				want.Lost["queue-full"] = uint64(lost)
			}
			if diff := cmp.Diff(want, s.Stats()); diff != "" {
				t.Errorf("Stats (-want +got):\n%s", diff)
			}
			if (lost > 0) != (tt.full == mirror.Drop) || delivered+lost != calls*perCall {
				t.Errorf("delivered %d, lost %d of %d", delivered, lost, calls*perCall)
			}
			if n := len(readAll(t, dir)); n != delivered {
				t.Errorf("%d packets in files, want %d", n, delivered)
			}
		})
	}
}

func TestClose(t *testing.T) {
	dir := t.TempDir()
	s, release := openStalled(t, Config{Directory: dir, Buffer: 2 * bufferSize})
	batch := frames(t, 7000) // more than the buffers hold
	result := make(chan int)
	go func() {
		n, err := s.Send(batch)
		if !errors.Is(err, mirror.ErrClosed) {
			t.Errorf("waiting Send: %v, want %v", err, mirror.ErrClosed)
		}
		result <- n
	}()
	tempo.Until(t, "Send waits", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.current == nil && s.unmade == 0
	})
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	delivered := <-result
	release()
	<-closed
	s.Close()
	if n, err := s.Send(batch[:3]); n != 0 || !errors.Is(err, mirror.ErrClosed) {
		t.Errorf("Send after Close = %d, %v", n, err)
	}
	if n, err := s.Send(nil); n != 0 || err != nil {
		t.Errorf("Send of nothing after Close = %d, %v; want 0, nil", n, err)
	}
	if n := len(readAll(t, dir)); n != delivered {
		t.Errorf("%d packets in files, want %d", n, delivered)
	}
	if st := s.Stats(); st.Frames+st.Lost["closed"] != uint64(len(batch)+3) {
		t.Errorf("Stats = %+v, want a sum of %d", st, len(batch)+3)
	}
}

// TestSendAllocatesNothing counts the writer's allocations too; they are few,
// a file or a write at a time.
func TestSendAllocatesNothing(t *testing.T) {
	for _, full := range []mirror.Overflow{mirror.Block, mirror.Drop} {
		s := openSink(t, Config{Full: full, Buffer: 2 * bufferSize, RotateSize: directFile, Keep: 1})
		batch := frames(t, 64)
		batch[0].Note = "a comment"
		for range 100 { // make all buffers
			s.Send(batch)
		}
		if allocs := testing.AllocsPerRun(500, func() { s.Send(batch) }); allocs > 1 {
			t.Errorf("policy %s: %v allocations per Send of %d frames", full, allocs, len(batch))
		}
	}
}
