package mirrortest

import (
	"errors"
	"testing"

	"github.com/clearspan/clearspan/mirror"
)

func FuzzDecode(f *testing.F) {
	for _, frame := range session() {
		f.Add(frame)
	}
	recorder := &Recorder{}
	flow := testFlow
	flow.VLAN = 7
	mirror.Open(recorder, flow, mirror.Options{}).Close()
	for _, frame := range recorder.Frames()[:1] {
		f.Add(frame)
	}
	f.Add([]byte{})
	f.Add(make([]byte, 14))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var d Decoder
		s, err := d.Decode(frame)
		if err != nil {
			return
		}
		if s.FrameLen != len(frame) || len(s.Payload) != s.PayloadLen || s.PacketLen > len(frame) {
			t.Fatalf("%d octets decode to %+v", len(frame), s.Header)
		}
		Check([][]byte{frame, frame})
	})
}

func TestDecodeOtherProtocols(t *testing.T) {
	udp := append([]byte{}, session()[0]...)
	udp[14+9] = 17
	arp := make([]byte, 60)
	arp[12], arp[13] = 0x08, 0x06
	for _, tt := range []struct {
		name  string
		frame []byte
	}{{"UDP", udp}, {"ARP", arp}} {
		t.Run(tt.name, func(t *testing.T) {
			var d Decoder
			if _, err := d.Decode(tt.frame); !errors.Is(err, ErrNotTCP) {
				t.Errorf("Decode: %v, want ErrNotTCP", err)
			}
		})
	}
}

func BenchmarkAnalyzer(b *testing.B) {
	recorder := &Recorder{}
	c := mirror.Open(recorder, testFlow, mirror.Options{})
	c.Data(mirror.OriginToClient, make([]byte, 1<<20))
	frames := recorder.Frames()
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		a := NewAnalyzer(Options{HashOnly: true})
		for _, frame := range frames {
			a.Add(frame)
		}
	}
}
