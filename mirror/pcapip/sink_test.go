package pcapip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/tempo"
	"github.com/clearspan/clearspan/mirror"
)

func TestListenRejectsConfig(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		name string
		cfg  Config
	}{
		{"no address", Config{Addr: "nowhere"}},
		{"address taken", Config{Addr: taken.Addr().String()}},
		{"unknown policy", Config{Addr: "127.0.0.1:0", Slow: "wait"}},
		{"small buffer", Config{Addr: "127.0.0.1:0", Buffer: 2*chunkSize - 1}},
		{"negative readers", Config{Addr: "127.0.0.1:0", MaxReaders: -1}},
		{"negative timeout", Config{Addr: "127.0.0.1:0", Timeout: -1}},
		{"small MTU", Config{Addr: "127.0.0.1:0", MTU: 67}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if s, err := Listen(tt.cfg); err == nil {
				s.Close()
				t.Error("Listen succeeded")
			}
		})
	}
}

// TestFileHead: the octets that readers of pcap over IP expect.
func TestFileHead(t *testing.T) {
	want := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0}
	if diff := cmp.Diff(want, fileHead()); diff != "" {
		t.Errorf("head (-want +got):\n%s", diff)
	}
}

func TestNoReader(t *testing.T) {
	s := listen(t, Config{})
	if !s.Idle() || s.MTU() != 1500 {
		t.Errorf("Idle, MTU = %t, %d; want true, 1500", s.Idle(), s.MTU())
	}
	if n, err := s.Send(frames(t, 3)); n != 0 || !errors.Is(err, mirror.ErrNoReader) {
		t.Errorf("Send = %d, %v; want 0, %v", n, err, mirror.ErrNoReader)
	}
	if n, err := s.Send(nil); n != 0 || err != nil {
		t.Errorf("Send of nothing = %d, %v; want 0, nil", n, err)
	}
	want := Stats{Lost: map[string]uint64{"no-reader": 3}}
	if diff := cmp.Diff(want, s.Stats()); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}

// TestTwoReaders: each gets every frame sent since it joined.
func TestTwoReaders(t *testing.T) {
	s := listen(t, Config{})
	all := []mirror.Frame{frame(t, 0, 0), frame(t, 1, 1), frame(t, 2, 1460), frame(t, 3, 1459), frame(t, 4, 7)}
	before := time.Now().Truncate(time.Microsecond)
	send := func(fs []mirror.Frame) {
		t.Helper()
		if n, err := s.Send(fs); n != len(fs) || err != nil {
			t.Fatalf("Send = %d, %v; want %d, nil", n, err, len(fs))
		}
	}
	first := inBackground(dial(t, s))
	if s.Idle() {
		t.Error("idle with a reader")
	}
	send(all[:2])
	second := inBackground(dial(t, s))
	send(all[2:])
	s.Close()
	for _, tt := range []struct {
		name string
		got  received
		want []mirror.Frame
	}{
		{"first", <-first, all},
		{"second", <-second, all[2:]},
	} {
		if diff := cmp.Diff(octets(tt.want), tt.got.frames); diff != "" || tt.got.err != nil {
			t.Errorf("%s reader: %v, frames (-sent +received):\n%s", tt.name, tt.got.err, diff)
		}
		for _, at := range tt.got.times {
			if at.Before(before) || at.After(time.Now()) {
				t.Errorf("%s reader: time %v is not between %v and now", tt.name, at, before)
			}
		}
	}
	want := Stats{Frames: 5, Octets: 54*5 + 1 + 1460 + 1459 + 7, Lost: map[string]uint64{}}
	if diff := cmp.Diff(want, s.Stats()); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}

func TestTooLongLosesTheRest(t *testing.T) {
	s := listen(t, Config{MTU: 65535})
	got := inBackground(dial(t, s))
	batch := []mirror.Frame{{Header: make([]byte, 54), Payload: make([]byte, 65535+18-54)}, {Header: make([]byte, 65535+19)}, frame(t, 1, 1)}
	if n, err := s.Send(batch); n != 1 || !errors.Is(err, mirror.ErrTooLong) {
		t.Errorf("Send = %d, %v; want 1, %v", n, err, mirror.ErrTooLong)
	}
	s.Close()
	if got := <-got; len(got.frames) != 1 || got.err != nil {
		t.Errorf("%d frames arrived, %v; want 1", len(got.frames), got.err)
	}
	if diff := cmp.Diff(map[string]uint64{"too-long": 2}, s.Stats().Lost); diff != "" {
		t.Errorf("Lost (-want +got):\n%s", diff)
	}
}

