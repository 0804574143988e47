package dissect_test

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto"
)

// wire makes HTTP/2 frames by golang.org/x/net.
type wire struct {
	out     [2]bytes.Buffer
	framers [2]*http2.Framer
	block   [2]bytes.Buffer
	encode  [2]*hpack.Encoder
	steps   []step
}

func newWire() *wire {
	w := &wire{steps: []step{up(http2.ClientPreface)}}
	for i := range 2 {
		w.framers[i] = http2.NewFramer(&w.out[i], nil)
		w.framers[i].AllowIllegalWrites = true
		w.encode[i] = hpack.NewEncoder(&w.block[i])
	}
	return w
}

// write adds a step with what f writes.
func (w *wire) write(dir proto.Direction, f func(*http2.Framer) error) *wire {
	if err := f(w.framers[dir]); err != nil {
		panic(err)
	}
	w.steps = append(w.steps, step{dir: dir, text: w.out[dir].String()})
	w.out[dir].Reset()
	return w
}

// headers writes a block in two frames, the first with padding and priority.
func (w *wire) headers(dir proto.Direction, id uint32, end bool, fields ...string) *wire {
	block := w.encoded(dir, fields...)
	return w.write(dir, func(f *http2.Framer) error {
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block[:1], EndStream: end, PadLength: 3, Priority: http2.PriorityParam{Weight: 1}})
		return f.WriteContinuation(id, true, block[1:])
	})
}

func (w *wire) encoded(dir proto.Direction, fields ...string) []byte {
	for i := 0; i < len(fields); i += 2 {
		w.encode[dir].WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	block := bytes.Clone(w.block[dir].Bytes())
	w.block[dir].Reset()
	return block
}

func (w *wire) data(dir proto.Direction, id uint32, end bool, text string, pad int) *wire {
	return w.write(dir, func(f *http2.Framer) error {
		return f.WriteDataPadded(id, end, []byte(text), make([]byte, pad))
	})
}

func (w *wire) reset(dir proto.Direction, id uint32) *wire {
	return w.write(dir, func(f *http2.Framer) error { return f.WriteRSTStream(id, http2.ErrCodeCancel) })
}

// request writes a request. Its content follows if end is false.
func (w *wire) request(id uint32, method, path string, end bool) *wire {
	return w.headers(proto.ClientToOrigin, id, end, ":method", method, ":scheme", "https", ":authority", "www.example.test", ":path", path, "cookie", "s=1")
}

func (w *wire) get(id uint32, path string) *wire { return w.request(id, "GET", path, true) }

func TestHTTP2(t *testing.T) {
	const upward, downward = proto.ClientToOrigin, proto.OriginToClient
	run(t, []row{
		{"streams", `request 1 GET /one?q www.example.test
			end 1 > complete 0
			request 2 PUT /two www.example.test
			request 3 GET /three www.example.test
			end 3 > complete 0
			answer 2 200 type=image/png
			answer 1 404
			end 1 < complete 0
			end 2 > complete 2 "up"
			end 2 < complete 8 "12345678"
			end 3 < cancelled 0
			stop ended`,
			newWire().write(upward, func(f *http2.Framer) error { return f.WriteSettings(http2.Setting{ID: 1, Val: 65536}) }).
				write(downward, func(f *http2.Framer) error { return f.WriteSettings() }).
				get(1, "/one?q").request(3, "PUT", "/two", false).get(5, "/three").
				headers(downward, 3, false, ":status", "103").
				headers(downward, 3, false, ":status", "200", "content-type", "image/png").
				headers(downward, 1, true, ":status", "404").
				data(downward, 3, false, "12345", 4).data(upward, 3, true, "up", 1).data(downward, 3, false, "678", 0).
				write(downward, func(f *http2.Framer) error { return f.WritePing(false, [8]byte{}) }).
				headers(downward, 3, true, "grpc-status", "0").reset(upward, 5).steps},
		{"answer before the end of the request", `request 1 PUT /one www.example.test
			answer 1 413
			end 1 < complete 0
			end 1 > complete 2 "up"
			stop ended`,
			newWire().request(1, "PUT", "/one", false).headers(downward, 1, true, ":status", "413").data(upward, 1, true, "up", 0).steps},
		{"push", `request 1 GET /one www.example.test
			end 1 > complete 0
			request 2 GET /pushed www.example.test
			end 2 > complete 0
			answer 2 200
			end 2 < complete 2 "it"
			end 1 < cut 0
			stop ended`,
			func() []step {
				w := newWire().get(1, "/one")
				block := w.encoded(downward, ":method", "GET", ":path", "/pushed", ":authority", "www.example.test")
				return w.write(downward, func(f *http2.Framer) error {
					return f.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: block, EndHeaders: true, PadLength: 2})
				}).headers(downward, 2, false, ":status", "200").data(downward, 2, true, "it", 0).steps
			}()},
		{"two hosts", `request 1 GET / (hosts-differ)
			end 1 > complete 0
			end 1 < cut 0
			stop ended`,
			newWire().headers(upward, 1, true, ":method", "GET", ":authority", "a.test", "host", "b.test", ":path", "/").steps},
		{"host alone", `request 1 GET / a.test
			end 1 > complete 0
			end 1 < cut 0
			stop ended`,
			newWire().headers(upward, 1, true, ":method", "GET", "host", "a.test", ":path", "/").steps},
		{"broken block", `stop broken`, newWire().write(upward, func(f *http2.Framer) error {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff}, EndHeaders: true})
		}).steps},
		{"a block that is interrupted", `stop broken`, newWire().write(upward, func(f *http2.Framer) error {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x82}})
			return f.WriteData(1, false, []byte("x"))
		}).steps},
	})
}

