package inline

import (
	"bytes"
	"io"
	"sync/atomic"
	"testing"
	"time"
)

// TestUnpaired: a connection that the device opens of its own accord gets no
// answer, and neither does what belongs to no session.
func TestUnpaired(t *testing.T) {
	b := newLab(t)
	m := b.middlebox()
	b.open(nil)
	frames := make(chan []byte, 64) // of port 0, for which nobody asked
	var syn, data []byte
	var last atomic.Int64 // when a frame of the session passed
	m.set(func(from int, frame []byte) (on, back [][]byte) {
		last.Store(time.Now().UnixNano())
		if s, ok := dissect(frame); ok && from == 0 {
			switch {
			case s.syn():
				syn = bytes.Clone(frame)
			case len(s.payload) > 0:
				data = bytes.Clone(frame)
			}
		}
		return [][]byte{frame}, nil
	})
	s := b.carry(b.Device, client4, origin4)
	b.exchange(s, request, answer)
	b.end(s, b.Device, Carried)
	b.await("the session's last frames have passed", func() bool { return time.Since(time.Unix(0, last.Load())) > 200*time.Millisecond })

	// Again, from a port of which nobody knows: nothing comes back.
	m.set(func(_ int, frame []byte) (on, back [][]byte) {
		frames <- bytes.Clone(frame)
		return nil, nil
	})
	for _, f := range [][]byte{syn, data} {
		s, ok := dissect(f)
		if !ok {
			t.Fatalf("no segment was seen: %x", f)
		}
		s.tcp[0], s.tcp[1] = 0xee, 0xee
		s.sum()
	}
	ping := bytes.Clone(data)
	ping[14+9] = 1                                              // ICMP: whatever it says, it is no error
	unknown, before := b.counter("foreign"), b.counter("stray") // a late frame of the session is one
	for range 3 {
		m.put(1, syn)
	}
	m.put(0, syn)
	for range 2 {
		m.put(1, data)
	}
	m.put(1, ping)
	b.await("frames are counted", func() bool {
		return b.counter("unpaired") >= 4 && b.counter("stray") >= before+2 && b.counter("foreign") > unknown
	})
	if n := b.counter("unpaired"); n != 4 {
		t.Errorf("%d unpaired frames, want 4", n)
	}
	if n := b.counter("stray") - before; n != 2 {
		t.Errorf("%d stray frames, want 2", n)
	}
	if n := b.counter("late"); n != 0 {
		t.Errorf("%d connections nobody waited for", n)
	}
	select {
	case f := <-frames:
		t.Errorf("the box answered: %x", f)
	default:
	}

	// An announced connection passes as before.
	m.set(nil)
	s = b.carry(b.Device, client4, origin4)
	b.exchange(s, request, answer)
	b.end(s, b.Device, Carried)
}

// TestSamePort: two sessions that the device cannot tell apart by addresses and
// ports, because their origin ports are mapped to the same one.
func TestSamePort(t *testing.T) {
	b := newLab(t)
	b.bridge()
	b.open(nil)
	first := b.carry(b.Device, client4, origin4)
	io.WriteString(first.client, "first")
	io.ReadFull(first.origin, make([]byte, 5)) // it is through
	second := b.carry(b.Device, client4, origin8443)
	b.exchange(second, request, answer)
	b.end(second, b.Device, PortChanged)
	b.exchange(first, request, answer)
	b.end(first, b.Device, Carried)
	if n := b.counter(PortChanged); n != 1 {
		t.Errorf("%d ports changed, want 1", n)
	}
}

// TestPortAgain: a client may use its port again at once.
func TestPortAgain(t *testing.T) {
	b := newLab(t)
	b.bridge()
	b.open(nil)
	for i := range 20 {
		s := b.carry(b.Device, client6, origin6)
		if i%2 == 0 {
			b.exchange(s, request, answer)
		} else { // the origin ends first
			s.origin.CloseWrite()
			io.Copy(io.Discard, s.client)
			s.client.CloseWrite()
			io.Copy(io.Discard, s.origin)
		}
		b.end(s, b.Device, Carried)
	}
}
