package afpacket

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"

	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/linktest"
)

func TestMain(m *testing.M) {
	tempo.Parallel(4)
	goleak.VerifyTestMain(m)
}

// openSink opens a sink on the near end and closes it with the test.
func openSink(t testing.TB, cfg Config) *Sink {
	t.Helper()
	cfg.Interface = linktest.Near
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestOpenRejectsConfig(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
	}{
		{"no interface", Config{}},
		{"long name", Config{Interface: "sixteen-octets-x"}},
		{"unknown policy", Config{Interface: "lo", Full: "wait"}},
		{"negative buffer", Config{Interface: "lo", SendBuffer: -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := Open(tt.cfg); err == nil {
				s.Close()
				t.Error("Open succeeded")
			}
		})
	}
}

// eachMethod runs a test on a sink of either method.
func eachMethod(t *testing.T, f func(t *testing.T, gso bool)) {
	t.Run("sendmmsg", func(t *testing.T) { f(t, false) })
	t.Run("gso", func(t *testing.T) { f(t, true) })
}

// beside is eachMethod for tests that wait: both methods at a time.
func beside(t *testing.T, f func(t *testing.T, gso bool)) {
	t.Parallel()
	eachMethod(t, func(t *testing.T, gso bool) { t.Parallel(); f(t, gso) })
}

func TestFramesArriveIdentical(t *testing.T) { eachMethod(t, framesArriveIdentical) }

func framesArriveIdentical(t *testing.T, gso bool) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	rec := linktest.NewRecorder(t)
	s := openSink(t, Config{GSO: gso})
	if s.MTU() != 1500 || s.Idle() {
		t.Errorf("MTU, Idle = %d, %t; want 1500, false", s.MTU(), s.Idle())
	}
	want := Stats{Lost: map[string]uint64{}, Up: true, Link: "up"}
	for _, tt := range []struct {
		name    string
		n       int
		payload int
	}{
		{"none", 0, 0},
		{"one", 1, 100},
		{"no payload", 3, 0},
		{"full size", 10, 1460},
		{"exactly one batch", batchSize, 700},
		{"one more than a batch", batchSize + 1, 1},
		{"several batches", 3*batchSize + 7, 1460},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent := linktest.Frames(t, 7, tt.n, tt.payload)
			n, err := s.Send(sent)
			if n != tt.n || err != nil {
				t.Fatalf("Send = %d, %v; want %d, nil", n, err, tt.n)
			}
			for i, got := range rec.Frames(t, tt.n, 20*time.Millisecond) {
				if want := append(bytes.Clone(sent[i].Header), sent[i].Payload...); !bytes.Equal(want, got) {
					t.Fatalf("frame %d (-sent +arrived):\n%s", i, cmp.Diff(want, got))
				}
				want.Octets += uint64(len(got))
			}
			want.Frames += uint64(tt.n)
		})
	}
	if diff := cmp.Diff(want, ours(s)); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}

// ours returns the statistics without what the device says, to which the kernel's
// own frames add.
func ours(s *Sink) Stats {
	st := s.Stats()
	st.DevicePackets, st.DeviceDropped, st.Queued = 0, 0, 0
	return st
}

func TestTooLongLosesTheRest(t *testing.T) { beside(t, tooLongLosesTheRest) }