func TestHTTP2Gaps(t *testing.T) {
	const upward, downward = proto.ClientToOrigin, proto.OriginToClient
	const head = "request 1 GET / www.example.test\n end 1 > complete 0\n answer 1 200\n"
	begin := func() *wire { return newWire().get(1, "/").headers(downward, 1, false, ":status", "200") }
	// lose cuts n octets out of the last step, from at.
	lose := func(w *wire, at, n int) *wire {
		last := w.steps[len(w.steps)-1]
		w.steps = append(w.steps[:len(w.steps)-1], step{dir: last.dir, text: last.text[:at]}, step{dir: last.dir, lost: uint64(n)}, step{dir: last.dir, text: last.text[at+n:]})
		return w
	}
	const header, length = 9, 1
	run(t, []row{
		{"in content", head + `end 1 < complete 6-3 "a???ef"
			stop ended`, lose(begin().data(downward, 1, true, "abcdef", 0), header+length+1, 3).steps},
		{"in content and padding", head + `end 1 < complete 6-4 "ab????"
			stop ended`, lose(begin().data(downward, 1, true, "abcdef", 5), header+length+2, 7).steps},
		{"to the end of a frame", head + `end 1 < complete 8-4 "ab????gh"
			stop ended`, lose(begin().data(downward, 1, false, "abcdef", 0), header+length+2, 4).data(downward, 1, true, "gh", 0).steps},
		{"in the length of padding", head + `end 1 < lost 0
			stop gap`, lose(begin().data(downward, 1, true, "abcdef", 5), header, 1).steps},
		{"beyond a frame", head + `end 1 < lost 6-4 "ab????"
			stop gap`, append(lose(begin().data(downward, 1, false, "abcdef", 0), header+length+2, 4).steps, downLost(1))},
		{"in a frame that means nothing", head + `end 1 < complete 1 "x"
			stop ended`, lose(begin().write(downward, func(f *http2.Framer) error { return f.WritePing(false, [8]byte{}) }), header+1, 4).data(downward, 1, true, "x", 0).steps},
		{"in a header block", `stop gap`, lose(newWire().get(1, "/"), header+3, 3).steps},
		{"in an upload", `request 1 PUT / www.example.test
			end 1 > complete 6-3 "a???ef"
			end 1 < cut 0
			stop ended`, lose(newWire().request(1, "PUT", "/", false).data(upward, 1, true, "abcdef", 0), header+length+1, 3).steps},
	})
}
