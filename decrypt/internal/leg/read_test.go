package leg

import (
	"bytes"
	"testing"
	"time"
)

func TestTail(t *testing.T) {
	octets := []byte{9, 9, 9, 9, 9, 9, 9, 9, 21, 3, 3, 0, 2, 2, 42}
	for cut := range 8 {
		var tail Tail
		tail.add(octets[:8+cut])
		tail.add(octets[8+cut:])
		if tail != Tail(octets[8:]) {
			t.Errorf("cut at %d: % x", cut, tail)
		}
	}
}

// TestHalfHelloHoldsNoBuffer: what a session keeps of half a hello is no more
// than that, however it came, and the whole hello is found in the end.
func TestHalfHelloHoldsNoBuffer(t *testing.T) {
	for _, pieces := range []int{2, 3, 20} {
		l, far := socketPair(t)
		whole := bytes.Repeat([]byte("hello "), 300)
		part := (len(whole) + pieces - 1) / pieces
		for i := 0; i < len(whole); i += part {
			go func() {
				time.Sleep(30 * time.Millisecond) // the leg waits by then
				far.Write(whole[i:min(len(whole), i+part)])
			}()
			if err := l.Fill(true); err != nil {
				t.Fatal(err)
			}
			l.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			if err := l.Fill(true); !IsTimeout(err) {
				t.Fatal(err)
			}
			l.SetReadDeadline(time.Time{})
			if n := len(l.Unread()); cap(l.in) != n || n == 0 {
				t.Errorf("%d pieces: a buffer of %d octets for %d", pieces, cap(l.in), n)
			}
		}
		if string(l.Unread()) != string(whole) {
			t.Errorf("%d pieces: it reads %d octets of %d", pieces, len(l.Unread()), len(whole))
		}
		l.Recycle()
	}
}