func tooLongLosesTheRest(t *testing.T, gso bool) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	rec := linktest.NewRecorder(t)
	s := openSink(t, Config{Full: mirror.Block, GSO: gso})
	batch := linktest.Frames(t, 7, 70, 1460)
	for _, tt := range []struct {
		name    string
		at      int
		payload int
	}{
		{"by the length check", 66, 1465},
		{"by the kernel, without a VLAN tag", 5, 1461},
		{"first frame", 0, 1500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			batch := append([]mirror.Frame(nil), batch...)
			batch[tt.at] = linktest.Frame(t, 7, 0, tt.payload)
			n, err := s.Send(batch)
			if n != tt.at || !errors.Is(err, mirror.ErrTooLong) {
				t.Fatalf("Send = %d, %v; want %d, %v", n, err, tt.at, mirror.ErrTooLong)
			}
			rec.Frames(t, tt.at, 20*time.Millisecond)
		})
	}
	t.Run("with a VLAN tag", func(t *testing.T) {
		f := batch[0]
		tag := []byte{0x81, 0, 0, 5}
		f.Header = append(append(bytes.Clone(f.Header[:12]), tag...), f.Header[12:]...)
		if n, err := s.Send([]mirror.Frame{f}); n != 1 || err != nil {
			t.Fatalf("Send = %d, %v; want 1, nil", n, err)
		}
		rec.Frames(t, 1, 20*time.Millisecond)
	})
	t.Run("too short for Ethernet", func(t *testing.T) {
		n, err := s.Send([]mirror.Frame{{Header: make([]byte, 10)}})
		if n != 0 || err == nil || mirror.LossReason(err) != "other" {
			t.Fatalf("Send = %d, %v; want an error with reason other", n, err)
		}
	})
	want := map[string]uint64{"too-long": 4 + 65 + 70, "other": 1}
	if diff := cmp.Diff(want, s.Stats().Lost); diff != "" {
		t.Errorf("Lost (-want +got):\n%s", diff)
	}
}

func TestConcurrentSenders(t *testing.T) { eachMethod(t, concurrentSenders) }

