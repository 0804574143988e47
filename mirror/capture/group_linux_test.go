package capture

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/afpacket"
)

// TestGroup: several rings share the frames of a port, each frame comes once, those of a
// session in order by one ring, and what a filter keeps away is counted.
func TestGroup(t *testing.T) {
	near, far := pair(t)
	// all but those to port 9999
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 36},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: 9999},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 18},
		{Code: unix.BPF_RET | unix.BPF_K},
	}
	var group []*Source
	err := far.Do(func() (err error) {
		group, err = OpenGroup("far0", 3, Options{Ring: 8 << 20, Filter: filter})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var sink *afpacket.Sink
	if err := near.Do(func() (err error) {
		sink, err = afpacket.Open(afpacket.Config{Interface: "near0"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const sessions, frames, away = 40, 50, 700
	var mu sync.Mutex
	next, by, got := map[uint16]uint32{}, map[uint16]int{}, 0
	var running sync.WaitGroup
	for i, s := range group {
		defer s.Close()
		running.Go(func() {
			if err := s.Run(ctx, func(p []byte, _ int, _ time.Time) {
				mu.Lock()
				defer mu.Unlock()
				port, n := binary.BigEndian.Uint16(p[34:]), binary.BigEndian.Uint32(p[38:])
				if last, ok := by[port]; ok && last != i || n != next[port] {
					t.Errorf("frame %d of session %d by ring %d, want frame %d by ring %d", n, port, i, next[port], last)
				}
				by[port] = i
				next[port]++
				if got++; got == sessions*frames {
					cancel()
				}
			}); err != nil {
				t.Error(err)
			}
		})
	}
	frame := func(port, to uint16, n uint32) mirror.Frame {
		p := make([]byte, 54)
		p[12], p[14], p[17], p[22], p[23], p[46] = 8, 0x45, 40, 64, 6, 0x50
		binary.BigEndian.PutUint32(p[26:], 0x0a000001)
		binary.BigEndian.PutUint32(p[30:], 0x0a000002)
		binary.BigEndian.PutUint16(p[34:], port)
		binary.BigEndian.PutUint16(p[36:], to)
		binary.BigEndian.PutUint32(p[38:], n)
		return mirror.Frame{Header: p}
	}
	for i := range away {
		if _, err := sink.Send([]mirror.Frame{frame(uint16(i), 9999, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint32(frames) {
		for port := range uint16(sessions) {
			if _, err := sink.Send([]mirror.Frame{frame(1000+port, 80, n)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	running.Wait()
	rings := map[int]bool{}
	for _, i := range by {
		rings[i] = true
	}
	if got != sessions*frames || len(rings) < 2 {
		t.Errorf("%d frames by %d rings", got, len(rings))
	}
	for i, s := range group {
		dropped, err := s.Dropped()
		if dropped != 0 || err != nil {
			t.Errorf("ring %d: %d dropped, %v", i, dropped, err)
		}
		filtered, err := s.Filtered()
		if want := map[bool]uint64{true: away}[i == 0]; filtered != want || err != nil {
			t.Errorf("ring %d: %d filtered, want %d, %v", i, filtered, want, err)
		}
	}
}
