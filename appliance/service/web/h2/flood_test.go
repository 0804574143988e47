package h2_test

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/webtest"
)

// deluge makes the frames of a flood. Streams of the client are numbered from 3.
type deluge struct {
	*http2.Framer
	buf    bytes.Buffer
	block  bytes.Buffer
	coder  *hpack.Encoder
	stream uint32
	kind   adapt.Kind
	n      int
}

func newDeluge(kind adapt.Kind) *deluge {
	s := &deluge{stream: 1, kind: kind}
	s.Framer = http2.NewFramer(&s.buf, nil)
	s.AllowIllegalWrites = true
	s.coder = hpack.NewEncoder(&s.block)
	return s
}

// list is a header block with n fields of 4,000 octets, which the table of names
// and values makes small from the second time on.
func (s *deluge) list(n int, fields ...string) []byte {
	s.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		s.coder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	for range n {
		s.coder.WriteField(hpack.HeaderField{Name: "x-large", Value: strings.Repeat("y", 3900)})
	}
	return s.block.Bytes()
}

func (s *deluge) open(end bool, large int, fields ...string) {
	s.stream += 2
	s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.stream, BlockFragment: s.list(large, append(get[:8:8], fields...)...), EndHeaders: true, EndStream: end})
}

// floods are the frames that an end sends without end. only bounds a flood to one
// direction, ends tells that it may end the session.
var floods = []struct {
	name string
	send func(*deluge)
	only adapt.Kind // with one
	one  bool
}{
	{"window of the connection", func(s *deluge) { s.WriteWindowUpdate(0, 1) }, 0, false},
	{"window of a stream", func(s *deluge) { s.WriteWindowUpdate(1, 1) }, 0, false},
	{"settings", func(s *deluge) { s.WriteSettings() }, 0, false},
	{"settings that are told", func(s *deluge) {
		s.WriteSettings(http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: 1000}, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 50})
	}, 0, false},
	{"settings of windows", func(s *deluge) {
		s.n++
		s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(s.n)})
	}, 0, false},
	{"acknowledgements of settings", func(s *deluge) { s.WriteSettingsAck() }, 0, false},
	{"ping", func(s *deluge) { s.WritePing(false, [8]byte{}) }, 0, false},
	{"answers to ping", func(s *deluge) { s.WritePing(true, [8]byte{}) }, 0, false},
	{"priority", func(s *deluge) { s.WritePriority(1, http2.PriorityParam{StreamDep: 3}) }, 0, false},
	{"unknown", func(s *deluge) { s.WriteRawFrame(0xfa, 0xff, 1, []byte("unknown")) }, 0, false},
	{"end of streams", func(s *deluge) { s.WriteGoAway(math.MaxInt32, http2.ErrCodeNo, []byte("maintenance")) }, 0, false},
	{"push", func(s *deluge) {
		s.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: s.list(0, get...), EndHeaders: true})
	}, 0, false},
	{"continuation", func(s *deluge) {
		if s.n++; s.n == 1 {
			s.stream += 2
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.stream, BlockFragment: s.list(0, get...)})
		}
		s.WriteContinuation(s.stream, false, nil)
	}, 0, false},
	{"continuation with fields", func(s *deluge) {
		if s.n++; s.n == 1 {
			s.stream += 2
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.stream, BlockFragment: s.list(0, get...)})
		}
		s.WriteContinuation(s.stream, false, s.list(1))
	}, 0, false},
	{"empty content", func(s *deluge) { s.WriteData(1, false, nil) }, 0, false},
	{"content", func(s *deluge) { s.WriteData(1, false, make([]byte, 1000)) }, 0, false},
	{"padding", func(s *deluge) { s.WriteDataPadded(1, false, nil, make([]byte, 255)) }, 0, false},
	{"content of streams that are over", func(s *deluge) {
		if s.n++; s.n == 1 {
			s.WriteRSTStream(1, http2.ErrCodeCancel)
		}
		s.WriteData(1, false, []byte("x"))
	}, 0, false},
	{"reset of one stream", func(s *deluge) { s.WriteRSTStream(1, http2.ErrCodeCancel) }, 0, false},
	{"interim responses", func(s *deluge) {
		s.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: s.list(1, ":status", "103"), EndHeaders: true})
	}, adapt.Response, true},
	{"streams", func(s *deluge) { s.open(false, 0) }, adapt.Request, true},
	{"streams with large fields", func(s *deluge) { s.open(false, 60) }, adapt.Request, true},
	{"streams with content", func(s *deluge) {
		s.open(false, 0)
		for range 4 {
			s.WriteData(s.stream, false, make([]byte, 16000))
		}
	}, adapt.Request, true},
	{"streams with trailers", func(s *deluge) {
		s.open(false, 0)
		s.WriteHeaders(http2.HeadersFrameParam{StreamID: s.stream, BlockFragment: s.list(60), EndHeaders: true, EndStream: true})
	}, adapt.Request, true},
	{"streams that end at once", func(s *deluge) { s.open(true, 0) }, adapt.Request, true},
	{"streams that are reset", func(s *deluge) {
		s.open(false, 0)
		s.WriteRSTStream(s.stream, http2.ErrCodeCancel)
	}, adapt.Request, true},
	{"malformed streams", func(s *deluge) { s.open(true, 0, "connection", "close") }, adapt.Request, true},
	{"malformed window updates", func(s *deluge) {
		s.open(false, 0)
		s.WriteWindowUpdate(s.stream, 0)
	}, adapt.Request, true},
}

