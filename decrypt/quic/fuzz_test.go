package quic

import (
	"bytes"
	"testing"

	"github.com/clearspan/clearspan/hack/quicclient"
)

// FuzzDatagram: no octets panic, and whatever is read is within bounds.
func FuzzDatagram(f *testing.F) {
	h := hello(f, "www.a.test")
	for _, d := range quicclient.Datagrams(id, h, 2) {
		f.Add(d, d)
	}
	f.Add(vector(f, Version1), vector(f, Version2))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		b := newBench(t)
		b.lenient = len(first)%2 == 0
		b.send(first, second, first)
		b.now = b.now.Add(patience)
		b.Expire()
		if len(b.flows) > 1 || b.waiting.Len() != 0 || b.octets < 0 || b.octets > maxOctets {
			t.Errorf("%d flows, %d wait, %d octets", len(b.flows), b.waiting.Len(), b.octets)
		}
		if isLong(first) && len(b.results) == 0 {
			t.Error("a flow was not judged")
		}
	})
}

// FuzzFrames gives frames to a connection as if a packet had been authentic, which the
// fuzzer cannot make: whatever it says, packets of it are read as one stream.
func FuzzFrames(f *testing.F) {
	h := hello(f, "www.a.test")
	f.Add(quicclient.Crypto(0, h), []byte{frameACK, 0, 0, 0, 0})
	f.Add(quicclient.Crypto(100, h[100:]), quicclient.Crypto(0, h[:200]))
	f.Add([]byte{framePing, frameClose, 1, 6, 0}, []byte{frameACKECN, 5, 1, 1, 2, 0, 1, 7, 8, 9})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		b := newBench(t)
		for _, frames := range [][]byte{first, second} {
			frames = append(frames[:min(len(frames), 10000)], 0, 0, 0)
			b.send((&quicclient.Packet{Destination: id, Frames: frames}).Seal())
		}
		for _, flow := range b.flows {
			for _, c := range flow.connections {
				if cap(c.stream.data) > 2*maxStream || len(c.stream.spans) > maxSpans+1 {
					t.Errorf("%d octets in %d spans", cap(c.stream.data), len(c.stream.spans))
				}
			}
		}
	})
}

// FuzzStream compares the stream with a plain one: octets and a mark for each.
func FuzzStream(f *testing.F) {
	f.Add([]byte{0, 5, 10, 5, 5, 5, 3, 9})
	f.Add([]byte{9, 1, 7, 1, 8, 1, 0, 7})
	f.Fuzz(func(t *testing.T, script []byte) {
		text := make([]byte, 1024)
		for i := range text {
			text[i] = byte(i * 7)
		}
		var s stream
		var known [1024]bool
		for ; len(script) >= 2; script = script[2:] {
			from := 3 * int(script[0])
			to := from + int(script[1])
			if state := s.add(uint64(from), text[from:to]); state != Whole {
				t.Fatalf("%d to %d: %v", from, to, state)
			}
			for i := from; i < to; i++ {
				known[i] = true
			}
		}
		n := 0
		for n < len(known) && known[n] {
			n++
		}
		if !bytes.Equal(s.prefix(), text[:n]) {
			t.Errorf("prefix of %d octets, want %d", len(s.prefix()), n)
		}
		parts := 0
		for i := range known {
			if known[i] && (i == 0 || !known[i-1]) {
				parts++
			}
		}
		if len(s.spans) != parts {
			t.Errorf("%d spans, want %d", len(s.spans), parts)
		}
		if n > 0 && s.add(0, []byte{text[0] + 1}) != Malformed {
			t.Error("a contradiction was taken")
		}
	})
}
