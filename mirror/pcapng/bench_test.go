package pcapng

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/clearspan/clearspan/mirror"
)

func unixNano(n int64) time.Time { return time.Unix(0, n) }

// nowhere is a storage without cost.
type nowhere struct{}

func (nowhere) write(*buffer, time.Time, bool) error { return nil }
func (nowhere) expire(time.Time)                     {}
func (nowhere) close()                               {}

// BenchmarkSend is the cost of a full-size frame, 64 a call, to the sender
// alone and with files.
func BenchmarkSend(b *testing.B) {
	cfg, err := Config{Directory: b.TempDir(), RotateSize: 64 << 20, Keep: 1}.withDefaults()
	if err != nil {
		b.Fatal(err)
	}
	st, err := newStore(&cfg)
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name string
		to   storage
	}{{"memory", nowhere{}}, {"files", st}} {
		b.Run(bb.name, func(b *testing.B) {
			s := start(cfg, bb.to, flushInterval, retryInterval)
			defer s.Close()
			batch := frames(b, 64)
			b.SetBytes(1460)
			b.ReportAllocs()
			b.ResetTimer()
			for sent := 0; sent < b.N; {
				n, err := s.Send(batch[:min(len(batch), b.N-sent)])
				if err != nil {
					b.Fatal(err)
				}
				sent += n
			}
		})
	}
}

// BenchmarkEncode compares the encoder with gopacket's, which wants the frame
// in one piece.
func BenchmarkEncode(b *testing.B) {
	f := frames(b, 1)[0]
	b.Run("appendPacket", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, bufferSize)
		for b.Loop() {
			if len(buf)+maxBlock > cap(buf) {
				buf = buf[:0]
			}
			buf = appendPacket(buf, &f, 1, "")
		}
	})
	b.Run("gopacket", func(b *testing.B) {
		b.ReportAllocs()
		w, err := pcapgo.NewNgWriter(io.Discard, layers.LinkTypeEthernet)
		if err != nil {
			b.Fatal(err)
		}
		var scratch bytes.Buffer
		encode := func(f *mirror.Frame) error {
			scratch.Reset()
			scratch.Write(f.Header)
			scratch.Write(f.Payload)
			info := gopacket.CaptureInfo{Timestamp: unixNano(1), CaptureLength: f.Len(), Length: f.Len()}
			return w.WritePacket(info, scratch.Bytes())
		}
		for b.Loop() {
			if err := encode(&f); err != nil {
				b.Fatal(err)
			}
		}
	})
}
