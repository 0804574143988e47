package feed

import (
	"bytes"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	feedhttp2 "github.com/clearspan/clearspan/appliance/feed/http2"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// download returns the octets of an HTTP/2 session that gets a file, in pieces.
func download(t *testing.T) (up, down [][]byte) {
	t.Helper()
	var b bytes.Buffer
	write := func(f func(*http2.Framer) error) []byte {
		b.Reset()
		if err := f(http2.NewFramer(&b, nil)); err != nil {
			t.Fatal(err)
		}
		return bytes.Clone(b.Bytes())
	}
	headers := func(fields ...string) []byte {
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		for i := 0; i < len(fields); i += 2 {
			e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		return write(func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: fields[0] == ":method"})
		})
	}
	up = [][]byte{[]byte(http2.ClientPreface), write(func(f *http2.Framer) error { return f.WriteSettings() }), headers(":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/")}
	down = [][]byte{write(func(f *http2.Framer) error { return f.WriteSettings() }), headers(":status", "200", "content-length", "40000")}
	for range 4 {
		down = append(down, write(func(f *http2.Framer) error { return f.WriteData(1, false, make([]byte, 10000)) }))
	}
	return up, down
}

// TestCountsMeanwhile: frames, octets and losses count while the session is open, and
// what was counted is what the account says at its end. HTTP/2 included.
func TestCountsMeanwhile(t *testing.T) {
	up, down := download(t)
	for _, tt := range []struct {
		name      string
		alpn      string
		transcode bool
		refuse    int // frames that the sink refuses, from the start
	}{
		{"as it is", "", false, 0},
		{"as it is, with losses", "", false, 7},
		{"HTTP/2", "h2", false, 0},
		{"HTTP/2 as HTTP/1.1", "h2", true, 0},
		{"HTTP/2 as HTTP/1.1, with losses", "h2", true, 7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, recorder := recording("a", decrypt.Decrypted)
			if tt.refuse > 0 {
				k.ports = mirror.Balance{&refusing{Recorder: recorder, left: tt.refuse}}
			}
			var count counts
			k.metrics = &count
			if tt.transcode {
				k.streams = feedhttp2.NewPorts()
			}
			s := session(decrypt.Bumped)
			s.ALPN = tt.alpn
			f := &Feed{sinks: []*sink{k}}
			st := f.Open(s)
			relayed := uint64(0)
			give := func(dir decrypt.Direction, list [][]byte) {
				for _, p := range list {
					st.Data(dir, decrypt.Decrypted, p)
					relayed += uint64(len(p))
				}
			}
			give(decrypt.ClientToOrigin, up)
			give(decrypt.OriginToClient, down)
			lost := func() (n uint64) {
				for _, octets := range count.lost {
					n += octets
				}
				return n
			}
			if n := count.octets + lost(); n != relayed || count.frames < 4 {
				t.Errorf("while it is open %d octets of %d count, %d frames", n, relayed, count.frames)
			}
			if tt.refuse > 0 == (lost() == 0) || s.Missed() != lost() {
				t.Errorf("%d octets lost, the session says %d", lost(), s.Missed())
			}
			meanwhile := f.Progress(st)["a"]
			if meanwhile.Octets != count.octets || meanwhile.Lost != lost() || meanwhile.Frames != count.frames {
				t.Errorf("progress %+v, metrics %d octets, %d lost, %d frames", meanwhile, count.octets, lost(), count.frames)
			}
			st.End(decrypt.ClientToOrigin, decrypt.Finished)
			st.End(decrypt.OriginToClient, decrypt.Finished)
			st.Close()
			m := f.Report(s, st).Mirrors["a"]
			if m.Frames != count.frames || m.Octets != count.octets || m.Lost != lost() || m.Octets+m.Lost != relayed {
				t.Errorf("entry %+v, metrics %d frames, %d octets, %d lost", m, count.frames, count.octets, lost())
			}
			if m.Transcoded != nil {
				if diff := cmp.Diff([]uint64{m.Transcoded.Streams, m.Transcoded.Octets, m.Transcoded.Replaced, m.Transcoded.Raw},
					[]uint64{count.transcoded.Streams, count.transcoded.Octets, count.transcoded.Replaced, count.transcoded.Raw}); diff != "" {
					t.Errorf("transcoded (-entry +metrics):\n%s", diff)
				}
			} else if tt.transcode {
				t.Error("nothing was transcoded")
			}
			if reasons := maps.Keys(count.lost); tt.refuse > 0 && m.Reason == "" {
				t.Errorf("no reason in %+v, metrics have %v", m, reasons)
			}
		})
	}
}

// refusing is a recorder that refuses some frames first.
type refusing struct {
	*mirrortest.Recorder
	left int
}

func (r *refusing) Send(frames []mirror.Frame) (int, error) {
	if r.left > 0 {
		r.left -= len(frames)
		return 0, mirror.ErrFull
	}
	return r.Recorder.Send(frames)
}
