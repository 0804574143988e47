package http2

import (
	"testing"

	"github.com/clearspan/clearspan/mirror"
)

// taking is a sink that takes everything and keeps nothing.
type taking struct{}

func (taking) Send(frames []mirror.Frame) (int, error) { return len(frames), nil }
func (taking) MTU() int                                { return 1500 }
func (taking) Idle() bool                              { return false }

// download returns a session in which an answer without a length has begun, and
// a DATA frame of it with that much content.
func download(sink mirror.Sink, size int) (*Session, []byte) {
	w := newWire().get(1, "/").headers(down, 1, false, ":status", "200")
	begun := len(w.steps)
	w.data(down, 1, false, string(make([]byte, size)))
	s := Open(sink, flow, Options{})
	for _, st := range w.steps[:begun] {
		s.Data(st.dir, st.octets)
	}
	return s, w.steps[begun].octets
}

func TestDataAllocatesNothing(t *testing.T) {
	for _, tt := range []struct {
		name string
		sink mirror.Sink
		cut  int // the frame comes in two chunks, the first of that many octets
	}{
		{"whole frames", taking{}, 0},
		{"frames cut in their header", taking{}, 5},
		{"frames cut in their content", taking{}, 1000},
		{"nobody reads", idleSink{}, 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, frame := download(tt.sink, 16<<10)
			render := func() {
				s.Data(down, frame[:tt.cut])
				s.Data(down, frame[tt.cut:])
			}
			render()
			if n := testing.AllocsPerRun(200, render); n >= 1 && !raceEnabled {
				t.Errorf("%v allocations a frame, want 0", n)
			}
			if s.raw != nil {
				t.Error("passed on as HTTP/2")
			}
		})
	}
}

// BenchmarkData renders DATA frames of 16 KiB. Compare with BenchmarkData of
// package mirror, which shows the same octets as they are.
func BenchmarkData(b *testing.B) {
	s, frame := download(taking{}, 16<<10)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		s.Data(down, frame)
	}
}

// BenchmarkExchange renders a request and an answer of 1 KiB.
func BenchmarkExchange(b *testing.B) {
	w := newWire()
	exchange := func(id uint32) {
		w.get(id, "/index.html", "user-agent", "browser", "accept", "*/*")
		w.headers(down, id, false, ":status", "200", "content-type", "text/html")
		w.data(down, id, true, string(make([]byte, 1024)))
	}
	exchange(1) // fills the tables
	s := Open(taking{}, flow, Options{})
	for _, st := range w.steps {
		s.Data(st.dir, st.octets)
	}
	w.steps = nil
	exchange(3)
	id := uint32(3)
	b.ReportAllocs()
	for b.Loop() {
		for _, st := range w.steps {
			o := st.octets
			o[5], o[6], o[7], o[8] = byte(id>>24), byte(id>>16), byte(id>>8), byte(id)
			s.Data(st.dir, o)
		}
		id += 2
	}
	if s.raw != nil {
		b.Fatal("passed on as HTTP/2: ", s.account.rawReason)
	}
}