func concurrentSenders(t *testing.T, gso bool) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	rec := linktest.NewRecorder(t)
	s := openSink(t, Config{Full: mirror.Block, GSO: gso})
	const senders, calls, perCall = 8, 10, 20
	var wg sync.WaitGroup
	for sender := range uint16(senders) {
		all := linktest.Frames(t, sender, calls*perCall, 100)
		wg.Go(func() {
			for call := range calls {
				if n, err := s.Send(all[call*perCall:][:perCall]); n != perCall || err != nil {
					t.Errorf("Send = %d, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	next := make(map[uint16]uint32)
	for _, octets := range rec.Frames(t, senders*calls*perCall, 20*time.Millisecond) {
		sender, seq := linktest.PortAndSeq(octets)
		if seq != next[sender] {
			t.Fatalf("sender %d: frame %d arrived, want %d", sender, seq, next[sender])
		}
		next[sender]++
	}
}

func TestFull(t *testing.T) { beside(t, full) }

func full(t *testing.T, gso bool) {
	for _, tt := range []struct {
		name   string
		cfg    Config
		limit  uint32 // of the interface's queue, octets
		frames int
		lossy  bool
	}{
		{"drop, interface queue full", Config{Full: mirror.Drop}, 20_000, 200, true},
		{"drop, send buffer full", Config{Full: mirror.Drop, SendBuffer: 64 << 10}, 10 << 20, 200, true},
		{"block, interface queue full", Config{Full: mirror.Block}, 20_000, 100, false},
		{"block, send buffer full", Config{Full: mirror.Block, SendBuffer: 64 << 10}, 10 << 20, 100, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			linktest.Enter(t)
			linktest.AddVeth(t)
			linktest.LimitRate(t, 500_000, tt.limit) // 100 frames take 0.2 s
			rec := linktest.NewRecorder(t)
			tt.cfg.GSO = gso
			s := openSink(t, tt.cfg)
			var delivered, lost int
			for i := range 10 {
				batch := linktest.Frames(t, uint16(i), tt.frames/10, 946)
				n, err := s.Send(batch)
				if (n < len(batch)) != (err != nil) || err != nil && !errors.Is(err, mirror.ErrFull) {
					t.Fatalf("Send = %d of %d, %v", n, len(batch), err)
				}
				delivered += n
				lost += len(batch) - n
			}
			if (lost > 0) != tt.lossy || delivered == 0 {
				t.Errorf("delivered %d, lost %d; want loss: %t", delivered, lost, tt.lossy)
			}
			rec.Frames(t, delivered, 50*time.Millisecond)
			want := Stats{Frames: uint64(delivered), Octets: uint64(delivered) * 1000, Lost: map[string]uint64{}, Up: true, Link: "up"}
			if lost > 0 {
				want.Lost["queue-full"] = uint64(lost)
			}
			if diff := cmp.Diff(want, ours(s)); diff != "" {
				t.Errorf("Stats (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBlockedSendEnds(t *testing.T) { beside(t, blockedSendEnds) }

func blockedSendEnds(t *testing.T, gso bool) {
	for _, tt := range []struct {
		name string
		end  func(*testing.T, *Sink)
		want error
	}{
		{"at Close", func(_ *testing.T, s *Sink) { s.Close() }, mirror.ErrClosed},
		{"when the link goes down", func(t *testing.T, _ *Sink) {
			if err := netlink.LinkSetDown(linktest.Named(t, linktest.Near)); err != nil {
				t.Error(err)
			}
		}, mirror.ErrNoLink},
		{"when patience ends", func(*testing.T, *Sink) {}, mirror.ErrFull},
	} {
		t.Run(tt.name, func(t *testing.T) {
			linktest.Enter(t)
			linktest.AddVeth(t)
			linktest.LimitRate(t, 2000, 10_000) // nothing more for seconds
			s := openSink(t, Config{Full: mirror.Block, GSO: gso})
			if tt.want != mirror.ErrClosed && tt.want != nil {
				s.patience = 100 * time.Millisecond
			}
			batch := linktest.Frames(t, 1, 100, 946)
			result := make(chan error)
			go func() {
				// An interface that goes down swallows frames for some milliseconds.
				var err error
				for err == nil {
					_, err = s.Send(batch)
				}
				result <- err
			}()
			select {
			case err := <-result:
				t.Fatalf("Send did not wait: %v", err)
			case <-time.After(50 * time.Millisecond):
			}
			tt.end(t, s)
			select {
			case err := <-result:
				if !errors.Is(err, tt.want) {
					t.Errorf("Send: %v, want %v", err, tt.want)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("Send still waits")
			}
		})
	}
}

func TestCloseUnderLoad(t *testing.T) { eachMethod(t, closeUnderLoad) }

func closeUnderLoad(t *testing.T, gso bool) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	rec := linktest.NewRecorder(t)
	s := openSink(t, Config{Full: mirror.Block, GSO: gso})
	const senders = 4
	delivered := make(chan int, senders)
	for sender := range uint16(senders) {
		batch := linktest.Frames(t, sender, 10, 100)
		go func() {
			total := 0
			for {
				n, err := s.Send(batch)
				total += n
				if err != nil {
					if !errors.Is(err, mirror.ErrClosed) {
						t.Errorf("Send: %v", err)
					}
					delivered <- total
					return
				}
				time.Sleep(100 * time.Microsecond)
			}
		}()
	}
	tempo.Until(t, "frames are on their way", func() bool { return s.Stats().Frames > 100 })
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	total := 0
	for range senders {
		total += <-delivered
	}
	rec.Frames(t, total, 20*time.Millisecond)
	if st := s.Stats(); st.Frames != uint64(total) || st.Up {
		t.Errorf("Stats = %+v, want %d frames, not up", st, total)
	}
	if n, err := s.Send(nil); n != 0 || err != nil {
		t.Errorf("Send of nothing = %d, %v; want 0, nil", n, err)
	}
}

func TestSendAllocatesNothing(t *testing.T) { eachMethod(t, sendAllocatesNothing) }

func sendAllocatesNothing(t *testing.T, gso bool) {
	linktest.Enter(t)
	linktest.AddVeth(t)
	s := openSink(t, Config{Full: mirror.Block, GSO: gso})
	batch := linktest.Frames(t, 1, 8, 1460)
	// Enough runs to make the watcher's allocations, five times a second, vanish.
	const runs = 2000
	if allocs := testing.AllocsPerRun(runs, func() {
		if _, err := s.Send(batch); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations per Send", allocs)
	}
	s.Close()
	if allocs := testing.AllocsPerRun(runs, func() { s.Send(batch) }); allocs != 0 {
		t.Errorf("%v allocations per refused Send", allocs)
	}
}
