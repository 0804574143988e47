package wire

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

func TestTuple(t *testing.T) {
	for _, tt := range []struct{ client, origin string }{
		{"192.0.2.2:50000", "192.0.2.10:443"},
		{"[2001:db8::1]:1", "[2001:db8::2]:65535"},
	} {
		client, origin := netip.MustParseAddrPort(tt.client), netip.MustParseAddrPort(tt.origin)
		k := tupleOf(client, origin)
		if k.client() != client || k.origin() != origin {
			t.Errorf("%v, %v become %v, %v", client, origin, k.client(), k.origin())
		}
		b := unsafe.Slice((*byte)(unsafe.Pointer(&k)), unsafe.Sizeof(k))
		if got := binary.BigEndian.Uint16(b[32:]); got != client.Port() {
			t.Errorf("port %d is not in network order", client.Port())
		}
		if a := client.Addr().As16(); !cmp.Equal(a[:], b[:16]) {
			t.Errorf("address %v is not in network order", client.Addr())
		}
	}
}

// sharedEvent makes a record of the ring around a frame.
func sharedEvent(octets []byte) []byte {
	b := make([]byte, eventHeader, eventHeader+len(octets))
	binary.NativeEndian.PutUint32(b[48:], uint32(len(octets)))
	return append(b, octets...)
}

func TestEventLayout(t *testing.T) {
	var e kernelEvent
	for _, tt := range []struct {
		name      string
		got, want uintptr
	}{
		{"size", unsafe.Sizeof(e), eventHeader},
		{"tuple", unsafe.Offsetof(e.Tuple), 8},
		{"isn", unsafe.Offsetof(e.Isn), 44},
		{"length", unsafe.Offsetof(e.Length), 48},
		{"segment", unsafe.Offsetof(e.Segment), 52},
		{"tci", unsafe.Offsetof(e.Tci), 54},
		{"tagged", unsafe.Offsetof(e.Tagged), 56},
		{"leg", unsafe.Offsetof(e.Leg), 57},
		{"direction", unsafe.Offsetof(e.Direction), 58},
	} {
		if tt.got != tt.want {
			t.Errorf("%s at %d, read at %d", tt.name, tt.got, tt.want)
		}
	}
}

func FuzzReadEvent(f *testing.F) {
	f.Add(sharedEvent(unhex(f, syn4)))
	f.Add(sharedEvent(unhex(f, data6)))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, h, ok := readEvent(b); ok {
			h.frame.payload()
		}
	})
}

// segment is a held frame of the client with the given octets.
func segment(seq uint32, body string) *heldFrame {
	return &heldFrame{frame: frame{octets: []byte(body), end: len(body), seq: seq}}
}

func TestFlight(t *testing.T) {
	isn := uint32(0xfffffffd) // the sequence numbers wrap
	for _, tt := range []struct {
		name   string
		frames []*heldFrame
		want   string
	}{
		{"in order", []*heldFrame{segment(isn+1, "abcd"), segment(isn+5, "efgh")}, "abcdefgh"},
		{"out of order", []*heldFrame{segment(isn+5, "efgh"), segment(isn+1, "abcd")}, "abcdefgh"},
		{"gap", []*heldFrame{segment(isn+1, "abcd"), segment(isn+6, "fgh")}, "abcd"},
		{"first is missing", []*heldFrame{segment(isn+5, "efgh")}, ""},
		{"repeated and joined", []*heldFrame{segment(isn+1, "abcd"), segment(isn+1, "abcd"), segment(isn+1, "abcdef"), segment(isn+5, "efgh")}, "abcdefgh"},
		{"of the origin", []*heldFrame{segment(isn+1, "abcd"), {frame: frame{octets: []byte("zz"), end: 2, seq: isn + 5}, direction: toClient}}, "abcd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &heldFlow{isn: isn, frames: tt.frames}
			if got := string(p.flight()); got != tt.want {
				t.Errorf("flight %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	tuple := tupleOf(netip.MustParseAddrPort("192.0.2.2:50000"), netip.MustParseAddrPort("192.0.2.10:443"))
	flow := func(change func(f *kernelFlow)) *kernelFlow {
		f := &kernelFlow{Leg: 0}
		out, back := &f.Sides[toOrigin], &f.Sides[toClient]
		out.OptionLen = uint8(copy(out.Options[:], unhex(t, "020405b40402080a000003e90000000001030307")))
		back.OptionLen = uint8(copy(back.Options[:], unhex(t, "020405000402080a000007d0000003e901030308")))
		*out = kernelSide{Isn: 100, Next: 101, Acked: 501, Window: 64240, Options: out.Options, OptionLen: out.OptionLen}
		*back = kernelSide{Isn: 500, Next: 501, Acked: 101, Window: 65160, Options: back.Options, OptionLen: back.OptionLen}
		if change != nil {
			change(f)
		}
		return f
	}
	first := &frame{octets: make([]byte, tcpHeader), body: tcpHeader, ack: 501, window: 500}
	client, origin, err := endpoints(tuple, flow(nil), first)
	if err != nil {
		t.Fatal(err)
	}
	want := endpoint{
		local: tuple.origin(), remote: tuple.client(), leg: 0, sendNext: 501, receiveNext: 101,
		peerMSS: 1460, peerScale: 7, scale: 8, hasScale: true, sack: true, timestamp: true,
		tsval: 2000, peerWindow: 500 << 7, window: 65160,
	}
	opts := []cmp.Option{cmp.AllowUnexported(endpoint{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })}
	if diff := cmp.Diff(want, client, opts...); diff != "" {
		t.Errorf("client leg:\n%s", diff)
	}
	want = endpoint{
		local: tuple.client(), remote: tuple.origin(), leg: 1, sendNext: 101, receiveNext: 501,
		peerMSS: 1280, peerScale: 8, scale: 7, hasScale: true, sack: true, timestamp: true,
		tsval: 0, peerWindow: 65160, window: 500 << 7,
	}
	if diff := cmp.Diff(want, origin, opts...); diff != "" {
		t.Errorf("origin leg:\n%s", diff)
	}
	for _, tt := range []struct {
		name   string
		change func(f *kernelFlow)
		want   error
	}{
		{"octets of the origin under way", func(f *kernelFlow) { f.Sides[toClient].Next += 10 }, errInFlight},
		{"acknowledged since", func(f *kernelFlow) { f.Sides[toClient].Next += 10; f.Sides[toOrigin].Acked += 10 }, nil},
		{"unsupported option", func(f *kernelFlow) { f.Sides[toClient].Options[0] = 30 }, errUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := endpoints(tuple, flow(tt.change), first); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}