func TestConcurrentSenders(t *testing.T) {
	s := listen(t, Config{})
	first, second := inBackground(dial(t, s)), inBackground(dial(t, s))
	const senders, calls, perCall = 8, 20, 10
	var wg sync.WaitGroup
	for sender := range senders {
		batches := make([][]mirror.Frame, calls)
		for call := range batches {
			for i := range perCall {
				batches[call] = append(batches[call], frame(t, uint32(sender<<16|call*perCall+i), 500))
			}
		}
		wg.Go(func() {
			for _, batch := range batches {
				if n, err := s.Send(batch); n != perCall || err != nil {
					t.Errorf("Send = %d, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	s.Close()
	for _, c := range []<-chan received{first, second} {
		got := <-c
		if len(got.frames) != senders*calls*perCall || got.err != nil {
			t.Fatalf("%d frames arrived, %v; want %d", len(got.frames), got.err, senders*calls*perCall)
		}
		next := make(map[uint32]uint32)
		for i, octets := range got.frames {
			seq := binary.BigEndian.Uint32(octets[38:])
			sender := seq >> 16
			if seq&0xffff != next[sender] {
				t.Fatalf("sender %d: frame %d arrived, want %d", sender, seq&0xffff, next[sender])
			}
			next[sender]++
			if i%perCall != 0 && sender != binary.BigEndian.Uint32(got.frames[i-1][38:])>>16 {
				t.Fatalf("frame %d of sender %d stands among those of another call", seq&0xffff, sender)
			}
		}
	}
}

func TestCloseFlushes(t *testing.T) {
	s := listen(t, Config{})
	conn := dial(t, s)
	stuck := dial(t, s) // never reads
	batch := frames(t, 5000)
	if n, err := s.Send(batch); n != len(batch) || err != nil {
		t.Fatalf("Send = %d, %v", n, err)
	}
	got := inBackground(conn)
	begin := time.Now()
	s.Close()
	if took := time.Since(begin); took > 3*closeTimeout {
		t.Errorf("Close took %v", took)
	}
	s.Close()
	if got := <-got; len(got.frames) != len(batch) || got.err != nil {
		t.Errorf("%d frames arrived, %v; want %d", len(got.frames), got.err, len(batch))
	}
	stuck.Close()
	if n, err := s.Send(batch[:2]); n != 0 || !errors.Is(err, mirror.ErrClosed) {
		t.Errorf("Send after Close = %d, %v; want 0, %v", n, err, mirror.ErrClosed)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("still listening after Close")
	}
}

func TestTcpdumpReads(t *testing.T) {
	for _, program := range []string{"sh", "nc", "tcpdump"} {
		if _, err := exec.LookPath(program); err != nil {
			needs.Missing(t, err)
		}
	}
	s := listen(t, Config{})
	host, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `nc "$0" "$1" | tcpdump -nvr -`, host, port)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tempo.Until(t, "nc connected", func() bool { return !s.Idle() })
	if n, err := s.Send([]mirror.Frame{frame(t, 1, 0), frame(t, 1, 1460), frame(t, 1461, 3)}); n != 3 || err != nil {
		t.Errorf("Send = %d, %v", n, err)
	}
	s.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("tcpdump: %v\n%s", err, &log)
	}
	for _, want := range []string{"EN10MB (Ethernet)", "192.0.2.1.40000 > 192.0.2.2.80", "seq 0:1460", "seq 1460:1463", "(correct)"} {
		if !strings.Contains(out.String()+log.String(), want) {
			t.Errorf("tcpdump does not say %q:\n%s%s", want, &log, &out)
		}
	}
	if strings.Contains(out.String(), "incorrect") {
		t.Errorf("tcpdump finds bad checksums:\n%s", &out)
	}
}

func TestSendAllocatesNothing(t *testing.T) {
	s := listen(t, Config{Buffer: 4 * chunkSize})
	dial(t, s) // reads nothing: all chunks are made, then frames are missed
	batch := frames(t, 64)
	for range 20 {
		s.Send(batch)
	}
	if allocs := testing.AllocsPerRun(100, func() { s.Send(batch) }); allocs != 0 {
		t.Errorf("%v allocations per Send to a slow reader", allocs)
	}
}

// BenchmarkSend is the cost of a full-size frame, 64 a call, with one reader
// that discards it.
func BenchmarkSend(b *testing.B) {
	s := listen(b, Config{})
	conn := dial(b, s)
	go func() {
		buf := make([]byte, 1<<20)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	batch := frames(b, 64)
	b.SetBytes(1460)
	b.ReportAllocs()
	b.ResetTimer()
	for sent := 0; sent < b.N; {
		n, err := s.Send(batch[:min(len(batch), b.N-sent)])
		if errors.Is(err, mirror.ErrFull) {
			time.Sleep(100 * time.Microsecond)
		} else if err != nil {
			b.Fatal(err)
		}
		sent += n
	}
}

// TestTimesDoNotRunBackwards has many senders feed one reader.
func TestTimesDoNotRunBackwards(t *testing.T) {
	s := listen(t, Config{})
	got := inBackground(dial(t, s))
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for range 200 {
				if n, err := s.Send([]mirror.Frame{frame(t, 1, 100)}); n != 1 || err != nil {
					t.Errorf("Send: %d, %v", n, err)
				}
			}
		})
	}
	senders.Wait()
	s.Close()
	r := <-got
	if r.err != nil || len(r.times) != 1600 {
		t.Fatalf("%d frames, %v", len(r.times), r.err)
	}
	for i := 1; i < len(r.times); i++ {
		if r.times[i].Before(r.times[i-1]) {
			t.Fatalf("frame %d at %v, the one before it at %v", i, r.times[i], r.times[i-1])
		}
	}
}

// A reader that is not permitted gets nothing, and others do.
func TestPermit(t *testing.T) {
	var mu sync.Mutex
	refusing := true
	s := listen(t, Config{Permit: func(conn net.Conn) error {
		mu.Lock()
		defer mu.Unlock()
		if refusing {
			return errors.New("stranger")
		}
		return nil
	}})
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		return conn
	}
	if n, err := dial().Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a reader that is refused read %d octets, error %v", n, err)
	}
	mu.Lock()
	refusing = false
	mu.Unlock()
	head := make([]byte, len(fileHead()))
	if _, err := dial().Read(head); err != nil || !bytes.Equal(head, fileHead()) {
		t.Errorf("a reader that is permitted read %x, error %v", head, err)
	}
}
