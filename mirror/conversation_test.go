package mirror

import (
	"net/netip"
	"testing"
	"time"
	"unsafe"
)

// discard is a sink that takes everything and keeps nothing.
type discard struct{ idle bool }

func (discard) Send(frames []Frame) (int, error) { return len(frames), nil }
func (discard) MTU() int                         { return 1500 }
func (d discard) Idle() bool                     { return d.idle }

var testFlow = Flow{
	Client: netip.MustParseAddrPort("192.0.2.1:50000"),
	Origin: netip.MustParseAddrPort("198.51.100.2:443"),
}

func TestIdleConversationIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Conversation{}); size >= 600 {
		t.Errorf("a conversation takes %d octets, want less than 600", size)
	}
}

func TestDataAllocatesNothing(t *testing.T) {
	p := make([]byte, 256<<10)
	for _, tt := range []struct {
		name string
		sink Sink
		data []byte
	}{
		{"one segment", discard{}, p[:1000]},
		{"several batches", discard{}, p},
		{"idle sink", discard{idle: true}, p},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Open(tt.sink, testFlow, Options{})
			c.Data(ClientToOrigin, tt.data)
			// The pool may be emptied by a collection at any time, and drops
			// items at random under the race detector.
			if n := testing.AllocsPerRun(200, func() { c.Data(ClientToOrigin, tt.data) }); n >= 1 && !raceEnabled {
				t.Errorf("%v allocations per Data, want 0", n)
			}
		})
	}
}

func TestMACForAnAddress(t *testing.T) {
	seen := map[[6]byte]string{}
	for _, address := range []string{"0.0.0.0", "192.0.2.1", "192.0.2.2", "::", "2001:db8::1", "2001:db8::2", "2001:db8:1::1"} {
		mac := macFor(netip.MustParseAddr(address))
		if mac[0]&3 != 2 {
			t.Errorf("%s: %x is not a locally administered unicast address", address, mac)
		}
		if [4]byte(mac[:4]) == [4]byte{2} {
			t.Errorf("%s: %x starts like a loopback header", address, mac)
		}
		if other, ok := seen[mac]; ok {
			t.Errorf("%s and %s share %x", address, other, mac)
		}
		seen[mac] = address
	}
}

// BenchmarkData charges one segment of 1460 octets of TCP payload and options,
// in relayed chunks of 16 KiB.
func BenchmarkData(b *testing.B) {
	for _, bm := range []struct {
		name string
		size int
	}{{"16KiB", 16 << 10}, {"segment", 1448}, {"64octets", 64}} {
		b.Run(bm.name, func(b *testing.B) {
			p := make([]byte, bm.size)
			c := Open(discard{}, testFlow, Options{})
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				c.Data(OriginToClient, p)
			}
			segments := b.N * ((bm.size + 1447) / 1448)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(segments), "ns/segment")
		})
	}
}

func BenchmarkOpenClose(b *testing.B) {
	now := time.Now()
	opts := Options{Now: func() time.Time { return now }}
	b.ReportAllocs()
	for b.Loop() {
		Open(discard{}, testFlow, opts).Close()
	}
}