// TestFloods has an end that sends frames of a kind as fast as it can, while the
// other end, or neither, reads. A session keeps at most 16 MiB, and those beside it
// are served. When the ends read again, the session goes on, or has ended for a
// reason that is named.
func TestFloods(t *testing.T) {
	good := webtest.Between(t, webtest.One(webtest.Preview(9)), webtest.Echo)
	for _, way := range []struct {
		name  string
		cfg   adapt.Config
		reads bool // the end that sends
	}{
		{"relayed, sender reads", adapt.Config{}, true},
		{"held, nobody reads", webtest.One(webtest.Preview(9)), false},
	} {
		for kind, side := range map[adapt.Kind]string{adapt.Request: "client", adapt.Response: "origin"} {
			for _, fl := range floods {
				if fl.one && fl.only != kind {
					continue
				}
				t.Run(fl.name+"/"+side+"/"+way.name, func(t *testing.T) {
					octets, most := int64(1<<20), int64(768<<10)
					if fl.one { // many messages
						octets, most = 256<<10, 16<<20
					}
					endure(t, way.cfg, kind, way.reads, fl.send, octets, most, good)
				})
			}
		}
	}
}

func endure(t *testing.T, cfg adapt.Config, kind adapt.Kind, reads bool, send func(*deluge), octets, most int64, good *http.Client) {
	sc, client, origin := meet(t, cfg, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16})
	client.later(func() {
		client.header(1, false, get...)
		client.WriteData(1, false, []byte("0123456789"))
		client.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16})
	})
	next[*http2.MetaHeadersFrame](origin)
	origin.later(func() {
		origin.header(1, false, ":status", "200")
		origin.WriteData(1, false, []byte("0123456789"))
	})
	next[*http2.MetaHeadersFrame](client)
	client.later(func() { client.header(3, true, get...) })
	next[*http2.MetaHeadersFrame](origin)
	from, to := client, origin
	if kind == adapt.Response {
		from, to = origin, client
	}
	// The receiver opens the window of the connection, and none of streams.
	to.later(func() {
		to.WriteWindowUpdate(0, 1<<30)
		to.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	})
	if reads {
		go io.Copy(io.Discard, from.end)
	}
	before := live()

	var sent atomic.Int64
	var stop atomic.Bool
	flooded := make(chan error, 1)
	s := newDeluge(kind)
	go func() {
		for sent.Load() < octets && !stop.Load() {
			s.buf.Reset()
			for s.buf.Len() < 4<<10 {
				send(s)
			}
			n, err := from.end.Write(s.buf.Bytes())
			sent.Add(int64(n))
			if err != nil {
				flooded <- err
				return
			}
		}
		flooded <- nil
	}()
	running := true
	for last := int64(-1); running; {
		select {
		case <-flooded:
			running = false
		case <-time.After(40 * time.Millisecond):
			if now := sent.Load(); now == last {
				running = false // it waits
				stop.Store(true)
			} else {
				last = now
			}
		}
	}
	resp, gerr := good.Post("http://origin.test/", "text/plain", strings.NewReader("hello"))
	if gerr != nil {
		t.Fatalf("another session: %v", gerr)
	}
	if got, _ := io.ReadAll(resp.Body); string(got) != "hello" {
		t.Errorf("another session got %q", got)
	}
	resp.Body.Close()
	kept := live() - before
	t.Logf("%d KiB sent, %d KiB kept", sent.Load()>>10, kept>>10)
	if kept > most {
		t.Errorf("session keeps %d KiB for %d KiB", kept>>10, sent.Load()>>10)
	}

	// Both read again.
	ping := [8]byte{'a', 'l', 'i', 'v', 'e'}
	if !reads {
		go io.Copy(io.Discard, from.end)
	}
	go func() {
		if stop.Load() {
			<-flooded
		}
		http2.NewFramer(from.end, nil).WritePing(false, ping)
	}()
	for {
		f, err := to.ReadFrame()
		if err != nil {
			if r := webtest.ReasonOf(sc.End()); !strings.HasSuffix(r, "-flood") && !strings.HasSuffix(r, "-protocol") {
				t.Errorf("ended for %q: %v", r, err)
			} else {
				t.Log(r)
			}
			return
		}
		if f, ok := f.(*http2.PingFrame); ok && f.Data == ping {
			break
		}
	}
	sc.Client.Abort()
	sc.Origin.Abort()
	sc.End()
}

// live returns the octets of the heap that are in use.
func live() int64 {
	runtime.GC()
	runtime.GC() // what pools keep
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
